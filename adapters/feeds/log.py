"""One log of a feed as the merge sees it: a buffer of rows with monotone keys, and a position that can be saved.

Rules:
    1. The merge key of a row is the highest value that the log's clock had up to it; keys never fall.
    2. `saved` describes the log right after the rows that were taken, wherever the buffer was cut.
    3. A log that was read before, by its identity, goes on where it stood, whatever its file is called now.
    4. EVE is read through `inorder`: its position keeps where sorted chunks end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapters.feeds.block import Block
from adapters.feeds.clock import JumpClock
from adapters.feeds.errors import FeedError
from adapters.feeds.inorder import InOrder, Plan, ends_of, marked
from adapters.feeds.lines import Lines
from adapters.feeds.rows import RowParser, identity
from adapters.feeds.sniff import SNIFFED, choose, log_type
from adapters.feeds.spec import FeedSpec
from adapters.feeds.table import ParquetTable
from domain.values import Micros

Saved = list[Any]
"""rows, size, clock state, key, header in force (empty: the one at the beginning)."""

Rank = tuple[Micros, str, str, str]
"""Merge key, feed, log type, file."""


class Log:
    """See the rules above. `resume` are the saved positions of the feed's logs, by identity.

    `sort` is whether EVE that was not read yet is to be sorted; `chunks` tells by identity where chunks ended when the
    rows that are read again were read first.
    """

    def __init__(
        self,
        spec: FeedSpec,
        path: Path,
        reads: frozenset[str],
        resume: dict[str, Saved],
        *,
        final: bool,
        keep: bool = True,
        sort: bool = False,
        chunks: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    ) -> None:
        self.spec = spec
        self.path = path
        self.kind = log_type(spec, path)
        self.ended = False
        self.again = False
        """Another file gave this log to its end before."""
        self.claim: Callable[[Log], bool] = lambda _log: True
        self.block = Block()
        self.keys: list[Micros] = []
        self.at = 0
        self._reads = reads
        self._resume = resume
        self._source = ""
        self._parser: RowParser | None = None
        self._head: tuple[list[bytes], list[int]] = ([], [])
        self._table = ParquetTable(path, reads, spec.mapping) if spec.kind == "parquet" else None
        self._sort, self._chunks = sort, chunks
        self.lines = None if self._table else self._open(final=final, keep=keep)
        self._fresh()

    def _open(self, *, final: bool, keep: bool) -> Lines:
        if self.spec.kind == "eve":
            return InOrder(self.path, self._plan, final=final, keep=keep)
        return Lines(self.path, final=final, keep=keep)

    def _plan(self, first: bytes) -> Plan:
        source = identity(self.kind, first)
        saved = self._resume.get(source)
        ends = self._chunks.get(source) or (ends_of(saved) if saved else ())
        if self._sort and saved and saved[1] > max(ends, default=0):
            ends = (*ends, saved[1])  # what was read as it was written is behind us
        return ends, self._sort

    def _fresh(self) -> None:
        self.rows = self.size = self._skip = 0
        self._key: Micros = 0
        self._clock = JumpClock()
        self._before = (self._clock.state, self._key)
        self._first: bytes | None = None
        self._contexts: list[tuple[int, bytes]] = []

    @property
    def source(self) -> str:
        """Identity of the log; empty before its first row was seen."""
        part = self._table or self._parser
        return part.source if part else self._source

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
                found = self._read_table() if self._table else self._read_lines()
            except FeedError:
                self.ended = True
                raise
            if found is None:
                return False
        return self.at < len(self.block)

    def saved(self) -> Saved:
        """The position right after the rows that were taken."""
        state, key = self._before
        clock = JumpClock(*state)
        if self.at:
            clock.run(self.block.stamps[: self.at])
            key = self.keys[self.at - 1]
        if isinstance(self.lines, InOrder) and self.lines.ends:
            return [self.rows, self.size, list(clock.state), key, marked(self.lines.ends)]
        context = next((text for row, text in reversed(self._contexts) if row < self.at), b"")
        return [self.rows, self.size, list(clock.state), key, b"" if context == self._first else context]

    def _read_table(self) -> bool | None:
        assert self._table is not None  # noqa: S101 - narrows the type; the caller just looked
        block = self._table.take()
        if not block:
            self.ended = True
            return None
        if self._first is None:
            self._first = b""
            if not self.claim(self):
                self.ended = True
                return None
            self._go_on()
        skip = min(self._skip, len(block))
        self._skip -= skip
        self._buffer(block.cut(skip, len(block)) if skip else block)
        return True

    def _read_lines(self) -> bool | None:
        assert self.lines is not None  # noqa: S101 - narrows the type; a log has lines or a table
        lines, sizes = self.lines.take()
        if not lines:
            closed = self.lines.final or self.lines.gzip_ended or (self._parser is not None and self._parser.closed)
            if closed and self._parser is None and self._head[0]:
                self._choose(final=True)
            self.ended = closed
            return None
        if self._parser is None:
            self._head = (self._head[0] + lines, self._head[1] + sizes)
            if not self._choose(final=self.lines.final):
                return True
            lines, sizes = self._head
        return self._parse(lines, sizes)

    def _choose(self, *, final: bool) -> bool:
        self._parser = choose(self.spec, self.path, self._head[0], self._reads, final=final)
        if self._parser is None and len(self._head[0]) > SNIFFED:
            self._head = (self._head[0][:SNIFFED], self._head[1][:SNIFFED])
        if self._parser is not None and isinstance(self.lines, InOrder):
            self._parser.source = identity(self._parser.kind, self.lines.first)  # sorted, another row may come first
        return self._parser is not None

    def _parse(self, lines: list[bytes], sizes: list[int]) -> bool:
        parser = self._parser
        assert parser is not None and self.lines is not None  # noqa: S101, PT018 - chosen by the caller
        before = parser.context if self._first is not None else None
        block = parser.parse(lines, sizes)
        self.kind = parser.kind
        if self._first is None and parser.source:
            self._first = parser.first_context
            if not self.claim(self):
                self.ended = True
                return False
            if (saved := self._go_on()) is not None:
                parser.restore(saved[4] or self._first)
                self.lines.seek(saved[1])
                self._contexts = [(-1, saved[4] or self._first)]
                return True
        contexts = ([] if before is None else [(-1, before)]) + parser.contexts
        self._buffer(block)
        self._contexts = contexts
        return True

    def _go_on(self) -> Saved | None:
        saved = self._resume.get(self.source)
        if saved is None:
            return None
        self.rows, self.size, state, self._key, _ = saved
        self._skip = self.rows
        self._clock = JumpClock(*state)
        self._before = (self._clock.state, self._key)
        return saved

    def _buffer(self, block: Block) -> None:
        self._before = (self._clock.state, self._key)
        self.block, self.at = block, 0
        self.keys = list(accumulate(self._clock.run(block.stamps), max, initial=self._key))[1:]
        if self.keys:
            self._key = self.keys[-1]

    def restart(self) -> None:
        """Begin anew: the file was cut in place, what comes is another log."""
        assert self.lines is not None  # noqa: S101 - only files of lines are followed
        if isinstance(self.lines, InOrder):
            self.lines.forget()
        self.lines.seek(0)
        self._parser, self._head = None, ([], [])
        self._fresh()
        self._buffer(Block())

    def retire(self) -> None:
        """Keep of an ended log only which one it was."""
        self.close()
        self._source, self._parser, self._table, self._head = self.source, None, None, ([], [])
        self.block, self.keys, self.at = Block(), [], 0

    @property
    def holds(self) -> bool:
        """Whether the merge must wait for its next row: not before the first one, nor once it was given to its end."""
        return bool(self.source) and not self.again

    def close(self) -> None:
        """Let go of the file."""
        self.ended = True
        for part in (self._table, self.lines):
            if part is not None:
                part.close()
