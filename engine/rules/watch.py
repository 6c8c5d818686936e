"""Rules at work: matches of rules become sightings of the kind `rule-match`, one trail of evidence an entity and rule.

Rules:
    1. The entity is who acted: the source of the record, wherever it is. For the records of our clients that is the
       inside client, for an attack on our server the outside host. A record without addresses (files, x509) accuses
       the receiving host that it names, else the thing it is about ("certificate 01AB").
    2. The score of a rule is the number of records that matched; of a correlation, what it counted over what it needs.
       So the first match decides, and a threat is told again at 2, 4, 8 ... records (engine/behaviours/reporter.py).
    3. A rule of level informational stays a candidate for ever: it is counted and kept in the ledger's list, no more.
    4. Rules that feed a correlation say nothing on their own, unless the correlation says `generate: true`.
    5. A rule set is swapped between two frames. Correlations that say the same keep their groups, trails of rules that
       are still there go on, and what others saw and did not tell yet is told at once.
    6. A rule judges one record, whenever it comes: late ones (more than an hour behind the clock) like others. They
       belong to no window, so correlations do not see them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, ClassVar, Final

import msgspec

from domain.sighting import RuleHit, Sighting, Vote
from domain.thresholds import LimitThresholds, Thresholds
from domain.values import SECOND, Micros
from engine.behaviours.memory import Measure, Memory, Trail
from engine.behaviours.places import INSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.samples import FlowTuple, flow_at
from engine.frame import Frame
from engine.rules.correlation import Correlator, Firing, Match
from engine.rules.matcher import Matcher
from engine.rules.ruleset import RuleSet
from engine.rules.sigma import Rule
from engine.rules.table import Table
from engine.rules.witness import Witness

NOTE: Final = 160
"""Characters of the note of a sample record."""

NOTES: Final[dict[str, tuple[str, ...]]] = {
    "http": ("method", "url"),
    "dns": ("qtype_name", "query"),
    "ssl": ("version", "server_name"),
    "files": ("mime_type", "filename"),
    "smb_files": ("action", "path", "name"),
    "smb_mapping": ("path",),
    "dce_rpc": ("endpoint", "operation"),
    "kerberos": ("request_type", "client", "service", "cipher"),
    "x509": ("certificate.subject",),
    "notice": ("note", "msg"),
    "ssh": ("client", "server"),
    "rdp": ("cookie", "result"),
    "conn": ("conn_state",),
}
"""What of a record is told beside its addresses, by log."""


ABOUT: Final[tuple[tuple[str, str], ...]] = (
    ("certificate", "certificate.serial"), ("certificate", "fingerprint"), ("file", "sha256"), ("file", "sha1"),
    ("file", "md5"), ("file", "fuid"), ("record", "uid"),
)  # fmt: skip
"""What a record without addresses is about: the first of these that is set."""

Key = tuple[str, str]


class Seen(msgspec.Struct, array_like=True):
    """One entity and one rule."""

    trail: Trail = msgspec.field(default_factory=Trail)


class _Reporter(Reporter[Key]):
    """The house's reporter, with the rule beside what it says."""

    __slots__ = ("hits",)

    def __init__(self, version: int, limits: LimitThresholds, memory: Memory[Key, Any]) -> None:
        super().__init__("rule-match", version, limits.quiet_seconds * SECOND, limits, memory)
        self.hits: dict[str, RuleHit] = {}

    def _report(self, key: Key, trail: Trail, row: int, at: Micros) -> Sighting:
        seen = super()._report(key, trail, row, at)
        hit = self.hits[key[1]]
        vote = Vote(model=f"rule/{hit.id}", version=hit.version, p=None, vote=seen.score >= 1)
        return replace(seen, votes=(vote,), rules=(hit,))


