"""The level that verdicts track: how strict a threshold must be for its false alarms to come at the promised rate.

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
    0.009
    >>> tracker.learn(0.0)
    >>> tracker.level
    0.0095
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

STEP: Final = 0.05
ROOM: Final = 10.0
"""The level stays between a tenth and the double of the target: a few verdicts neither silence it nor open it wide."""


class Tracker(msgspec.Struct, array_like=True):
    """The level in force, and what it aims at. Plain numbers: dumped and loaded as they are."""

    target: float
    level: float
    verdicts: int = 0

    @classmethod
    def at(cls, target: float) -> Tracker:
        """A tracker that nothing taught yet: the level is the target."""
        return cls(target, target)

    def learn(self, error: float, verdicts: int = 1) -> None:
        """Take in the share of false alarms that a batch of `verdicts` verdicts showed."""
        moved = self.level + STEP * (self.target - error)
        self.level = round(min(max(moved, self.target / ROOM), 2.0 * self.target), 9)
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
