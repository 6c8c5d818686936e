"""A log in the memory of this process: for tests, experiments and what-if runs. Everything but lasting."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import RLock
from uuid import uuid4

from adapters.log.base import ChainedLog, Repeated
from adapters.log.chain import EMPTY, Row, Tail
from adapters.log.plan import Heads, Known, content_in
from adapters.log.reading import Shown, shown
from adapters.log.watch import Watch
from domain.journal import Cursor, Wanted
from domain.values import Micros


class MemoryLog(ChainedLog):
    """The journal as lists and dictionaries."""

    def __init__(self, now: Callable[[], Micros]) -> None:
        super().__init__(now, Watch(lambda: None))
        self._log_id = uuid4().hex
        self._lock = RLock()
        self._all: list[Row] = []
        self._ids: dict[bytes, Row] = {}
        self._streams: dict[str, list[Row]] = {}
        self._end = EMPTY
        self._tracking: dict[str, int] = {}
        self._cursors: dict[str, Cursor] = {}

    @property
    def log_id(self) -> str:
        """Random identity of this log, made when it was created."""
        return self._log_id

    def rows(self) -> list[Row]:
        """All rows as a store would hold them."""
        with self._lock:
            return list(self._all)

    @contextmanager
    def _begin(self) -> Iterator[_Staged]:
        with self._lock:
            staged = _Staged(self)
            yield staged
            staged.commit()

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Tail, Iterator[Row]]]:
        with self._lock:
            end, rows = self._end, list(self._all)
        yield end, iter(rows)

    def _rows(self, after: int, limit: int, upto: int | None, wanted: Wanted | None) -> Iterable[Shown]:
        with self._lock:
            start = bisect_right(self._all, after, key=lambda row: row[0])
            stop = len(self._all) if upto is None else bisect_right(self._all, upto, key=lambda row: row[0])
            if wanted is None:
                return list(map(shown, self._all[start : min(stop, start + limit)]))
            found = (shown(row) for row in islice(self._all, start, stop) if _fits(row, wanted))
            return list(islice(found, limit))

    def _whole(self, after: int, limit: int, upto: int | None) -> Iterable[Row]:
        with self._lock:
            start = bisect_right(self._all, after, key=lambda row: row[0])
            stop = len(self._all) if upto is None else bisect_right(self._all, upto, key=lambda row: row[0])
            return self._all[start : min(stop, start + limit)]

    def _rows_of(self, stream: str, after: int) -> Iterable[Shown]:
        with self._lock:
            return [shown(row) for row in self._streams.get(stream, []) if row[1] > after]

    def _row(self, event_id: bytes) -> Shown | None:
        row = self._ids.get(event_id)
        return None if row is None else shown(row)

    def _heads_of(self, streams: Sequence[str]) -> Heads:
        with self._lock:
            last = {stream: self._streams[stream][-1] for stream in streams if stream in self._streams}
        return {stream: (row[1], row[2]) for stream, row in last.items()}

    def _tail(self) -> Tail:
        return self._end

    def tracked(self, follower: str) -> int:
        """Position up to which the follower has read; 0 at first."""
        return self._tracking.get(follower, 0)

    def cursor(self, feed: str) -> Cursor:
        """The recorded cursor of a feed; empty at first."""
        return self._cursors.get(feed, Cursor())


class _Staged:
    """Collects what an append writes, so that all of it or nothing happens."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._rows: list[Row] = []
        self._end = log._end
        self._tracking: dict[str, int] = {}
        self._cursors: dict[str, Cursor] = {}

    def tail(self) -> Tail:
        return self._log._end

    def heads(self, streams: Sequence[str]) -> Heads:
        return self._log._heads_of(streams)

    def known(self, event_ids: Sequence[bytes]) -> Known:
        found = (self._log._ids[event_id] for event_id in event_ids if event_id in self._log._ids)
        return {row[6]: (row[0], content_in(row)) for row in found}

    def insert(self, rows: Sequence[Row], tail: Tail) -> None:
        ids = {row[6] for row in rows}
        if len(ids) < len(rows) or not ids.isdisjoint(self._log._ids):
            raise Repeated("an event id is there already")
        self._rows, self._end = list(rows), tail

    def track(self, follower: str, position: int) -> bool:
        self._tracking[follower] = position
        return position >= self._log.tracked(follower)

    def move(self, feed: str, cursor: Cursor) -> bool:
        self._cursors[feed] = cursor
        return cursor.rows >= self._log.cursor(feed).rows

    def commit(self) -> None:
        log = self._log
        for row in self._rows:
            log._all.append(row)
            log._ids[row[6]] = row
            log._streams.setdefault(row[7], []).append(row)
        log._end = self._end
        log._tracking |= self._tracking
        log._cursors |= self._cursors


def _fits(row: Row, wanted: Wanted) -> bool:
    return row[9] != wanted.but_of and (wanted.kinds is None or row[8] in wanted.kinds)
