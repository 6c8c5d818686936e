"""The baseline of a host in one profile, taken out of the table of all (`pasts`) for what happens seldom: verdicts.

Rules:
    1. A window that a verdict called harmless is learned as often as it takes for the same window to raise no alarm,
       less often if the operator was not sure.
    2. When the verdict is taken back, it is forgotten, and what had made room for it is known again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.sighting import Feature
from engine.models.conformal import Ring
from engine.models.reading import FEATURES
from engine.sensed import Judged

EXPLAINED: Final = 5
LEAST_DEVIATION: Final = 0.01
"""Deviation that counts as none: below it a feature that never moved would seem infinitely far off."""

STEADY: Final = 20.0
"""Most deviations (MAD) that a feature without a spread counts: strong, not extreme (`engine.verdict.severity`)."""

ACCEPTED: Final = 64
"""Verdicts of a host and profile that can still be taken back: the latest."""

Vector = Sequence[float] | NDArray[np.floating]


class Accepted(msgspec.Struct, array_like=True):
    """A window that was learned because a verdict said so: how often, and the packed rows that made room for it."""

    times: int
    scores: bytes
    vector: bytes
    scores_before: bytes
    vectors_before: bytes


@dataclass(slots=True)
class Past:
    """Scores (a column a model) and last vectors of a host's baseline, and what verdicts added to it, by threat."""

    scores: Ring
    vectors: Ring
    accepted: dict[str, Accepted]

    def accept(self, judged: Judged, scores: NDArray[np.float64], vector: Vector, level: float) -> int:
        """A verdict on a threat said that this window was harmless. Returns how often it was learned."""
        times = floor(judged.confidence * (floor(level * (len(self.scores) + 1)) + 1) + 0.5)
        row, entries = (
            np.asarray(each, ring.dtype).tobytes() for each, ring in ((scores, self.scores), (vector, self.vectors))
        )
        before = [(self.scores.displace(row), self.vectors.displace(entries)) for _ in range(times)]
        if times:
            self.accepted[judged.threat] = Accepted(
                times=times,
                scores=row,
                vector=entries,
                scores_before=b"".join(old for old, _ in before),
                vectors_before=b"".join(old for _, old in before),
            )
            if len(self.accepted) > ACCEPTED:
                del self.accepted[next(iter(self.accepted))]
        return times

    def take_back(self, threat: str) -> int:
        """The verdict on a threat is another one now. Returns how often its window had been learned."""
        done = self.accepted.pop(threat, None)
        if done is None:
            return 0
        found = self.scores.take_out(done.scores, done.times)
        if found == done.times:
            self.scores.give_back(done.scores_before)
        if self.vectors.take_out(done.vector, done.times) == done.times:
            self.vectors.give_back(done.vectors_before)
        return found


def deviation(vector: Vector, usual: NDArray[np.floating]) -> tuple[float, tuple[Feature, ...]]:
    """How far a window lies from usual ones (see `engine.verdict.severity`), and the features that show it."""
    rows = usual.astype(float)
    medians = np.median(rows, axis=0)
    return explain(vector, medians, 1.4826 * np.median(np.abs(rows - medians), axis=0), LEAST_DEVIATION)


def explain(
    vector: Vector, medians: NDArray[np.floating], deviations: NDArray[np.floating], least: float
) -> tuple[float, tuple[Feature, ...]]:
    """The median distance of the features that lie farthest from what is usual, and these features, farthest first.

    A feature that never moved has no measure of its own, only `least`: any step is many of these, so it counts at most
    `STEADY`.
    """
    distances = np.round(np.abs(np.asarray(vector) - medians) / np.maximum(deviations, least), 6)
    distances = np.where(np.asarray(deviations) < least, np.minimum(distances, STEADY), distances)
    farthest = np.argsort(-distances, kind="stable")[:EXPLAINED].tolist()
    shown = tuple(
        Feature(
            name=FEATURES[i].name,
            value=FEATURES[i].shown(float(vector[i])),
            unit=FEATURES[i].unit,
            baseline=FEATURES[i].shown(float(medians[i])),
        )
        for i in farthest
    )
    return round(float(np.median(distances[farthest])), 2), shown
