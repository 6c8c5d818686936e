"""How common the very values of a row are, among rows that nobody judged.

Machines repeat themselves: a size, a count or a gap that thousands of flows share to the last digit says more than its
magnitude. No label has a part in it.

Rules:
    1. A column that holds more than `FEW` different values gives one measure: log(1 + how many in `PER` rows have this
       very value). Of fewer values a tree can name each by itself.
    2. One more measure is of the whole row: how many in `PER` rows are the same in every column.
    3. Only what came at least twice among the rows is kept, so that memory follows what repeats.

    >>> seen = np.array([[n, 7] for n in range(20)] + [[3, 7]] * 20, np.float32)
    >>> common = Commonness.of(seen)
    >>> common.apply(np.array([[3, 7], [4, 7], [99, 7]], np.float32)).round(1).astype(str).tolist()
    [['6.3', '6.3'], ['0.0', '0.0'], ['0.0', '0.0']]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix

FEW: Final = 8
PER: Final = 1_000

Keys = NDArray[np.uint64]
Table = tuple[NDArray[Any], NDArray[np.float32]]
"""Values in ascending order, and the measure of each."""


@dataclass(frozen=True, slots=True)
class Commonness:
    """What was counted: a table a column (by its place), and that of whole rows."""

    columns: tuple[tuple[int, Table], ...]
    whole: Table

    @classmethod
    def of(cls, rows: Matrix) -> Commonness:
        """Count the values of rows."""
        columns = []
        for place in range(rows.shape[1]):
            values, counts = np.unique(rows[:, place], return_counts=True)
            if len(values) > FEW:
                columns.append((place, _table(values, counts, len(rows))))
        return cls(tuple(columns), _table(*np.unique(keys_of(rows), return_counts=True), len(rows)))

    def apply(self, rows: Matrix) -> Matrix:
        """The measures of rows: one a table, the whole row's last."""
        made = [_looked_up(table, rows[:, place]) for place, table in self.columns]
        return np.column_stack([*made, _looked_up(self.whole, keys_of(rows))])


def keys_of(rows: Matrix) -> Keys:
    """A 64-bit key a row: equal rows have equal keys."""
    bits = (np.ascontiguousarray(rows, np.float32) + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    keys = np.full(len(rows), 0xCBF29CE484222325, np.uint64)
    for column in bits.T:
        # FNV-1a by words, and the high half folded in, so that every bit counts
        keys = (keys ^ column) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(32)
    return keys


def _table(values: NDArray[Any], counts: NDArray[np.int64], rows: int) -> Table:
    often = counts > 1
    return values[often], np.log1p(counts[often] * (PER / rows)).astype(np.float32)


def _looked_up(table: Table, sought: NDArray[Any]) -> NDArray[np.float32]:
    values, measures = table
    if not len(values):
        return np.zeros(len(sought), np.float32)
    places = np.minimum(np.searchsorted(values, sought), len(values) - 1)
    return np.where(values[places] == sought, measures[places], np.float32(0))
