"""Lines of a bounded EVE file in the order of their events' times.

Suricata writes a flow when it is over, and at the end of a capture whatever was still going on: read as they stand,
most flows of a capture come hours after what happened later.

Rules:
    1. A file that is read to its end is sorted by event time, in chunks of `CHUNK` uncompressed bytes; lines of one
       time keep their order, and a line without a time stays with the one before it.
    2. Where chunks end is kept with the position in the log (`Log.saved`). So a file that grew since, or that is read
       again after a crash, is cut where it was cut before, whatever it has become.
    3. What lies behind the known chunks is sorted only if `sort` says so: a live log comes as it is written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.feeds.canon import from_iso
from adapters.feeds.lines import Lines, always
from domain.values import Micros

CHUNK: Final = 200_000_000
"""Uncompressed bytes that are sorted together, all of them in memory."""

SLICE: Final = 2048
"""Lines that are given at a time."""

Plan = tuple[tuple[int, ...], bool]
"""Where the chunks that are known end, and whether what follows is to be sorted too."""


class _Flow(msgspec.Struct):
    start: str = ""


class _Event(msgspec.Struct):
    timestamp: str = ""
    event_type: str = ""
    flow: _Flow | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode


def _whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


class InOrder(Lines):
    """See the rules above. `plan` tells of a file by its first line that is not empty."""

    def __init__(self, path: Path, plan: Callable[[bytes], Plan], *, final: bool, keep: bool = True) -> None:
        self._plan = plan
        self._planned = False
        self._sort = False
        self.ends: tuple[int, ...] = ()
        self.first = b""
        self._base = 0
        self._lines: list[bytes] = []
        self._sizes: list[int] = []
        self._held: tuple[list[bytes], list[int]] = ([], [])
        super().__init__(path, final=final, keep=keep, whole=_whole if final else always)

    def seek(self, position: int) -> None:
        """Go to where `position` bytes were given, in the order in which they are given."""
        before = bisect_right(self.ends, position)
        begin = self._base = self.ends[before - 1] if before else 0
        self._lines, self._sizes, self._held = [], [], ([], [])
        super().seek(self._base)
        if position == begin:
            return
        if before == len(self.ends) and not self._sort:
            self._base = position  # behind all chunks: as it is written
            super().seek(position)
            return
        self._load()
        given = bisect_right(list(accumulate(self._sizes)), position - begin)
        self._lines, self._sizes = self._lines[given:], self._sizes[given:]

    def forget(self) -> None:
        """The file was cut in place: what comes is another log."""
        self._planned, self._sort, self.ends, self.first = False, False, (), b""

    def take(self) -> tuple[list[bytes], list[int]]:
        """The next lines, as `Lines.take`."""
        if not self._lines:
            self._load()
        lines, sizes = self._lines[:SLICE], self._sizes[:SLICE]
        self._lines, self._sizes = self._lines[SLICE:], self._sizes[SLICE:]
        return lines, sizes

    def _load(self) -> None:
        """Read on: a chunk, sorted, or what was written next."""
        lines, sizes = self._next()
        if not self._planned and lines:
            self.first = next((line for line in lines if line), b"")
            self.ends, self._sort = self._plan(self.first)
            self._planned = True
        if not lines:
            return
        end = next((end for end in self.ends if end > self._base), None)
        if end is None and not self._sort:
            self._base += sum(sizes)
            self._lines, self._sizes = lines, sizes
            return
        room = (self._base + CHUNK if end is None else end) - self._base
        total = sum(sizes)
        while total < room:
            more, their = self._next()
            if not more:
                break
            lines += more
            sizes += their
            total += sum(their)
        kept = bisect_right(list(accumulate(sizes)), room) if total > room else len(lines)
        kept = max(1, kept)
        self._held = (lines[kept:], sizes[kept:])
        lines, sizes = lines[:kept], sizes[:kept]
        self._base += sum(sizes)
        if end is None:
            self.ends = (*self.ends, self._base)
        order = sorted(range(kept), key=times_of(lines).__getitem__)
        self._lines, self._sizes = [lines[i] for i in order], [sizes[i] for i in order]

    def _next(self) -> tuple[list[bytes], list[int]]:
        held, self._held = self._held, ([], [])
        return held if held[0] else super().take()


MARK: Final = b"sorted:"


def marked(ends: Sequence[int]) -> bytes:
    """Ends of chunks as a saved position keeps them."""
    return MARK + msgspec.msgpack.encode(ends)


def ends_of(saved: Sequence[Any]) -> tuple[int, ...]:
    """The ends of chunks in a saved position (see `Log.saved`)."""
    mark = bytes(saved[4])
    return msgspec.msgpack.decode(mark[len(MARK) :], type=tuple[int, ...]) if mark.startswith(MARK) else ()


def chunks_of(cursor: bytes) -> dict[str, tuple[int, ...]]:
    """The ends of chunks of every log in the body of a feed's cursor."""
    if not cursor:
        return {}
    _, _, known = msgspec.msgpack.decode(cursor)
    return {source: ends for source, saved in known.items() if (ends := ends_of(saved))}


def times_of(lines: Sequence[bytes]) -> list[Micros]:
    """The event time of each line; of one without, that of the line before.

    >>> times_of([b'{"timestamp": "1970-01-01T00:00:02Z"}', b"?", b'{"event_type": "flow", "flow": {"start": '
    ...           b'"1970-01-01T00:00:01Z"}}'])
    [2000000, 2000000, 1000000]
    """
    times: list[Micros] = []
    last = 0
    for line in lines:
        try:
            event = _decode(line)
            flow = event.flow.start if event.event_type == "flow" and event.flow else ""
            last = from_iso(flow or event.timestamp)
        except (ValueError, TypeError, ArithmeticError, msgspec.MsgspecError):
            pass
        times.append(last)
    return times