class RuleWatch:
    """A rule set that senses: the shape of a behaviour."""

    name: ClassVar[str] = "rules"
    version: ClassVar[int] = 3
    takes_late: ClassVar[bool] = True

    def __init__(self, ruleset: RuleSet, thresholds: Thresholds, places: Places) -> None:
        self._thresholds = thresholds
        self._places = places
        self.memory: Memory[Key, Seen] = Memory(thresholds.limits.entities, tuple[str, str], Seen)
        self._reporter = _Reporter(self.version, thresholds.limits, self.memory)
        self._forgotten = 0
        self._install(ruleset)

    def _install(self, ruleset: RuleSet) -> None:
        self.ruleset = ruleset
        self._matcher = Matcher(ruleset.rules)
        self._correlator = Correlator(ruleset.rules, ruleset.correlations, self._thresholds.limits.entities)
        self._witnesses: dict[str, Witness] = {}
        self._reporter.hits = {rule.key: rule.hit for rule in ruleset.every}

    @property
    def reads(self) -> frozenset[str]:
        """Log types that the rules read."""
        return self.ruleset.reads

    @property
    def evicted(self) -> int:
        """Trails and groups forgotten for want of room."""
        return self.memory.evicted + self._correlator.evicted + self._forgotten

    def swap(self, ruleset: RuleSet, row: int, at: Micros) -> list[Sighting]:
        """Go on with another rule set; gives what rules that are gone saw and did not tell yet.

        Args:
            ruleset: the new rules.
            row: number of the feed's last row.
            at: the feed's clock there.
        """
        stay = {rule.key for rule in ruleset.every}
        gone = [key for key in self._reporter.pending.entries if key[1] not in stay]
        for key in gone:
            self._reporter.pending.entries[key] = at
            self._reporter.pending.entries.move_to_end(key, last=False)
        told = self._reporter.close(row, at, at) if gone else []
        for key in [key for key in self.memory.entries if key[1] not in stay]:
            del self.memory.entries[key]
        before = self._correlator
        self._install(ruleset)
        self._correlator.adopt(before)
        self._forgotten += before.evicted - self._correlator.evicted
        return told

    def sense(self, frame: Frame) -> list[Sighting]:
        """Sightings of the frame's rows, in row order. The frame holds only rows to be scored."""
        found: list[Sighting] = []
        for match, hit, firing in self._in_row_order(frame):
            self._close(frame, match.row, found)
            self._count(frame, match, hit, firing, found)
        if len(frame):
            self._close(frame, len(frame) - 1, found)
        return found

    def _in_row_order(self, frame: Frame) -> Iterator[tuple[Match, RuleHit, Firing | None]]:
        """Matches and firings one by one: by row, then by the order of the rules."""
        matches: list[tuple[int, int, Table, int]] = []
        for number, table, rows in self._matcher.match(frame):
            places = rows.tolist()
            there = places if table.rows is None else table.rows[rows].tolist()
            matches += [(row, number, table, at) for row, at in zip(there, places, strict=True)]
        matches.sort(key=lambda match: match[:2])
        for row, number, table, at in matches:
            rule = self.ruleset.rules[number]
            match = Match(
                rule=rule.key, row=row, table=table, at=at, flow=flow_at(frame, row, self._note(rule, table, at))
            )
            if not rule.silent:
                yield match, rule.hit, None
            for firing in () if frame.late[row] else self._correlator.take(match, frame.clock[row]):
                if not firing.correlation.silent:
                    yield firing.match, firing.correlation.hit, firing

    def _note(self, rule: Rule, table: Table, at: int) -> str:
        """What the record is about, and which of its fields made the rule match."""
        if rule.key not in self._witnesses:
            self._witnesses[rule.key] = Witness(rule)
        matched = self._witnesses[rule.key].of(table, at)
        words = [f"{column}={value}" for column, value in matched.items()]
        words += [table.value(name, at) for name in NOTES.get(table.log, ()) if name not in matched]
        return " ".join(word for word in words if word)[:NOTE]

    def _close(self, frame: Frame, row: int, found: list[Sighting]) -> None:
        """Closing reports that fall due up to a row: each by the first row that reaches its time."""
        pending = self._reporter.pending.entries
        while pending and (due := next(iter(pending.values()))) <= frame.clock[row]:
            at = bisect_left(frame.clock, due)
            found += self._reporter.close(frame.row[at], frame.clock[at], frame.clock[at])

    def _count(self, frame: Frame, match: Match, hit: RuleHit, firing: Firing | None, found: list[Sighting]) -> None:
        entity, peer = ends_of(match.table, match.at, match.flow, self._places)
        key = (entity, firing.correlation.key if firing else match.rule)
        seen = self.memory.get(key) or self.memory.put(key, Seen())
        trail = seen.trail = self._reporter.fresh(seen.trail, match.flow[0])
        evidence = b"" if trail.count else sha256(frame.raw[match.row]).digest()
        earlier = firing.flows if firing and not trail.count else ()
        for flow in earlier:
            if flow != match.flow:
                trail.add(flow, flow[3], evidence)
        trail.add(match.flow, peer, evidence)
        measures: tuple[Measure, ...]
        if firing:
            rule = firing.correlation
            score = max(1.0, firing.count / rule.count)
            measures = (
                (f"{COUNTED[rule.kind]} within {rule.span} s", firing.count, "", rule.count),
                *self._counted(firing),
            )
        else:
            score = float(trail.count)
            measures = (("records that match", trail.count, "records", 1),)
        found += self._reporter.judge(frame, match.row, key, 0.5 if hit.level == "informational" else score, measures)

    def _counted(self, firing: Firing) -> Iterator[Measure]:
        """The rules whose matches a correlation counted, with their authors, in the order in which it names them."""
        for key in dict.fromkeys(firing.correlation.rules):
            if count := firing.matches.get(key, 0):
                hit = self._reporter.hits[key]
                yield f"matches of “{hit.title}” by {hit.author or 'an unnamed author'}", count, "records", None

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """Closing reports of all that is pending, at the end of a feed."""
        return self._reporter.close_all(row, at)

    def dump(self) -> Any:
        """Working state, as something that `engine.pieces` writes."""
        return (self._reporter.pending.dump(), self.memory.dump(), self._correlator.dump(), self._forgotten)

    def load(self, data: Any) -> None:
        """Go on from what `dump` gave, under the same rule set."""
        pending, seen, groups, self._forgotten = data
        self._reporter.pending.load(pending)
        self.memory.load(seen)
        self._correlator.load(groups)


COUNTED: Final = {
    "event_count": "matches",
    "value_count": "distinct values",
    "temporal": "different rules",
    "temporal_ordered": "rules in order",
}
"""What each type of correlation counts, in words."""


def note_of(table: Table, at: int) -> str:
    """What a record is about, in a few words."""
    words = (table.value(name, at) for name in NOTES.get(table.log, ()))
    return " ".join(word for word in words if word)[:NOTE]


def ends_of(table: Table, at: int, flow: FlowTuple, places: Places) -> tuple[str, str]:
    """Entity and peer of a matching record: see rule 1."""
    source, target = flow[1], flow[3]
    if source:
        return source, target
    takers = [*table.value("rx_hosts", at).split(","), table.value("src", at)]
    givers = [*table.value("tx_hosts", at).split(","), table.value("dst", at)]
    hosts = [host for host in (*takers, *givers) if host]
    if hosts:
        entity = next((host for host in hosts if places[host] == INSIDE), hosts[0])
        return entity, next((host for host in (*givers, *takers) if host and host != entity), "")
    if target:
        return target, ""
    thing = next(((what, text) for what, name in ABOUT if (text := table.value(name, at))), ("log", table.log))
    return f"{thing[0]} {thing[1]}", ""
