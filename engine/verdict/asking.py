"""Which rows of a block to ask a verdict about, so that few verdicts teach much and still count honestly.

Rules:
    1. Most questions go where the answer is least known: a row is asked about with a chance that falls with its rank
       from the threshold, by e for every `REACH` of the block. Ranks, not log-odds: of few verdicts a model becomes too
       sure, and its log-odds would leave a handful of rows worth a question. [Lewis, Gale: A sequential algorithm for
       training text classifiers, SIGIR 1994]
    2. Some go to rows that look most novel among what was called normal, and some to any row: a model that is sure and
       wrong is found out by these only.
    3. What was judged already teaches little: a row that repeats others of its block, or rows judged before, shares its
       chance with them.
    4. The chance of every row is known and above 0: one over it is the row's weight wherever rows are counted.
       [Horvitz, Thompson, Journal of the American Statistical Association 1952]

    >>> chance = chances(np.array([0.0, 9.0, -9.0, 0.5]), np.array([0.5, 0.5, 0.01, 0.5]), np.ones(4, int), 2)
    >>> chance.round(2).tolist(), round(float(chance.sum()), 9)
    ([1.0, 0.14, 0.71, 0.14], 2.0)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

UNCERTAIN: Final = 0.7
NOVEL: Final = 0.15
"""Shares of the questions; what is left goes to any row."""

REACH: Final = 0.03
POOL: Final = 0.1
"""Novel are this share of a block's rows, the most novel of those called normal."""


def draw(random: np.random.Generator, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index (ascending) of rows drawn with these chances, as many as the chances add up to.

    Systematic sampling in random order: every row's chance is met exactly. [Madow, Annals of Mathematical Statistics
    1949]
    """
    count = round(float(chance.sum()))
    order = random.permutation(len(chance))
    reached = np.cumsum(chance[order])
    places = np.searchsorted(reached * (count / reached[-1]), random.random() + np.arange(count), side="right")
    return np.sort(order[np.unique(np.minimum(places, len(chance) - 1))])


def chances(
    distance: NDArray[np.float64], novelty: NDArray[np.float64], alike: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """The chance of every row of a block to be asked about; they add up to `count`.

    Args:
        distance: score less threshold; below 0 a row was called normal.
        novelty: a p-value a row; the lower, the more novel.
        alike: how many rows of the block and of those judged are the same as this one, itself among them.
        count: questions, fewer than rows.
    """
    size = len(distance)
    novel = np.zeros(size)
    called_normal = np.flatnonzero(distance < 0)
    novel[called_normal[np.argsort(novelty[called_normal], kind="stable")[: max(1, round(POOL * size))]]] = 1.0
    order = np.argsort(np.abs(distance), kind="stable")
    rank = np.empty(size)
    rank[order] = np.cumsum(1.0 / alike[order])
    wish = UNCERTAIN * _share(np.exp(-rank / (REACH * size)) / alike)
    wish += NOVEL * _share(novel / alike)
    wish += (1.0 - UNCERTAIN - NOVEL) / size
    return _capped(wish, count)


def alike(keys: NDArray[np.uint64], judged: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many rows of a block and of those judged have the key of each row of the block.

    >>> alike(np.array([5, 5, 9], np.uint64), np.array([9, 9, 4], np.uint64)).tolist()
    [2, 2, 3]
    """
    _, places, here = np.unique(keys, return_inverse=True, return_counts=True)
    before = np.sort(judged)
    return here[places] + np.searchsorted(before, keys, "right") - np.searchsorted(before, keys, "left")


def _share(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(parts.sum())
    return parts / total if total else np.full(len(parts), 1.0 / len(parts))


def _capped(wish: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Chances in proportion to the wish, none above 1, that add up to `count`."""
    certain = np.zeros(len(wish), bool)
    while True:
        chance = np.where(certain, 1.0, wish * ((count - certain.sum()) / wish[~certain].sum()))
        beyond = chance > 1.0
        if not beyond.any():
            return chance
        certain |= beyond
