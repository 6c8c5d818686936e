"""The rules that decide on a feed, and the rows from which they do.

Rules:
    1. Rules change between two ledger entries only, and every change is a fact; a file that is wrong changes no rule
       that is live, and is a fact all the same: at the next entry, or as soon as the feed is idle.
    2. Rows that are read again are decided under the rules that the log names, whatever was offered since.
    3. A rule set is stored by its content. One that is gone from the store is written anew when the rules on disk are
       the same; otherwise what it decided cannot be decided again, and the feed does not go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from adapters.artifacts import ArtifactError, Artifacts
from domain.facts.operation import RulesLoaded
from engine.rules.ruleset import RuleSet


class RulesInForce:
    """Which rules come next for one feed, and what is recorded of them."""

    def __init__(self, feed: str, offered: RuleSet, artifacts: Artifacts, warn: Callable[[str], None]) -> None:
        self.offered = offered
        """The rules to go on with from the next ledger entry on."""
        self.loads = 0
        """How often rules were loaded, by the facts."""
        self._feed = feed
        self._artifacts = artifacts
        self._warn = warn
        self._faults = offered.faults
        self._recorded: deque[tuple[int, str]] = deque()

    def expect(self, recorded: Sequence[tuple[int, str]]) -> RuleSet:
        """Rows are read again, under rules that came at these rows (row, hash); gives those of the first row.

        A log that was begun without any rules has none.
        """
        self._recorded = deque(recorded)
        return self.stored(self._recorded.popleft()[1]) if recorded and recorded[0][0] == 0 else RuleSet()

    def adopt(self, recorded: Sequence[tuple[int, str]], faults: tuple[str, ...]) -> RuleSet | None:
        """No row is read again from here on; gives the rules that came last, if any did."""
        self._recorded.clear()
        self.loads, self._faults = len(recorded), faults
        return self.stored(recorded[-1][1]) if recorded else None

    def pass_over(self, row: int, sha256: str) -> None:
        """A saved state stands at `row` under the rules `sha256`: what was recorded up to there is in it."""
        while self._recorded and (self._recorded[0][0] < row or self._recorded[0] == (row, sha256)):
            self._recorded.popleft()

    def next_recorded(self, row: int, live: str) -> RuleSet | None:
        """The rules that the log says came up to `row`, unless they are the `live` version."""
        rules = None
        while self._recorded and self._recorded[0][0] <= row:
            rules = self.stored(self._recorded.popleft()[1])
        if rules is None or rules.version == live:
            return None
        self._faults = rules.faults
        return rules

    def next_offered(self, live: str) -> RuleSet | None:
        """The rules that were offered, unless they are the `live` version with the faults that were told already."""
        if (self.offered.version, self.offered.faults) == (live, self._faults):
            return None
        self._faults = self.offered.faults
        return self.offered

    def other_faults(self, live: str) -> RuleSet | None:
        """The rules that were offered, if they are the `live` version and only what is wrong beside them is news."""
        return self.next_offered(live) if self.offered.version == live else None

    def loaded(self, rules: RuleSet, row: int) -> RulesLoaded:
        """The fact that these rules decide from the row behind `row` on; they are stored."""
        self.loads += 1
        return RulesLoaded(
            feed=self._feed,
            row=row,
            version=rules.version,
            sha256=self._artifacts.put(rules.pack()),
            rules=len(rules),
            names=rules.names,
            ignored=len(rules.ignored),
            errors=rules.faults,
        )

    def stored(self, sha256: str) -> RuleSet:
        """The rule set of this hash; "" is the one without rules.

        Raises:
            ArtifactError: it is not in the store, or damaged, and the rules on disk are others.
        """
        if not sha256:
            return RuleSet()
        try:
            return RuleSet.unpack(self._artifacts.get(sha256))
        except ArtifactError as error:
            if self._artifacts.put(self.offered.pack()) != sha256:
                raise
            self._warn(f"feed {self._feed}: {error}. The rules on disk are the same: it was written anew")
            return self.offered
