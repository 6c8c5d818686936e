"""Levels and thresholds that verdicts track, so that false alarms come at the promised rate.

Rules:
    1. It is fed by verdicts only. Traffic that nobody flagged proves nothing: missed attacks among it would teach the
       threshold to miss them.
    2. A verdict batch tells the share of false alarms among harmless entities, `error`. The level moves against what
       was too much or too little: `level += step * (target - error)`, within its bounds. Whatever the data do, the mean
       error stays within (bounds + step) / (step * batches) of the target as long as the bounds are not met.
       [Gibbs, Candes: Adaptive conformal inference under distribution shift, NeurIPS 2021]

    >>> tracker = Tracker.at(0.01)
    >>> tracker.learn(0.03)      # three times as many false alarms as promised
    >>> tracker.level
    0.008
    >>> tracker.learn(0.0)
    >>> tracker.level
    0.009
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

STEP: Final = 0.1
LEAST: Final = 0.25
"""The level stays above a quarter of the target, and below `most` times it: verdicts neither silence nor drown it."""


class Tracker(msgspec.Struct, array_like=True):
    """The level in force, and what it aims at. Plain numbers: dumped and loaded as they are."""

    target: float
    level: float
    most: float = 2.0
    verdicts: int = 0

    @classmethod
    def at(cls, target: float, most: float = 2.0) -> Tracker:
        """A tracker that nothing taught yet: the level is the target, and may become `most` times as high."""
        return cls(target, target, most)

    def learn(self, error: float, verdicts: int = 1, *, weight: float = 1.0) -> None:
        """Take in the share of false alarms that a batch of `verdicts` verdicts showed; unsure ones weigh less."""
        moved = self.level + STEP * weight * (self.target - error)
        self.level = round(min(max(moved, LEAST * self.target), self.most * self.target), 9)
        self.verdicts += verdicts


def weighted_error(flagged: Sequence[bool], weights: Sequence[float]) -> float:
    """The share of false alarms among harmless rows, of which only some were asked about.

    Args:
        flagged: for every harmless row that was asked about, whether it had been flagged.
        weights: one over the probability with which the row was asked about. [Horvitz, Thompson, JASA 1952]

    >>> weighted_error([True, False, False], [2.0, 10.0, 88.0])
    0.02
    """
    total = sum(weights)
    return sum(w for w, hit in zip(weights, flagged, strict=True) if hit) / total if total else 0.0


RECENT: Final = 0.5
"""Share of the harmless verdicts, the last ones, that a threshold rests on: models and traffic move on."""

FEWEST: Final = 30
LEAST_WINDOW: Final = 200

PRIOR: Final = 6.0
"""Weight of the first threshold, in harmless rows beyond it: a quantile is as sure as what lies beyond it."""


class Threshold(msgspec.Struct, array_like=True):
    """The score from which a model's word counts: the quantile, at the tracked level, of what harmless rows scored.

    Every score in it was given before the model knew the verdict; a row weighs one over the probability with which it
    was asked about. Few verdicts move it little: it lies between `first` and the quantile, as much nearer to the latter
    as (effectively) more rows lie at or beyond it. [Kish: Survey sampling, 1965, for the effective number]

    >>> threshold = Threshold(Tracker.at(0.01), first=1.0)
    >>> threshold.value()                                   # too few verdicts yet
    1.0
    >>> threshold.learn([s / 1000 for s in range(1000)], [1.0] * 1000)
    >>> round(threshold.value(), 3)                         # 5 of the last 500 lie beyond .995
    0.998
    """

    tracker: Tracker
    first: float
    scores: list[float] = []
    weights: list[float] = []

    def value(self) -> float:
        """The threshold in force; `first` until `FEWEST` harmless rows were judged."""
        if len(self.scores) < FEWEST:
            return self.first
        recent = max(LEAST_WINDOW, int(len(self.scores) * RECENT))
        scores, weights = self.scores[-recent:], self.weights[-recent:]
        pairs = sorted(zip(scores, weights, strict=True), reverse=True)
        reached = list(accumulate(weight for _, weight in pairs))
        place = bisect_left(reached, self.tracker.level * reached[-1] * (1.0 - 1e-9))
        beyond = [weight for _, weight in pairs[: place + 1]]
        effective = sum(beyond) ** 2 / sum(weight * weight for weight in beyond)
        sure = effective / (effective + PRIOR)
        return sure * pairs[min(place, len(pairs) - 1)][0] + (1.0 - sure) * self.first

    def learn(self, scores: Sequence[float], weights: Sequence[float]) -> None:
        """Take in what harmless rows had scored before their verdicts; the tracker learns of the false alarms."""
        if len(self.scores) >= FEWEST and scores:
            bound = self.value()
            self.tracker.learn(weighted_error([score >= bound for score in scores], weights), len(scores))
        self.scores += scores
        self.weights += weights
