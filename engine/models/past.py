"""What is known of a host in one profile: its baseline, and the alarm that is on.

Rules:
    1. The baseline is the first `calibration_windows` windows that were not flagged. From then on it stands: it is
       shifted by recorded facts only, so that nobody can teach it slowly what an attack looks like.
    2. An alarm does not teach. When it is over, and the baseline is not full yet, its first window is learned: never
       learning flagged windows would cut the tail off the calibration, and with it the bar would sink without end.
    3. A host flagged for `calibration_windows` windows on end has changed: its baseline starts anew.
    4. A window that a verdict called harmless is learned as often as it takes for the same window to raise no alarm,
       less often if the operator was not sure. When the verdict is taken back, it is forgotten, and what had made room
       for it is known again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Feature
from engine.models.conformal import Ring
from engine.models.reading import FEATURES

EXPLAINED: Final = 5
LEAST_DEVIATION: Final = 0.01
"""Deviation that counts as none: below it a feature that never moved would seem infinitely far off."""

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


class Past(msgspec.Struct, array_like=True):
    """Scores (a column a model) and last vectors of a host's baseline; how long it has been flagged on end."""

    scores: Ring
    vectors: Ring
    alarm: int = 0
    alarm_scores: tuple[float, ...] = ()
    alarm_vector: tuple[float, ...] = ()
    accepted: dict[str, Accepted] = {}

    @classmethod
    def empty(cls, limits: AnomalyLimits, models: int) -> Past:
        """Nothing is known yet."""
        return cls(Ring(limits.calibration_windows, models, "<f4"), Ring(limits.explain_windows, len(FEATURES), "<f4"))

    def known(self) -> NDArray[np.float64]:
        """The scores of the baseline, a column a model."""
        return np.asarray(self.scores.rows(), np.float64)

    def learn(self, scores: NDArray[np.float64], vector: Vector) -> list[NDArray[np.float64]]:
        """The host was not flagged: learn its window, and the first one of an alarm that is over.

        Returns the scores that are known from now on: none, once the baseline is full.
        """
        windows = [(scores, vector)]
        if self.alarm:
            windows.insert(0, (np.array(self.alarm_scores), self.alarm_vector))
            self.alarm = 0
        return [row for row, entries in windows if self._add(row, entries)]

    def remember(self, scores: bytes, vector: bytes) -> bool:
        """`learn` one window, packed, when no alarm is on; whether it was learned: not when the baseline is full."""
        if len(self.scores.packed) >= self.scores.size * len(scores):
            return False
        self.scores.keep(scores)
        self.vectors.keep(vector)
        return True

    def flag(self, scores: NDArray[np.float64], vector: Vector) -> bool:
        """The host is flagged. True if it has been for so long that its baseline starts anew."""
        if not self.alarm:
            self.alarm_scores, self.alarm_vector = tuple(scores.tolist()), tuple(map(float, vector))
        self.alarm += 1
        if self.alarm < self.scores.size:
            return False
        self.scores.clear()
        self.vectors.clear()
        self.accepted = {}
        self.alarm = 0
        return True

    def accept(
        self, threat: str, scores: NDArray[np.float64], vector: Vector, level: float, confidence: float = 1.0
    ) -> int:
        """A verdict on a threat said that this window was harmless. Returns how often it was learned."""
        times = floor(confidence * (floor(level * (len(self.scores) + 1)) + 1) + 0.5)
        row, entries = (
            np.asarray(each, ring.dtype).tobytes() for each, ring in ((scores, self.scores), (vector, self.vectors))
        )
        before = [(self.scores.displace(row), self.vectors.displace(entries)) for _ in range(times)]
        self.alarm = 0
        if times:
            self.accepted[threat] = Accepted(
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

    def deviation(self, vector: Vector) -> tuple[float, tuple[Feature, ...]]:
        """How far a window lies from what is usual (see `engine.verdict.severity`), and the features that show it."""
        rows = self.vectors.rows().astype(float)
        medians = np.median(rows, axis=0)
        return explain(vector, medians, 1.4826 * np.median(np.abs(rows - medians), axis=0), LEAST_DEVIATION)

    def _add(self, scores: NDArray[np.float64], vector: Vector) -> bool:
        if len(self.scores) >= self.scores.size:
            return False
        self.scores.add(scores)
        self.vectors.add(vector)
        return True


def explain(
    vector: Vector, medians: NDArray[np.floating], deviations: NDArray[np.floating], least: float
) -> tuple[float, tuple[Feature, ...]]:
    """The median distance of the features that lie farthest from what is usual, and these features, farthest first."""
    distances = np.round(np.abs(np.asarray(vector) - medians) / np.maximum(deviations, least), 6)
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
