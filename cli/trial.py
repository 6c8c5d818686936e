"""Rules tried on a feed: hits and near misses of each, with the rows. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from domain.moments import rfc3339
from engine.behaviours.samples import flow_at
from engine.frame import Frame
from engine.rules.correlation import Correlator, Match
from engine.rules.matcher import tables
from engine.rules.near import Nearness
from engine.rules.ruleset import RuleSet
from engine.rules.sigma import Correlation, Loaded
from engine.rules.table import Table
from engine.rules.watch import COUNTED, note_of

if TYPE_CHECKING:
    from adapters.feeds import Telemetry

FEWEST = 3
"""What a correlation must count so that one less is a near miss: one match alone is near nothing."""

GROUPS = 100_000
"""Groups of a correlation that a trial remembers."""


@dataclass(slots=True)
class Tally:
    """What one rule found. A correlation judges matches of its rules, any other rule records."""

    rule: Loaded
    limit: int
    judged: int = 0
    hits: int = 0
    near_misses: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    near: list[dict[str, Any]] = field(default_factory=list)

    def hit(self, row: dict[str, Any]) -> None:
        """One more record matched."""
        self.hits += 1
        if len(self.rows) < self.limit:
            self.rows.append(row)

    def miss(self, row: dict[str, Any], failed: str, found: str) -> None:
        """One more record was missed by one condition."""
        self.near_misses += 1
        if len(self.near) < self.limit:
            self.near.append({**row, "failed": failed, "found": found})

    def document(self) -> dict[str, Any]:
        """As other tools read it."""
        hit = self.rule.hit
        return {
            "id": hit.id, "title": hit.title, "level": hit.level, "judged": self.judged, "hits": self.hits,
            "counts": isinstance(self.rule, Correlation), "rows": self.rows, "near_misses": self.near_misses,
            "near": self.near,
        }  # fmt: skip


class Trial:
    """A rule set at work without consequences."""

    def __init__(self, ruleset: RuleSet, limit: int) -> None:
        self.received = self.scored = self.late = 0
        self._tallies = {rule.key: Tally(rule, limit) for rule in ruleset.every}
        self._nearness = [Nearness(rule) for rule in ruleset.rules]
        self._correlator = Correlator(ruleset.rules, ruleset.correlations, GROUPS)
        short = [one_short(rule) for rule in ruleset.correlations if needed_by(rule) >= FEWEST]
        self._almost = Correlator(ruleset.rules, short, GROUPS)

    def take(self, frame: Frame) -> None:
        """Look at the rows of a frame; late ones are in no window of a correlation, as in a run."""
        self.received += len(frame)
        frame = frame.scored()
        self.late += sum(frame.late)
        matches: list[Match] = []
        for table in tables(frame, {near.rule.source.log for near in self._nearness}):
            self.scored += len(table)
            for near in self._nearness:
                if near.rule.source.log == table.log:
                    matches += self._look(near, table)
        for match in sorted(matches, key=lambda match: match.row):
            if not frame.late[match.row]:
                self._correlate(match, frame)

    def _look(self, near: Nearness, table: Table) -> Iterator[Match]:
        tally = self._tallies[near.rule.key]
        tally.judged += len(table)
        hits, misses = near.of(table)
        for at in hits.tolist():
            tally.hit(row_at(table, at))
            row = _place(table, at)
            if self._correlator.counts(near.rule.key):
                yield Match(rule=near.rule.key, row=row, table=table, at=at, flow=flow_at(table.frame, row))
        for miss in misses:
            tally.miss(row_at(table, miss.at), miss.failed, miss.found)

    def _correlate(self, match: Match, frame: Frame) -> None:
        fired = set()
        for key in self._correlator.counters_of(match.rule):
            self._tallies[key].judged += 1
        for firing in self._correlator.take(match, frame.clock[match.row]):
            fired.add(firing.correlation.key)
            self._tallies[firing.correlation.key].hit(row_at(match.table, match.at))
        for firing in self._almost.take(match, frame.clock[match.row]):
            rule = firing.correlation
            if rule.key not in fired:
                failed = f"{needed_by(rule) + 1} {COUNTED[rule.kind]} within {rule.span} s are needed"
                self._tallies[rule.key].miss(row_at(match.table, match.at), failed, f"{firing.count} are there")

    def document(self) -> dict[str, Any]:
        """What was found, rule by rule."""
        return {
            "received": self.received,
            "scored": self.scored,
            "late": self.late,
            "rules": [tally.document() for tally in self._tallies.values()],
        }


def needed_by(rule: Correlation) -> int:
    """How much a correlation must count at least."""
    return rule.count + (rule.order == "gt")


def one_short(rule: Correlation) -> Correlation:
    """The correlation that holds when one more is needed."""
    return replace(rule, count=rule.count - 1)


def row_at(table: Table, at: int) -> dict[str, Any]:
    """A record in short."""
    frame, row = table.frame, _place(table, at)
    return {
        "row": frame.row[row], "ts": rfc3339(frame.ts[row]), "log": table.log, "src_ip": frame.src_ip[row],
        "src_port": frame.src_port[row], "dst_ip": frame.dst_ip[row], "dst_port": frame.dst_port[row],
        "note": note_of(table, at),
    }  # fmt: skip


def _place(table: Table, at: int) -> int:
    return at if table.rows is None else int(table.rows[at])


def try_rules(ruleset: RuleSet, feeds: Sequence[str], limit: int) -> tuple[dict[str, Any], list[str]]:
    """Hits and near misses of rules in feeds, and what of the feeds could not be processed.

    Raises:
        UsageError: a feed is asked for in a way that cannot be meant.
    """
    from adapters.feeds import check_names, open_telemetry, parse_spec
    from scheduler.rows import skip_unread

    specs = [parse_spec(text) for text in feeds]
    check_names(specs)
    trial = Trial(ruleset, limit)
    telemetry: Telemetry = open_telemetry(specs, follow=False, batch_rows=10_000)
    try:
        for pulse in telemetry.pulses():
            for frame in pulse.frames.values():
                skip_unread(frame, ruleset.reads)
                trial.take(frame)
    finally:
        telemetry.close()
    return trial.document(), [f"feed {problem.feed}: {problem.message}" for problem in telemetry.problems]
