"""What operators said of sightings: the last verdict on each threat, and what all of them together teach.

Rules:
    1. The last verdict on a threat takes the place of the earlier ones, with all their effects: nine times the same
       word teaches as much as once, and a word taken back leaves no trace.
    2. A verdict weighs as much as the operator was sure (0-1): a tenth sure moves the level by a tenth.
    3. `incorrect` is a false alarm, `correct` an attack. `partial` (there was something, but not that) says nothing
       about the rate of false alarms; to the Bayesian model it is half an attack.
    4. Verdicts are no random draw: people judge what was alarmed. So the rate of false alarms is the share of windows
       that were alarmed, times the share of verdicts that said `incorrect`, and all of what was flagged and never
       alarmed (too slight a deviation for a threat), which counts as harmless: nobody can say otherwise. The shares are
       those of the moment of the first verdict on each threat.
    5. A level is folded over the verdicts on alarms of its voter (the consensus, or the peers) in the order in which
       the threats were first judged, from the promised rate on. A verdict moves it in its own way only: `incorrect`
       never up, however few false alarms there were, `correct` never down.
    6. The last `MOST` threats are held; what older ones taught stays, and can no longer be taken back.

    >>> from engine.verdict.tracker import Tracker
    >>> said = Judgements()
    >>> for _ in range(9):
    ...     said.take("a", Told("incorrect", 1.0, "consensus", Shares(0.03, 0.0), b""))
    >>> said.track("consensus", Tracker.at(0.01)).level
    0.008
    >>> said.take("a", Told("incorrect", 0.1, "consensus", Shares(0.03, 0.0), b""))
    >>> said.track("consensus", Tracker.at(0.01)).level
    0.0098
    >>> said.take("a", Told("partial", 1.0, "consensus", Shares(0.03, 0.0), b""))
    >>> said.track("consensus", Tracker.at(0.01)).level
    0.01
    >>> said.take("b", Told("incorrect", 1.0, "consensus", Shares(0.004, 0.002), b""))  # fewer than promised
    >>> said.track("consensus", Tracker.at(0.01)).level
    0.01
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.values import Verdict
from engine.models.bayes import MOST_VERDICTS
from engine.verdict.tracker import Tracker

MOST: Final = MOST_VERDICTS

ATTACK: Final[dict[Verdict, float]] = {"correct": 1.0, "partial": 0.5, "incorrect": -1.0}
"""What a verdict says to the Bayesian model, before it is weighed: how much of an attack it was."""


class Shares(NamedTuple):
    """Of the windows that a voter judged: those it alarmed of, and those it flagged without an alarm."""

    alarmed: float
    slight: float


class Rates(msgspec.Struct, array_like=True):
    """How many windows a voter judged, flagged (p at or below its level), and alarmed of (a threat)."""

    judged: int = 0
    flagged: int = 0
    alarmed: int = 0

    def shares(self) -> Shares:
        """The same as shares; none of nothing."""
        judged = max(1, self.judged)
        return Shares(self.alarmed / judged, (self.flagged - self.alarmed) / judged)


class Told(msgspec.Struct, array_like=True):
    """One verdict.

    Attributes:
        confidence: how sure the operator was, 0-1.
        voter: who had alarmed, with its shares when the threat was first judged.
        vector: the features of the window, as float32 bytes.
    """

    verdict: Verdict
    confidence: float
    voter: str
    shares: Shares
    vector: bytes


class Sums(msgspec.Struct, array_like=True):
    """Where the level stands after some verdicts: weights of `correct` and `incorrect` ones, and the tracker."""

    right: float = 0.0
    wrong: float = 0.0
    tracker: Tracker | None = None


class Judgements(msgspec.Struct, array_like=True):
    """By threat, the last verdict; in `before`, by voter, what those taught that are no longer held."""

    told: dict[str, Told] = {}
    before: dict[str, Sums] = {}

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
            told.shares = held.shares
        self.told[threat] = told

    def settle(self, start: Tracker) -> None:
        """Fold the oldest verdicts that there is no room for; `start` is the tracker before any verdict."""
        while len(self.told) > MOST:
            oldest = next(iter(self.told))
            told = self.told.pop(oldest)
            self.before[told.voter] = _fold(self.before.get(told.voter, Sums()), start, [told])

    def track(self, voter: str, start: Tracker) -> Tracker:
        """The tracker of a voter after all verdicts on its alarms; `start` is the one before any."""
        own = (told for told in self.told.values() if told.voter == voter)
        return _fold(self.before.get(voter, Sums()), start, own).tracker or start

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
        if right + wrong:
            error = told.shares.slight + told.shares.alarmed * wrong / (right + wrong)
            own_way = (error > tracker.target) == (told.verdict == "incorrect")
            tracker.learn(error, weight=told.confidence if own_way else 0.0)
    return Sums(right, wrong, tracker)
