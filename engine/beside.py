"""Half of the senses in a process of its own: the second core works on the same frame while the first one does.

Rules:
    1. Messages (mostly frames) go in, what they gave comes out, one answer a message and in their order: the result is
       that of the same senses in this process.
    2. Several frames may be under way: the pipe holds what the child has not begun, a thread takes in what it answers,
       so that neither side ever waits for the other to read.
    3. `BESIDE` names the behaviours that work there, about half of the work; the anomaly side always does.
    4. The child ends when its standard input does, and by no signal that asks the parent to end; it outlives nobody.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, Final

import msgspec

from domain.errors import MyrmidonError
from domain.thresholds import Thresholds
from domain.values import SECOND, Micros
from engine.behaviours import Behaviour, all_behaviours
from engine.frame import Frame
from engine.heap import tame, trim
from engine.sensed import Judged, Sensed
from engine.senses import ANOMALY, Parts, Senses
from engine.wire import binary_output, pack, unpack

BESIDE: Final = frozenset({"horizontal-scan", "beacon"})

PIPE: Final = 1 << 20
"""Bytes that the pipe to the child holds, where the system lets us: some frames of 1,000 rows."""


class Stopped(MyrmidonError):  # noqa: N818 - says what it is
    """The process beside us ended."""


class Beside:
    """The door to the other process: `begin` something, do something else, `end` what was begun first."""

    def __init__(self, thresholds: Thresholds, seed: int) -> None:
        self._model_version, self._opened = "", False
        self._evicted: dict[str, int] = {}
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._child.stdin is not None  # noqa: S101 - narrows the type
        assert self._child.stdout is not None  # noqa: S101 - narrows the type
        self._in, self._out = self._child.stdin, self._child.stdout
        with suppress(OSError, AttributeError):
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE)
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        self._listener = Thread(target=self._listen, name="beside", daemon=True)
        self._listener.start()
        self.parts = (*(behaviour.name for behaviour in share(thresholds, beside=True)), ANOMALY)
        """Names of the parts of its state."""
        self._begin("open", msgspec.to_builtins((thresholds, seed)))

    @property
    def model_version(self) -> str:
        """Version of the anomaly model, after the answer that was taken last."""
        self._open()
        return self._model_version

    @property
    def evicted(self) -> dict[str, int]:
        """What was forgotten or left out for want of room, after the answer that was taken last."""
        self._open()
        return self._evicted

    def begin(self, frame: Frame) -> None:
        """Hand over a frame."""
        self._begin("sense", pack(frame))

    def begin_finish(self, row: int, at: Micros) -> None:
        """At the end of a feed: ask what was seen and not told yet, and how the voters voted."""
        self._begin("finish", (row, at))

    def begin_learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> None:
        """Hand over verdicts to learn from."""
        self._begin("learn", (list(verdicts), row, at))

    def end(self) -> Sensed:
        """What came of what was begun first and not ended yet."""
        answer: Sensed = self._answer(Sensed)
        return answer

    def dump(self, part: str) -> Iterator[bytes]:
        """One part of the state, piece by piece; everything that was begun is ended."""
        # one by one: what is written slower than it comes would wait here in a heap
        self._begin("dump", part)
        while piece := self._answer(bytes):
            self._begin("more", None)
            yield piece

    def load(self, parts: Parts) -> None:
        """Go on from these parts; those of others are passed over."""
        self._begin("load", {name: parts[name] for name in self.parts})
        self._answer(None)

    def close(self) -> None:
        """Let the child end."""
        with suppress(BrokenPipeError):
            self._in.close()
        self._child.wait()
        self._listener.join()
        self._out.close()

    def _begin(self, verb: str, told: Any) -> None:
        try:
            _write(self._in, (verb, told))
        except (BrokenPipeError, ValueError) as error:
            raise self._stopped() from error

    def _open(self) -> None:
        """The child has much to import: its first answer is waited for when it is needed."""
        if not self._opened:
            self._opened = True
            self._answer(None)

    def _answer(self, shape: Any) -> Any:
        self._open()
        said = self._answers.get()
        if said is None:
            self._answers.put(None)  # whoever asks next is told too
            raise self._stopped()
        self._model_version, self._evicted, answer = msgspec.msgpack.decode(said)
        return None if shape is None else msgspec.convert(answer, shape)

    def _listen(self) -> None:
        with suppress(ValueError):
            while (body := _body(self._out)) is not None:
                self._answers.put(body)
        self._answers.put(None)

    def _stopped(self) -> Stopped:
        return Stopped(
            f"the process that senses beside us ended (exit status {self._child.poll()}): "
            "check memory, then run again: the feed goes on where the log stands"
        )


def share(thresholds: Thresholds, *, beside: bool) -> list[Behaviour]:
    """The behaviours that work in the other process, or those that stay."""
    return [behaviour for behaviour in all_behaviours(thresholds) if (behaviour.name in BESIDE) == beside]


def _write(pipe: IO[bytes], message: Any) -> None:
    body = msgspec.msgpack.encode(message)
    pipe.write(len(body).to_bytes(8, "big"))
    pipe.write(body)
    pipe.flush()


def _body(pipe: IO[bytes]) -> bytes | None:
    """The next message as it is; None at the end."""
    head = pipe.read(8)
    size = int.from_bytes(head, "big")
    body = pipe.read(size) if len(head) == 8 else b""
    return body if len(head) == 8 and len(body) == size else None


def _read(pipe: IO[bytes]) -> Any:
    body = _body(pipe)
    return None if body is None else msgspec.msgpack.decode(body)


def _open(thresholds: Thresholds, seed: int) -> Senses:
    from time import perf_counter

    from engine.models.anomaly import AnomalyDetector
    from engine.models.training import begin_apart

    anomaly = AnomalyDetector(thresholds.anomaly, thresholds.local_networks, seed, begin_apart, perf_counter)
    closing = thresholds.limits.closing_seconds * SECOND
    return Senses(share(thresholds, beside=True), anomaly, closing)


class _Child:
    """What the child says to each message."""

    def __init__(self, senses: Senses) -> None:
        self.senses = senses
        self._pieces: Iterator[bytes] = iter(())

    def answer(self, verb: str, told: Any) -> Any:
        """One answer a message; of a part that is dumped a piece, behind the last one an empty one."""
        match verb:
            case "sense":
                return self.senses.sense(unpack(told))
            case "learn":
                return self.senses.learn(*msgspec.convert(told, tuple[list[Judged], int, Micros]))
            case "finish":
                return Sensed(sightings=self.senses.finish(*told), notices=self.senses.count(*told).notices)
            case "dump":
                self._pieces = self.senses.dump(told)
                return self._piece()
            case "more":
                return self._piece()
            case _:
                self.senses.load(told)
                return None

    def _piece(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece:
            trim()
        return piece


def main() -> None:
    """The child: opened by the first message, then answers for every other until the pipe is closed."""
    import gc
    import signal

    from engine.kernels import warm

    for meant in (signal.SIGINT, signal.SIGTERM):  # for the parent, even when all of us get it: it ends us in its time
        signal.signal(meant, signal.SIG_IGN)
    gc.set_threshold(50_000, 20, 50)
    tame()
    out, inside = binary_output(), sys.stdin.buffer
    if (first := _read(inside)) is None:
        return
    senses = _open(*msgspec.convert(first[1], tuple[Thresholds, int]))
    try:
        _write(out, (senses.model_version, senses.evicted, None))
        warm()
        child = _Child(senses)
        while (message := _read(inside)) is not None:
            answer = child.answer(*message)
            _write(out, (senses.model_version, senses.evicted, answer))
    except BrokenPipeError:  # the parent was killed: nobody is left to be told, nor to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


if __name__ == "__main__":
    main()
