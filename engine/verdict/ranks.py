"""The consensus against reference rows that stay: ranked once, so that each new row costs a pass and no sorting.

Rules:
    1. `Ranks.consensus(places, rows)` is, of each place, `consensus(its rows, the new row)` to the last bit (a test
       holds it): for all hosts that are judged together at once.
    2. What is kept of a reference score is how many scores of its model are at least as high; one more row (`add`)
       counts itself into these numbers.
    3. There are ranks for every host: scores are kept in single precision, which they are rounded to anyway, and counts
       in 16 bits.
"""

from __future__ import annotations

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.rows import Places, Rows
from engine.verdict.consensus import DIGITS


class Found(NamedTuple):
    """What came of rows judged together: the consensus p-values, and a p-value for each model (NaN: it abstained)."""

    p: list[float]
    shares: NDArray[np.float64]

    def votes(self, k: int) -> tuple[float | None, ...]:
        """The p-values of the models about the `k`-th row, as they are recorded."""
        return tuple([None if isnan(share) else round(share, DIGITS) for share in self.shares[k].tolist()])


class Ranks(Rows):
    """Reference rows of many places, one column a model (NaN: it abstained), with the rank of every score."""

    def __init__(self, models: int, size: int) -> None:
        # numba comes with the kernels: who judges nobody does not pay for it
        from engine.verdict import ranking

        super().__init__(models, size)
        self._kernels = ranking
        self._counts = np.zeros((0, models, self._block), np.uint16)

    def add(self, places: Places, rows: NDArray[np.floating]) -> None:
        """One more reference row at each of these places, of which none is full."""
        self.keep(places, rows)
        self._kernels.count_in(self._table(), places)

    def put(self, place: int, rows: NDArray[np.floating], turn: int) -> None:
        """Let these rows take the place of all that are there."""
        super().put(place, rows, turn)
        self._kernels.rank(self._table(), place)

    def drop(self, column: int) -> None:
        """Forget what one model said."""
        super().drop(column)
        self._counts = np.delete(self._counts, column, axis=1)

    def consensus(self, places: Places, rows: NDArray[np.float64]) -> Found:
        """The consensus about one new row at each of these places."""
        sheet = self._kernels.Sheet.of(*rows.shape)
        self._kernels.judge(self._table(), places, rows, sheet)
        pairs = zip(sheet.below.tolist(), (self.used[places] + 1).tolist(), strict=True)
        return Found([round(below / size, DIGITS) for below, size in pairs], sheet.shares)

    def _table(self) -> object:
        if len(self._counts) < len(self._data):
            self._counts = self._grown(self._counts, len(self._data))
        return self._kernels.Table(self._data, self._counts, self._blocks, self.used)
