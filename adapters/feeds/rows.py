"""From lines to rows: what the parsers of all line formats share.

Rules:
    1. A parser converts a block of lines column by column. When a block holds a bad row, the block is halved until the
       bad row stands alone and is counted as malformed; its neighbours are not touched.
    2. Lines that are no rows (comments, headers, empty lines) are counted into the size of the next row.
    3. A log's identity is its type and the SHA-256 of its first data row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from adapters.feeds.block import Block
from adapters.feeds.canon import BLANK, Canon, check_ends, states
from adapters.feeds.errors import Malformed
from adapters.feeds.lines import MAX_LINE
from domain.values import Micros

Row = tuple[Any, ...]
Columns = list[Sequence[Any]]

KEPT: Final = 4096
"""Bytes kept of a line that is over the limit."""

NOTHING: Final[dict[str, Any]] = {}
BAD: Final = (ValueError, TypeError, OverflowError, LookupError, RecursionError, msgspec.MsgspecError)


class RowParser(ABC):
    """One log's lines to rows. `kind` is its log type, `source` its identity once the first row was seen.

    `label` is the word before the hash of the identity: the log type if the log itself names it, else the format (a
    file may be renamed).
    """

    asides = frozenset({b""})
    """First bytes of lines that are no rows."""
    strict = True
    """Whether a row must be UTF-8."""

    def __init__(self, kind: str, label: str) -> None:
        self.kind = kind
        self.label = label
        self.source = ""
        self.canon = Canon()
        self.closed = False
        self.contexts: list[tuple[int, bytes]] = []
        self.arrays: dict[str, Any] = {}
        """What `convert` has as arrays too."""
        self.first_context = b""
        self._pending = 0

    def parse(self, lines: list[bytes], sizes: list[int]) -> Block:
        """The rows of a block of lines. `contexts` then tells which header came before which row."""
        block = Block()
        self.contexts = []
        start = 0
        for mark in [*(i for i in self._marks(lines) if self._set_aside(lines[i])), len(lines)]:
            if mark > start:
                sizes[start] += self._pending
                self._pending = 0
                self._rows(lines[start:mark], sizes[start:mark], block)
            if mark < len(lines):
                self._pending += sizes[mark]
                if self.header(lines[mark]):
                    self.contexts.append((len(block), self.context))
            start = mark + 1
        return block

    def _marks(self, lines: list[bytes]) -> list[int]:
        asides = self.asides
        return [i for i, line in enumerate(lines) if line[:1] in asides]

    def _set_aside(self, _line: bytes) -> bool:
        return True

    def header(self, _line: bytes) -> bool:
        """Take note of a line that is no row; whether it changed the context."""
        return False

    @property
    def context(self) -> bytes:
        """What a cursor must keep to go on in the middle of the log, beyond its beginning."""
        return b""

    def restore(self, context: bytes) -> None:  # noqa: ARG002 - for those logs that have one
        """Go on behind a cursor."""
        self._pending, self.contexts = 0, []

    def _rows(self, lines: list[bytes], sizes: list[int], block: Block) -> None:
        self.closed = False
        if not self.source:
            self.first_context = self.context
            self.source = identity(self.label, lines[0])
        self.arrays = {}
        try:
            check_bytes(lines, strict=self.strict)
            columns = self.convert(lines)
        except BAD as error:
            if len(lines) > 1:
                half = len(lines) // 2
                self._rows(lines[:half], sizes[:half], block)
                self._rows(lines[half:], sizes[half:], block)
            else:
                row = malformed(reason_of(error), self.source, sizes[0], self.kind, lines[0])
                block.extend([[value] for value in row], [None], {})
            return
        status, log, ts, *rest = columns
        block.extend((status, [self.source] * len(lines), sizes, log, ts, *rest, lines), ts, self.arrays)

    def reads(self, line: bytes) -> bool:
        """Whether the line is a row that can be read."""
        try:
            check_bytes([line], strict=self.strict)
            self.convert([line])
        except BAD:
            return False
        return True

    @abstractmethod
    def convert(self, lines: list[bytes]) -> Columns:
        """The columns status, log, ts, the canonical ones and detail.

        Raises:
            Malformed: or anything that a wrong value raises, when one row is bad.
        """


def identity(label: str, first: bytes) -> str:
    """The identity of a log of lines: what it is and the SHA-256 of its first row."""
    return f"{label}:{sha256(first).hexdigest()}"


def check_bytes(lines: list[bytes], *, strict: bool) -> None:
    """Refuse what is no text or too long.

    Raises:
        Malformed: a line holds NUL bytes, is over the limit or, if `strict`, not UTF-8.
    """
    block = b"\n".join(lines)
    if b"\0" in block:
        raise Malformed("NUL byte")
    if strict and not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            raise Malformed("not UTF-8") from None
    if len(block) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise Malformed("line over 1 MiB")


def malformed(reason: str, source: str, size: int, kind: str, raw: bytes) -> Row:
    """The row that stands for one that could not be read."""
    return (f"malformed: {reason}", source, size, kind, 0, *BLANK, {}, raw if len(raw) <= MAX_LINE else raw[:KEPT])


def reason_of(error: BaseException) -> str:
    """Why a row is malformed, without its values."""
    return str(error) if isinstance(error, Malformed) else "cannot be read"


def flows(canon: Canon, ts: Sequence[Micros], raw: dict[str, Sequence[Any]]) -> Columns:
    """Columns of conn rows."""
    columns = canon.columns(raw, len(ts))
    columns[-1] = states(columns[-1], raw)
    check_ends(columns)
    return [("",) * len(ts), ("conn",) * len(ts), ts, *columns, (NOTHING,) * len(ts)]


def records(
    canon: Canon, kind: str, ts: Sequence[Micros], raw: dict[str, Sequence[Any]], detail: Sequence[Any]
) -> Columns:
    """Columns of rows of any other log."""
    return [("",) * len(ts), (kind,) * len(ts), ts, *canon.columns(raw, len(ts)), detail]


def by_kind(kinds: Sequence[str], objects: Sequence[Any], convert: Callable[[str, Sequence[Any]], Columns]) -> Columns:
    """Convert rows of mixed types, each type's rows together, and put them back in their order."""
    if len(set(kinds)) == 1:
        return convert(kinds[0], objects)
    places: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    rows: list[Row] = [()] * len(kinds)
    for kind, where in places.items():
        columns = convert(kind, [objects[place] for place in where])
        for place, row in zip(where, zip(*columns, strict=True), strict=True):
            rows[place] = row
    return list(zip(*rows, strict=True))
