"""The kernels of `Ranks`: tables of reference scores in blocks, a column a model (see `engine.rows`).

Rules:
    1. `counts` holds of every reference score how many of its model and place are at least as high, itself included.
    2. A new row joins the bag of its place before anything is ranked, see `consensus`.
    3. Where nobody abstained and the models are odd in number, a median is at most a value if more than half of the
       numbers are: then nothing is divided and nothing sorted. All else takes the way of `by_median`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.jit import jit
from engine.rows import BLOCK


class Table(NamedTuple):
    """Scores and counts in blocks, the blocks of each place, and how many rows it has."""

    known: NDArray[np.float32]
    counts: NDArray[np.uint16]
    blocks: NDArray[np.int32]
    used: NDArray[np.int32]


class Sheet(NamedTuple):
    """What `judge` writes on.

    Attributes:
        below: of each new row, how many medians are at most its own, its own included.
        shares: of each new row, the p-value of each model; NaN where it abstained.
        votes, block: numbers of one block of rows; `above`, `told` and `own` of one row.
    """

    below: NDArray[np.int64]
    shares: NDArray[np.float64]
    votes: NDArray[np.int32]
    block: NDArray[np.float64]
    above: NDArray[np.int64]
    told: NDArray[np.int64]
    own: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int, models: int) -> Sheet:
        """For so many new rows and models."""
        counts, numbers = np.empty((2, models), np.int64), np.empty((models, BLOCK))
        answer = np.empty(rows, np.int64), np.empty((rows, models))
        return cls(*answer, np.empty(BLOCK, np.int32), numbers, counts[0], counts[1], np.empty(models))


@jit
def judge(t: Any, places: Any, rows: Any, s: Any) -> None:
    """Fill the sheet: a new row at each place."""
    for k in range(len(places)):
        place = np.int64(places[k])
        if survey(t, place, rows[k], s, s.shares[k]):
            s.below[k] = by_majority(t, place, rows[k], s)
        else:
            s.below[k] = by_median(t, place, rows[k], s, s.shares[k])


@jit
def survey(t: Any, place: Any, row: Any, s: Any, share: Any) -> Any:
    """Count the scores at least as high as each new one, and those told at all; True: nobody abstained, models odd."""
    used, whole = rows_of(t, place), len(row) % 2 == 1
    for m in range(len(row)):
        above, told, score = 1, 1, row[m]
        for begin in range(0, used, BLOCK):
            known = t.known[t.blocks[place, begin // BLOCK], m]
            for i in range(size_of(used, begin)):
                above += known[i] >= score
                told += not np.isnan(known[i])
        silent = np.isnan(score)
        whole = whole and told == used + 1 and not silent
        s.above[m], s.told[m] = above, told - silent
        share[m] = np.nan if silent else above / told
    return whole


@jit
def rows_of(t: Any, place: Any) -> Any:
    """How many rows there are at a place."""
    return np.int64(t.used[place])


@jit
def size_of(used: Any, begin: Any) -> Any:
    """How many of them are in the block that begins there."""
    return min(BLOCK, used - begin)


@jit
def by_majority(t: Any, place: Any, row: Any, s: Any) -> Any:
    """How many medians are at most that of the new row, its own included: by counts alone."""
    used, models, below = rows_of(t, place), len(row), 1
    bound = middle(s.above, models)
    for begin in range(0, used, BLOCK):
        block, size = t.blocks[place, begin // BLOCK], size_of(used, begin)
        for i in range(size):
            s.votes[i] = 0
        for m in range(models):
            known, counts, score = t.known[block, m], t.counts[block, m], row[m]
            for i in range(size):
                s.votes[i] += np.int64(counts[i]) + (known[i] <= score) <= bound
        for i in range(size):
            below += 2 * s.votes[i] > models
    return below


@jit
def middle(numbers: Any, models: Any) -> Any:
    """The median of an odd number of numbers."""
    for one in range(models):
        less, equal = 0, 0
        for other in range(models):
            less += numbers[other] < numbers[one]
            equal += numbers[other] == numbers[one]
        if less <= models // 2 < less + equal:
            return numbers[one]
    return numbers[0]


@jit
def by_median(t: Any, place: Any, row: Any, s: Any, share: Any) -> Any:
    """The same where models abstained or are even in number: every row's p-values, sorted in place."""
    used, models, below = rows_of(t, place), len(row), 1
    size = 0
    for m in range(models):
        size = enter(s.own, size, share[m])
    new = median(s.own, size)
    for begin in range(0, used, BLOCK):
        block, rows = t.blocks[place, begin // BLOCK], size_of(used, begin)
        for m in range(models):
            known, counts, score, told = t.known[block, m], t.counts[block, m], row[m], s.told[m]
            for i in range(rows):
                s.block[m, i] = np.nan if np.isnan(known[i]) else (counts[i] + (score >= known[i])) / told
        for i in range(rows):
            below += at_most(s.block[:, i], s.own, new)
    return below


@jit
def at_most(shares: Any, own: Any, bound: Any) -> Any:
    """Whether the median of p-values (NaN: none) is at most a bound; sorts them only where it must."""
    told, low, total = 0, 0, 0.0
    for m in range(len(shares)):
        share = shares[m]
        told += not np.isnan(share)
        low += share <= bound
        total += 0.0 if np.isnan(share) else share
    if told % 2:
        return 2 * low > told
    if told == 2:
        return 0.5 * total <= bound
    size = 0
    for m in range(len(shares)):
        size = enter(own, size, shares[m])
    return median(own, size) <= bound


@jit
def enter(own: Any, size: Any, share: Any) -> Any:
    """Put a p-value in its place among those before it (NaN has none); how many there are now."""
    if np.isnan(share):
        return size
    place = size
    while place > 0 and own[place - 1] > share:
        own[place] = own[place - 1]
        place -= 1
    own[place] = share
    return size + 1


@jit
def median(own: Any, size: Any) -> Any:
    """The median of numbers in order; 1 of none."""
    return 1.0 if size == 0 else 0.5 * (own[(size - 1) // 2] + own[size // 2])


@jit
def count_in(t: Any, places: Any) -> None:
    """Count the newest row of each place into the ranks of those before it, and them into its own."""
    for k in range(len(places)):
        place = np.int64(places[k])
        last = rows_of(t, place) - 1
        for m in range(t.known.shape[1]):
            score, own = t.known[t.blocks[place, last // BLOCK], m, last % BLOCK], 1
            for begin in range(0, last, BLOCK):
                block = t.blocks[place, begin // BLOCK]
                known, counts = t.known[block, m], t.counts[block, m]
                for i in range(size_of(last, begin)):
                    counts[i] += score >= known[i]
                    own += known[i] >= score
            t.counts[t.blocks[place, last // BLOCK], m, last % BLOCK] = own


@jit
def rank(t: Any, place: Any) -> None:
    """Count all rows of a place anew."""
    used = rows_of(t, place)
    for m in range(t.known.shape[1]):
        for i in range(used):
            score, own = t.known[t.blocks[place, i // BLOCK], m, i % BLOCK], 0
            for begin in range(0, used, BLOCK):
                known = t.known[t.blocks[place, begin // BLOCK], m]
                for j in range(size_of(used, begin)):
                    own += known[j] >= score
            t.counts[t.blocks[place, i // BLOCK], m, i % BLOCK] = own
