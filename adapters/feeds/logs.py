"""The two kinds of logs: files of lines (plain or gzip, that may be followed), and Parquet tables.

Rules:
    1. Which parser reads a file of lines is chosen from its first lines; until then they are kept as its head.
    2. What a log is, is known with its first row. Then it is asked whether it is to be read (`claim`), and it goes on
       where that log stood.
    3. EVE is read through `inorder`: its position keeps where sorted chunks end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from adapters.feeds.block import Block
from adapters.feeds.eve import EVE
from adapters.feeds.inorder import InOrder, Plan, ends_of, marked
from adapters.feeds.lines import Lines, always
from adapters.feeds.log import Log, Saved, known_as
from adapters.feeds.rows import RowParser, identity
from adapters.feeds.sniff import SNIFFED, choose, log_type
from adapters.feeds.spec import FeedSpec
from adapters.feeds.table import ParquetTable


class TextLog(Log):
    """A file of lines.

    `sort` is whether EVE that was not read yet is to be sorted; `chunks` tells by identity where chunks ended when the
    rows that are read again were read first.
    """

    lines: Lines

    def __init__(
        self,
        spec: FeedSpec,
        path: Path,
        resume: dict[str, Saved],
        *,
        final: bool,
        keep: bool,
        sort: bool,
        chunks: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(spec, path, log_type(spec, path), resume)
        self._sort, self._chunks = sort, chunks
        self._forget()
        # what a rotation left unfinished stays so: it is a row, a malformed one
        judge = self._is_whole if final else always
        if spec.kind == "eve":
            self.lines = InOrder(path, self._plan, final=final, keep=keep)
        else:
            self.lines = Lines(path, final=final, keep=keep, whole=judge)

    def _forget(self) -> None:
        """Nothing of the file was seen yet."""
        self._parser: RowParser | None = None
        self._head: tuple[list[bytes], list[int]] = ([], [])
        self._first: bytes | None = None
        self._contexts: list[tuple[int, bytes]] = []

    def _plan(self, first: bytes) -> Plan:
        source = known_as(identity(EVE, first), self._resume)
        saved = self._resume.get(source)
        ends = self._chunks.get(source) or (ends_of(saved) if saved else ())
        if self._sort and saved and saved[1] > max(ends, default=0):
            ends = (*ends, saved[1])  # what was read as it was written is behind us
        return ends, self._sort

    def _is_whole(self, line: bytes) -> bool:
        """Whether the last line of the file, which has no end, is all there; what is no row is none in part either."""
        return self._parser is None or line[:1] in self._parser.asides or self._parser.reads(line)

    def _read(self) -> bool:
        lines, sizes = self.lines.take()
        if not lines:
            closed = self.lines.final or self.lines.gzip_ended or (self._parser is not None and self._parser.closed)
            if closed and self._parser is None and self._head[0]:
                self._choose(final=True)
            self.ended = closed
            return False
        parser = self._parser
        if parser is None:
            self._head = (self._head[0] + lines, self._head[1] + sizes)
            parser = self._choose(final=self.lines.final)
            lines, sizes = self._head
        if parser is not None:
            self._parse(parser, lines, sizes)
        return True

    def _choose(self, *, final: bool) -> RowParser | None:
        parser = choose(self.spec, self.path, self._head[0], final=final)
        if parser is None and len(self._head[0]) > SNIFFED:
            self._head = (self._head[0][:SNIFFED], self._head[1][:SNIFFED])
        if parser is not None and isinstance(self.lines, InOrder):
            parser.source = identity(EVE, self.lines.first)  # sorted, another row may come first
        self._parser = parser
        return parser

    def _parse(self, parser: RowParser, lines: list[bytes], sizes: list[int]) -> None:
        before = parser.context if self._first is not None else None
        block = parser.parse(lines, sizes)
        self.kind = parser.kind
        if self._first is None and parser.source:
            self.source = parser.source = known_as(parser.source, self._resume)
            self._first = first = parser.first_context
            if not self.claim(self):
                self.ended = True
                return
            if (saved := self._go_on()) is not None:
                context = saved[4] or first
                parser.restore(context)
                self.lines.seek(saved[1])
                self._contexts = [(-1, context)]
                return
        contexts = ([] if before is None else [(-1, before)]) + parser.contexts
        self._buffer(block)
        self._contexts = contexts

    def _mark(self) -> bytes:
        if isinstance(self.lines, InOrder) and self.lines.ends:
            return marked(self.lines.ends)
        context = next((text for row, text in reversed(self._contexts) if row < self.at), b"")
        return b"" if context == self._first else context

    def restart(self) -> None:
        """Begin anew: the file was cut in place, what comes is another log."""
        if isinstance(self.lines, InOrder):
            self.lines.forget()
        self.lines.seek(0)
        self.source = ""
        self._forget()
        self._fresh()
        self._buffer(Block())

    def retire(self) -> None:
        """See `Log`."""
        super().retire()
        self._parser, self._head = None, ([], [])

    def close(self) -> None:
        """See `Log`."""
        self.ended = True
        self.lines.close()


class TableLog(Log):
    """A Parquet table."""

    def __init__(self, spec: FeedSpec, path: Path, resume: dict[str, Saved]) -> None:
        super().__init__(spec, path, log_type(spec, path), resume)
        self._table = ParquetTable(path, spec.mapping)
        self._skip = 0
        """Rows to be passed over: they were taken before."""

    def _read(self) -> bool:
        block = self._table.take()
        if not block:
            self.ended = True
            return False
        if not self.source:
            self.source = self._table.source
            if not self.claim(self):
                self.ended = True
                return False
            if self._go_on() is not None:
                self._skip = self.rows
        skip = min(self._skip, len(block))
        self._skip -= skip
        self._buffer(block.cut(skip, len(block)) if skip else block)
        return True

    def retire(self) -> None:
        """See `Log`."""
        super().retire()
        del self._table  # what it knows of the file is large

    def close(self) -> None:
        """See `Log`."""
        self.ended = True
        self._table.close()


def open_log(
    spec: FeedSpec,
    path: Path,
    resume: dict[str, Saved],
    *,
    final: bool,
    keep: bool = True,
    sort: bool = False,
    chunks: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> Log:
    """Open a file of a feed; see the kinds.

    Raises:
        FeedError: it cannot be opened, or is not what it is said to be.
    """
    if spec.kind == "parquet":
        return TableLog(spec, path, resume)
    return TextLog(spec, path, resume, final=final, keep=keep, sort=sort, chunks=chunks)
