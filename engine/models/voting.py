"""Counting votes: how often each voter was asked, voted, and stood against the consensus.

>>> tally = Tally()
>>> tally.count("bayes", vote=True, consensus=False)
>>> tally.counts["bayes"]
[1, 1, 1]
"""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct):
    """Judged, votes, disagreements by voter, since the day (of event time) that it began with."""

    day: int = -1
    counts: dict[str, list[int]] = {}

    def count(self, voter: str, *, vote: bool, consensus: bool) -> None:
        """One window judged by one voter."""
        self.add(voter, 1, int(vote), int(vote != consensus))

    def add(self, voter: str, judged: int, votes: int, disagreements: int) -> None:
        """Several windows judged by one voter."""
        counts = self.counts.setdefault(voter, [0, 0, 0])
        counts[0] += judged
        counts[1] += votes
        counts[2] += disagreements

    def turn(self, day: int) -> dict[str, list[int]]:
        """The counts of the days before, once the day is another; then it begins anew."""
        if day == self.day:
            return {}
        past, self.day, self.counts = self.counts, day, {}
        return dict(sorted(past.items()))
