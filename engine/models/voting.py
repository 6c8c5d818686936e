"""Counting votes: how often each voter was asked, voted, and stood against the consensus.

>>> tally = Tally()
>>> tally.count("bayes", vote=True, consensus=False)
>>> tally.counts["bayes"]
[1, 1, 1]
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.verdict.consensus import DIGITS


class Tally(msgspec.Struct):
    """Judged, votes, disagreements by voter, since they were last taken; `day` (of event time) is the last one."""

    day: int = -1
    counts: dict[str, list[int]] = {}

    def count(self, voter: str, *, vote: bool, consensus: bool) -> None:
        """One window judged by one voter."""
        self.add(voter, 1, int(vote), int(vote != consensus))

    def together(
        self, consensus: str, p_values: NDArray[np.float64], votes: Mapping[str, NDArray[np.float64]], level: float
    ) -> int:
        """Windows that were judged together; returns to how many the consensus was a vote.

        Args:
            consensus: the name that the consensus votes under.
            p_values: the consensus about each window.
            votes: of each model the p-value of each window, NaN where it abstained.
            level: p-values at or below it are votes.
        """
        consents = p_values <= level
        if len(consents):
            self.add(consensus, len(consents), int(consents.sum()), 0)
        for model, found in votes.items():
            told = ~np.isnan(found)
            vote = np.round(found[told], DIGITS) <= level
            if len(vote):
                self.add(model, len(vote), int(vote.sum()), int((vote != consents[told]).sum()))
        return int(consents.sum())

    def add(self, voter: str, judged: int, votes: int, disagreements: int) -> None:
        """Several windows judged by one voter."""
        counts = self.counts.setdefault(voter, [0, 0, 0])
        counts[0] += judged
        counts[1] += votes
        counts[2] += disagreements

    def turns(self, day: int) -> bool:
        """Whether this is another day than the last one."""
        last, self.day = self.day, day
        return day != last

    def taken(self) -> dict[str, list[int]]:
        """The counts so far; then it begins anew."""
        past, self.counts = self.counts, {}
        return dict(sorted(past.items()))
