"""What operators said of sightings: the last verdict on each threat, and what all of them together teach.

Rules:
    1. The last verdict on a threat takes the place of the earlier ones, with all their effects: nine times the same
       word teaches as much as once, and a word taken back leaves no trace.
    2. A verdict weighs as much as the operator was sure (0-1): a tenth sure moves the level by a tenth.
    3. `incorrect` is a false alarm, `correct` an attack. `partial` (there was something, but not that) says nothing
       about the rate of false alarms; to the Bayesian model it is half an attack.
    4. The level is folded over the verdicts in the order in which the threats were first judged, from the promised rate
       on. The share of flagged windows is that of the moment of the first verdict on each.
    5. The last `MOST` threats are held; what older ones taught stays, and can no longer be taken back.

    >>> from engine.verdict.tracker import Tracker
    >>> said = Judgements()
    >>> for _ in range(9):
    ...     said.take("a", Told("incorrect", 1.0, 0.03, b""))
    >>> said.track(Tracker.at(0.01)).level
    0.008
    >>> said.take("a", Told("incorrect", 0.1, 0.03, b""))
    >>> said.track(Tracker.at(0.01)).level
    0.0098
    >>> said.take("a", Told("partial", 1.0, 0.03, b""))
    >>> said.track(Tracker.at(0.01)).level
    0.01
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.values import Verdict
from engine.models.bayes import MOST_VERDICTS
from engine.verdict.tracker import Tracker

MOST: Final = MOST_VERDICTS

NONE_JUDGED: Final = -1.0
"""Share of flagged windows while none was judged by consensus: such a verdict moves no level."""

ATTACK: Final[dict[Verdict, float]] = {"correct": 1.0, "partial": 0.5, "incorrect": -1.0}
"""What a verdict says to the Bayesian model, before it is weighed: how much of an attack it was."""


class Told(msgspec.Struct, array_like=True):
    """One verdict.

    Attributes:
        confidence: how sure the operator was, 0-1.
        share: windows flagged, of those judged, when the threat was first judged.
        vector: the features of the window, as float32 bytes.
    """

    verdict: Verdict
    confidence: float
    share: float
    vector: bytes


class Sums(msgspec.Struct, array_like=True):
    """Where the level stands after some verdicts: weights of `correct` and `incorrect` ones, and the tracker."""

    right: float = 0.0
    wrong: float = 0.0
    tracker: Tracker | None = None


class Judgements(msgspec.Struct, array_like=True):
    """By threat, the last verdict; in `before`, what those taught that are no longer held."""

    told: dict[str, Told] = {}
    before: Sums = msgspec.field(default_factory=Sums)

    def knows(self, threat: str, told: Told) -> bool:
        """Whether this very word was said before, about the same window."""
        held = self.told.get(threat)
        return held is not None and (held.verdict, held.confidence, held.vector) == (
            told.verdict, told.confidence, told.vector
        )  # fmt: skip

    def take(self, threat: str, told: Told) -> None:
        """Let a verdict take the place of an earlier one on the same threat."""
        held = self.told.get(threat)
        if held is not None:
            told.share = held.share
        self.told[threat] = told

    def settle(self, start: Tracker) -> None:
        """Fold the oldest verdicts that there is no room for; `start` is the tracker before any verdict."""
        while len(self.told) > MOST:
            oldest = next(iter(self.told))
            self.before = _fold(self.before, start, [self.told.pop(oldest)])

    def track(self, start: Tracker) -> Tracker:
        """The tracker after all verdicts; `start` is the one before any."""
        return _fold(self.before, start, self.told.values()).tracker or start

    def rows(self) -> NDArray[np.float32]:
        """The vectors of the held verdicts, one a row, in the order in which their threats were first judged."""
        return np.vstack([np.frombuffer(told.vector, "<f4") for told in self.told.values()])

    def votes(self) -> list[float]:
        """What the held verdicts say to the Bayesian model, one a row of `rows`: -1 (harmless) to 1 (attack)."""
        return [ATTACK[told.verdict] * told.confidence for told in self.told.values()]


def _fold(sums: Sums, start: Tracker, verdicts: Iterable[Told]) -> Sums:
    right, wrong = sums.right, sums.wrong
    tracker = msgspec.structs.replace(sums.tracker or start)
    for told in verdicts:
        if told.verdict == "partial":
            continue
        right += told.confidence * (told.verdict == "correct")
        wrong += told.confidence * (told.verdict == "incorrect")
        if right + wrong and told.share != NONE_JUDGED:
            tracker.learn(told.share * wrong / (right + wrong), weight=told.confidence)
    return Sums(right, wrong, tracker)
