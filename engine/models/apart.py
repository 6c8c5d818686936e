"""The anomaly detector in a process of its own: the second core works on host windows while the first one senses.

Rules:
    1. Frames go in, what they gave comes out, one answer a frame: the result is that of the detector in this process.
    2. Only the columns that host windows read are sent, and nothing but plain values (msgpack), never code.
    3. The child ends when its standard input does, so that it outlives nobody.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import IO, Any, Final

import msgspec

from domain.errors import MyrmidonError
from domain.thresholds import Thresholds
from engine.frame import COLUMNS, Frame
from engine.sensed import Sensed

SENT: Final = (
    "row", "status", "clock", "late", "log", "ts", "src_ip", "src_port", "dst_ip", "dst_port", "proto", "service",
    "duration", "src_bytes", "dst_bytes", "src_pkts", "dst_pkts", "conn_state", "raw",
)  # fmt: skip
"""Columns that host windows read; the others are empty on the other side."""


class Stopped(MyrmidonError):  # noqa: N818 - says what it is
    """The process of the anomaly detector ended."""


class AnomalyApart:
    """The door to an anomaly detector in a child process: `begin` a frame, do something else, `finish` it."""

    def __init__(self, thresholds: Thresholds, seed: int) -> None:
        self.version = ""
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._begin("open", msgspec.to_builtins((thresholds, seed)))
        self._answer(None)

    def begin(self, frame: Frame) -> None:
        """Hand over a frame."""
        self._begin("sense", [getattr(frame, name) for name in SENT])

    def finish(self) -> Sensed:
        """What the frame gave."""
        answer: Sensed = self._answer(Sensed)
        return answer

    def sense(self, frame: Frame) -> Sensed:
        """Both at once."""
        self.begin(frame)
        return self.finish()

    def dump(self) -> bytes:
        """The whole state."""
        self._begin("dump", None)
        state: bytes = self._answer(bytes)
        return state

    def load(self, state: bytes) -> None:
        """Go on from what `dump` gave."""
        self._begin("load", state)
        self._answer(None)

    def close(self) -> None:
        """Let the child end."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._child.wait()

    def _begin(self, verb: str, told: Any) -> None:
        assert self._child.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            _write(self._child.stdin, (verb, told))
        except BrokenPipeError:
            raise Stopped("the anomaly detector's process has ended: see its error above, start again") from None

    def _answer(self, shape: Any) -> Any:
        assert self._child.stdout is not None  # noqa: S101 - it was opened as a pipe
        read = _read(self._child.stdout)
        if read is None:
            raise Stopped("the anomaly detector's process has ended: see its error above, start again")
        self.version, answer = read
        return msgspec.convert(answer, shape)


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


def main() -> None:
    """The child: an answer for every message until the pipe is closed."""
    import signal

    from engine.models.anomaly import AnomalyDetector
    from engine.models.training import begin_apart

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us in its own time
    detector: AnomalyDetector | None = None
    while (message := _read(sys.stdin.buffer)) is not None:
        verb, told = message
        answer: Any = None
        if verb == "open":
            thresholds, seed = msgspec.convert(told, tuple[Thresholds, int])
            detector = AnomalyDetector(thresholds.anomaly, thresholds.local_networks, seed, begin_apart)
        assert detector is not None, "open comes first"  # noqa: S101 - an invariant of the parent
        match verb:
            case "sense":
                answer = detector.sense(_frame(told))
            case "dump":
                answer = detector.dump()
            case "load":
                detector.load(told)
            case _:
                pass
        _write(sys.stdout.buffer, (detector.version, answer))


def _frame(columns: list[list[Any]]) -> Frame:
    given = dict(zip(SENT, columns, strict=True))
    empty: list[Any] = [None] * len(columns[0])
    return Frame(**{name: given.get(name, empty) for name in COLUMNS})


if __name__ == "__main__":
    main()
