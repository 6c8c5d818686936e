"""Half of the senses in a process of its own: the second core works on the same frame while the first one does.

Rules:
    1. Frames go in, what they gave comes out, one answer a frame: the result is that of the same senses in this
       process.
    2. `BESIDE` names the behaviours that work there, about half of the work; the anomaly side always does.
    3. The child ends when its standard input does, so that it outlives nobody.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final

import msgspec

from domain.errors import MyrmidonError
from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND, Micros
from engine.behaviours import Behaviour, all_behaviours
from engine.frame import Frame
from engine.sensed import Judged, Sensed
from engine.senses import Parts, Senses
from engine.wire import pack, unpack

BESIDE: Final = frozenset({"horizontal-scan", "beacon"})


class Stopped(MyrmidonError):  # noqa: N818 - says what it is
    """The process beside us ended."""


class Beside:
    """The door to the other process: `begin` a frame, do something else, `end` it."""

    def __init__(self, thresholds: Thresholds, seed: int) -> None:
        self.model_version = ""
        self.evicted: dict[str, int] = {}
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._begin("open", msgspec.to_builtins((thresholds, seed)))
        self._answer(None)

    def begin(self, frame: Frame) -> None:
        """Hand over a frame."""
        self._begin("sense", pack(frame))

    def end(self) -> Sensed:
        """What the frame gave."""
        answer: Sensed = self._answer(Sensed)
        return answer

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """At the end of a feed: what was seen and not told yet."""
        self._begin("finish", (row, at))
        answer: list[Sighting] = self._answer(list[Sighting])
        return answer

    def learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> Sensed:
        """Learn from verdicts."""
        self._begin("learn", (list(verdicts), row, at))
        answer: Sensed = self._answer(Sensed)
        return answer

    def count(self, row: int, at: Micros) -> Sensed:
        """At the end of a feed: how the voters voted since the last count."""
        self._begin("count", (row, at))
        answer: Sensed = self._answer(Sensed)
        return answer

    def dump(self) -> Parts:
        """The whole state."""
        self._begin("dump", None)
        parts: Parts = self._answer(Parts)
        return parts

    def load(self, parts: Parts) -> None:
        """Go on from what `dump` gave."""
        self._begin("load", parts)
        self._answer(None)

    def close(self) -> None:
        """Let the child end."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._child.wait()

    def _begin(self, verb: str, told: Any) -> None:
        assert self._child.stdin is not None  # noqa: S101 - narrows the type
        try:
            _write(self._child.stdin, (verb, told))
        except (BrokenPipeError, ValueError) as error:
            raise self._stopped() from error

    def _answer(self, shape: Any) -> Any:
        assert self._child.stdout is not None  # noqa: S101 - narrows the type
        try:
            said = _read(self._child.stdout)
        except ValueError as error:  # the pipe was closed
            raise self._stopped() from error
        if said is None:
            raise self._stopped()
        self.model_version, self.evicted, answer = said
        return None if shape is None else msgspec.convert(answer, shape)

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


def _read(pipe: IO[bytes]) -> Any:
    head = pipe.read(8)
    if len(head) < 8:
        return None
    return msgspec.msgpack.decode(pipe.read(int.from_bytes(head, "big")))


def _open(thresholds: Thresholds, seed: int) -> Senses:
    from time import perf_counter

    from engine.models.anomaly import AnomalyDetector
    from engine.models.training import begin_apart

    anomaly = AnomalyDetector(thresholds.anomaly, thresholds.local_networks, seed, begin_apart, perf_counter)
    closing = thresholds.limits.closing_seconds * SECOND
    return Senses(share(thresholds, beside=True), anomaly, closing)


def main() -> None:
    """The child: an answer for every message until the pipe is closed."""
    import gc
    import os
    import signal

    # the pipe is ours alone: what a model of another package prints goes to standard error
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us in its own time
    gc.set_threshold(50_000, 20, 50)
    senses: Senses | None = None
    while (message := _read(sys.stdin.buffer)) is not None:
        verb, told = message
        answer: Any = None
        if verb == "open":
            senses = _open(*msgspec.convert(told, tuple[Thresholds, int]))
        assert senses is not None, "open comes first"  # noqa: S101 - an invariant of the parent
        match verb:
            case "sense":
                answer = senses.sense(unpack(told))
            case "learn":
                answer = senses.learn(*msgspec.convert(told, tuple[list[Judged], int, Micros]))
            case "finish":
                answer = senses.finish(*told)
            case "count":
                answer = senses.count(*told)
            case "dump":
                answer = senses.dump()
            case "load":
                senses.load(told)
            case _:
                pass
        _write(answers, (senses.model_version, senses.evicted, answer))


if __name__ == "__main__":
    main()
