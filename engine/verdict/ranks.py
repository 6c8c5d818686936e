"""The consensus against reference rows that stay: ranked once, so that each new row costs a pass and no sorting.

Rules:
    1. `Ranks.consensus(row)` is `consensus(known, row)` to the last bit (a test holds it).
    2. What is kept of a reference score is how many scores of its model are at least as high; one more row (`add`)
       counts itself into these numbers.
    3. There are ranks for every host: scores are kept in single precision, which they are rounded to anyway, and counts
       in 16 bits.
"""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.compiled import compiled
from engine.verdict.consensus import DIGITS, Consensus


class Ranks:
    """Reference rows, one column a model (NaN: it abstained), with the rank of every score."""

    def __init__(self, known: NDArray[np.float64], room: int) -> None:
        rows, models = known.shape
        self._size = 0
        self._known = np.empty((max(room, rows), models), np.float32)
        self._counts = np.zeros((max(room, rows), models), np.uint16)
        self._told = np.zeros(models, np.int64)
        self._shares, self._below = np.empty(models), np.zeros(1, np.int64)
        for row in known:
            self.add(row)

    def __len__(self) -> int:
        return self._size

    def add(self, row: NDArray[np.float64]) -> None:
        """One more reference row."""
        self._known[self._size] = row
        compiled(_add)(self._known, self._counts, self._told, self._size)
        self._size += 1

    def consensus(self, row: NDArray[np.float64]) -> Consensus:
        """The consensus about a new row."""
        compiled(_judge)(self._known[: self._size], self._counts, self._told, row, self._shares, self._below)
        votes = tuple([None if isnan(share) else round(share, DIGITS) for share in self._shares.tolist()])
        return Consensus(round(self._below.item() / (self._size + 1), DIGITS), votes)


def _add(known: Any, counts: Any, told: Any, size: int) -> None:
    """Count the row at `size` into the ranks of those before it, and them into its own."""
    for m in range(known.shape[1]):
        score = known[size, m]
        if np.isnan(score):
            continue
        told[m] += 1
        own = 1
        for i in range(size):
            if score >= known[i, m]:
                counts[i, m] += 1
            if known[i, m] >= score:
                own += 1
        counts[size, m] = own


def _judge(known: Any, counts: Any, told: Any, row: Any, shares: Any, below: Any) -> None:  # noqa: PLR0917, C901 - numba
    """Fill `shares` (the p-value of each model), and `below` with how many medians are at most that of `row`.

    Row -1 stands for the new row. The median is of few numbers, sorted in place.
    """
    rows, models = known.shape
    sizes, own = np.empty(models), np.empty(models)
    for m in range(models):
        sizes[m] = told[m] if np.isnan(row[m]) else told[m] + 1
        above = 1
        for i in range(rows):
            above += known[i, m] >= row[m]
        shares[m] = np.nan if np.isnan(row[m]) else above / sizes[m]
    new, below[0] = 1.0, 1
    for i in range(-1, rows):
        size = 0
        for m in range(models):
            if i < 0:
                share = shares[m]
            elif np.isnan(known[i, m]):
                share = np.nan
            else:
                share = (counts[i, m] + (row[m] >= known[i, m])) / sizes[m]
            if np.isnan(share):
                continue
            place = size
            while place > 0 and own[place - 1] > share:
                own[place] = own[place - 1]
                place -= 1
            own[place] = share
            size += 1
        median = 1.0 if size == 0 else 0.5 * (own[(size - 1) // 2] + own[size // 2])
        if i < 0:
            new = median
        elif median <= new:
            below[0] += 1
