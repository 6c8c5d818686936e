"""What people say, as the detections learn from it: verdicts in the log, up to the position that an entry folded.

Rules:
    1. A verdict is learned with the evidence that its threat rested on when it was given: what the threat became later
       does not count, so that a replay learns the same.
    2. Only threats that name a record of evidence teach anything: those of the models. Evidence that is missing or was
       changed teaches nothing, which is told.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.artifacts import ArtifactError, Artifacts
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Journal, Recorded
from engine.sensed import Judged

INPUTS = frozenset({"verdict-given", "setting-changed"})
"""Facts that people cause and that the detector folds."""


class Verdicts:
    """The verdicts of a log, read on whenever somebody asks."""

    def __init__(
        self, journal: Journal, artifacts: Artifacts, warn: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._warn = warn
        self._journal = journal
        self._artifacts = artifacts
        self._given: list[Recorded] = []
        self._scanned = 0
        self._folded = 0

    def folded(self) -> int:
        """Log position of the newest verdict or setting: what the next ledger entry has folded."""
        while facts := self._journal.read(self._scanned, 1000):
            for recorded in facts:
                if recorded.fact.kind in INPUTS:
                    self._folded = recorded.position
                if isinstance(recorded.fact, VerdictGiven):
                    self._given.append(recorded)
            self._scanned = facts[-1].position
        return self._folded

    def between(self, feed: str, after: int, upto: int) -> list[Judged]:
        """Verdicts on threats of a feed at positions > `after` and <= `upto`, in order."""
        if upto > self._scanned:
            self.folded()
        given = (recorded for recorded in self._given if after < recorded.position <= upto)
        return [judged for recorded in given if (judged := self._judged(feed, recorded)) is not None]

    def _judged(self, feed: str, given: Recorded) -> Judged | None:
        verdict = given.fact
        assert isinstance(verdict, VerdictGiven)  # noqa: S101 - narrows the type: no other fact is kept
        told = [
            recorded.fact
            for recorded in self._journal.read_stream(f"threat/{verdict.threat}")
            if recorded.position < given.position and isinstance(recorded.fact, ThreatDetected | ThreatContinued)
        ]
        if not told or not told[-1].detail or getattr(told[0], "feed", "") != feed:
            return None
        try:
            detail = self._artifacts.get(told[-1].detail)
        except ArtifactError as error:
            self._warn(f"feed {feed}: the verdict on threat {verdict.threat} is not learned from: {error}")
            return None
        return Judged(
            threat=verdict.threat.hex,
            entity=told[-1].entity,
            verdict=verdict.verdict,
            confidence=verdict.confidence,
            detail=detail,
        )
