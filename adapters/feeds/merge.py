"""All logs of all feeds of a run in one order.

Rules:
    1. Rows come in the order of their merge keys; ties by feed, log type, file, row. So a run of rows of one log is
       taken up to the next row of the log that comes second.
    2. The merge waits for every open log that has given a row and has none at hand, but not with rows that come before
       anything that log can still give. A log that has held it back for `idle_release` seconds (a gzip file, which is
       being written once and does not grow: one second) is released; it comes back when it grows.
    3. Nothing here depends on how many rows are asked for at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapters.feeds.block import Block
from adapters.feeds.errors import FeedError
from adapters.feeds.log import Log, Rank

GZIP_RELEASE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one log that follow one another in the merge."""

    log: Log
    block: Block


class Merge:
    """See the rules above. `trouble` is told of a log that cannot be read on, `done` of one that has ended."""

    def __init__(self, *, trouble: Callable[[Log, FeedError], Any], done: Callable[[Log], Any]) -> None:
        self._trouble = trouble
        self._done = done
        self._heap: list[tuple[Rank, int, Log]] = []
        self._waiting: dict[Log, float] = {}
        self._released: set[Log] = set()
        self._number = 0

    def add(self, log: Log, now: float) -> None:
        """Take in a log, or one that may have grown."""
        self._waiting.pop(log, None)
        try:
            ready = log.fill()
        except FeedError as error:
            self._trouble(log, error)
            ready = False
        if ready:
            self._released.discard(log)
            self._number += 1
            heapq.heappush(self._heap, (log.rank, self._number, log))
        elif log.ended:
            self._released.discard(log)
            self._done(log)
        elif not log.holds:
            self._released.add(log)
        elif log not in self._released:
            self._waiting[log] = now

    def gather(self, room: int, now: float) -> list[Run]:
        """The next runs, `room` rows at most."""
        runs: list[Run] = []
        while room and self._heap:
            floor = min((log.floor for log in self._waiting), default=None)
            if floor is not None and self._heap[0][0] >= floor:
                break
            _, _, log = heapq.heappop(self._heap)
            limits = [floor] if floor else []
            limits += [self._heap[0][0]] if self._heap else []
            stop = log.until(min(limits, default=None), room)
            run = Run(log, log.take(stop))
            room -= len(run.block)
            runs.append(run)
            self.add(log, now)
        return runs

    def idle(self) -> list[Log]:
        """Logs without a row at hand, to be looked at again."""
        return [*self._waiting, *sorted(self._released, key=lambda log: str(log.path))]

    def look_again(self, log: Log, now: float) -> None:
        """Take in what an idle log has got since."""
        since = self._waiting.get(log, now)
        self.add(log, since)

    def release(self, now: float, after: float) -> list[Log]:
        """Let go of the logs that have held back others for too long."""
        if not self._heap:
            return []
        late = [
            log
            for log, since in self._waiting.items()
            if now - since >= (min(after, GZIP_RELEASE) if log.lines and log.lines.gzip else after)
        ]
        for log in late:
            del self._waiting[log]
            self._released.add(log)
        return late
