"""Rows of one log, column by column, on their way from the parser to the frame.

Rules:
    1. A row's values are those of `PART`, one list a column; its *stamp* is the time by which it is merged, None when
       it has none.
    2. A column may be there as an array too (`arrays`, see `engine.frame`); it then says the same as the list.
    3. A block is not changed once it was handed on: `cut` copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.values import Micros
from engine.frame import COLUMNS, cut

PART: Final = tuple(name for name in COLUMNS if name not in {"order", "row", "clock", "late"})
"""status, source, size, log, ts, the canonical columns, detail, raw."""

SIZE: Final = PART.index("size")


@dataclass(slots=True)
class Block:
    """See the rules above."""

    columns: list[list[Any]] = field(default_factory=lambda: [[] for _ in PART])
    stamps: list[Micros | None] = field(default_factory=list)
    arrays: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def size(self) -> int:
        """Uncompressed bytes of all rows."""
        total: int = sum(self.columns[SIZE])
        return total

    def extend(self, columns: Sequence[Sequence[Any]], stamps: Sequence[Micros | None], arrays: dict[str, Any]) -> None:
        """Further rows at the end."""
        # arrays of parts are not joined: who needs them makes them of the lists
        self.arrays = arrays if not self.stamps else {}
        for mine, more in zip(self.columns, columns, strict=True):
            mine.extend(more)
        self.stamps.extend(stamps)

    def join(self, other: Block) -> None:
        """The rows of another block at the end."""
        self.extend(other.columns, other.stamps, other.arrays)

    def cut(self, start: int, stop: int) -> Block:
        """Rows `start` to `stop` (exclusive) as a block of their own."""
        columns = [column[start:stop] for column in self.columns]
        arrays = {name: cut(array, start, stop) for name, array in self.arrays.items()}
        return Block(columns, self.stamps[start:stop], arrays)
