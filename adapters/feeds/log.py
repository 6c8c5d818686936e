"""One log of a feed as the merge sees it: a buffer of rows with monotone keys, and a position that can be saved.

Rules:
    1. The merge key of a row is the highest value that the log's clock had up to it; keys never fall.
    2. `saved` describes the log right after the rows that were taken, wherever the buffer was cut.
    3. A log that was read before, by its identity, goes on where it stood, whatever its file is called now.
    4. Where the rows come from is the part of its kinds (`logs`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

from adapters.feeds.block import Block
from adapters.feeds.clock import JumpClock
from adapters.feeds.errors import FeedError
from adapters.feeds.lines import Lines
from adapters.feeds.spec import FeedSpec
from domain.values import Micros

Saved = list[Any]
"""rows, size, clock state, key, header in force (empty: the one at the beginning)."""

Rank = tuple[Micros, str, str, str]
"""Merge key, feed, log type, file."""


def known_as(source: str, known: Iterable[str]) -> str:
    """The name under which a log is known already: the first row tells which it is, whatever stands before its hash.

    >>> known_as("json:77", ["conn:76", "conn:77"]), known_as("json:77", [])
    ('conn:77', 'json:77')
    """
    digest = source[source.rindex(":") :]
    return next((name for name in known if name.endswith(digest)), source)


class Log(ABC):
    """See the rules above. `resume` are the saved positions of the feed's logs, by identity."""

    lines: Lines | None = None
    """The lines of its file, when it has lines: only such a file is followed."""

    def __init__(self, spec: FeedSpec, path: Path, kind: str, resume: dict[str, Saved]) -> None:
        self.spec = spec
        self.path = path
        self.kind = kind
        self.source = ""
        """Identity of the log; empty before its first row was seen."""
        self.ended = False
        self.again = False
        """Another file gave this log to its end before."""
        self.claim: Callable[[Log], bool] = lambda _log: True
        self.block = Block()
        self.keys: list[Micros] = []
        self.at = 0
        self._resume = resume
        self._fresh()

    def _fresh(self) -> None:
        self.rows = self.size = 0
        self._key: Micros = 0
        self._clock = JumpClock()
        self._before = (self._clock.state, self._key)

    @property
    def rank(self) -> Rank:
        """Where the next row stands in the merge."""
        return (self.keys[self.at], self.spec.name, self.kind, str(self.path))

    @property
    def floor(self) -> Rank:
        """Where the next row of a log without one at hand can stand at the earliest."""
        return (self._key, self.spec.name, self.kind, str(self.path))

    def until(self, other: Rank | None, room: int) -> int:
        """How far into the buffer rows may be taken before another log's next row."""
        stop = min(len(self.keys), self.at + room)
        if other is None:
            return stop
        bisect = bisect_right if self.rank[1:] < other[1:] else bisect_left
        return bisect(self.keys, other[0], self.at, stop)

    def take(self, stop: int) -> Block:
        """The buffered rows up to `stop`."""
        block = self.block if self.at == 0 and stop == len(self.block) else self.block.cut(self.at, stop)
        self.rows += len(block)
        self.size += block.size
        self.at = stop
        return block

    def fill(self) -> bool:
        """Whether a row is buffered, reading on when none is.

        Raises:
            FeedError: the file cannot be read on; the log is ended.
        """
        while self.at == len(self.block) and not self.ended:
            try:
                more = self._read()
            except FeedError:
                self.ended = True
                raise
            if not more:
                return False
        return self.at < len(self.block)

    @abstractmethod
    def _read(self) -> bool:
        """Read on into the buffer; whether to look again, for rows or for the end. False: nothing more for now."""

    def saved(self) -> Saved:
        """The position right after the rows that were taken."""
        state, key = self._before
        clock = JumpClock(*state)
        if self.at:
            clock.run(self.block.stamps[: self.at])
            key = self.keys[self.at - 1]
        return [self.rows, self.size, list(clock.state), key, self._mark()]

    def _mark(self) -> bytes:
        """What the position of this kind of log needs besides."""
        return b""

    def _go_on(self) -> Saved | None:
        saved = self._resume.get(self.source)
        if saved is not None:
            self.rows, self.size, state, self._key, _ = saved
            self._clock = JumpClock(*state)
            self._before = (self._clock.state, self._key)
        return saved

    def _buffer(self, block: Block) -> None:
        self._before = (self._clock.state, self._key)
        self.block, self.at = block, 0
        self.keys = list(accumulate(self._clock.run(block.stamps), max, initial=self._key))[1:]
        if self.keys:
            self._key = self.keys[-1]

    def retire(self) -> None:
        """Keep of an ended log only which one it was."""
        self.close()
        self.block, self.keys, self.at = Block(), [], 0

    @property
    def holds(self) -> bool:
        """Whether the merge must wait for its next row: not before the first one, nor once it was given to its end."""
        return bool(self.source) and not self.again

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""
