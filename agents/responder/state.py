"""What the responder remembers: threats, the incidents they stand in, exceptions, and what was said before.

Rules:
    1. It is a function of the facts in the order in which they were worked: nothing depends on when that was.
    2. It is bounded (`agents.responder.evolve` forgets).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from uuid import UUID

from agents.responder.assess import Past, Rule
from agents.responder.exceptions import Suppression, fits
from domain.facts.assessment import ThreatAssessed, ThreatMerged, ThreatSuppressed
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
    ThreatLinked,
)
from domain.values import Level, Micros, ThreatKind, Verdict

Status: TypeAlias = Literal["open", "acknowledged", "resolved"]
IncidentEvent: TypeAlias = (
    IncidentOpened
    | ThreatLinked
    | IncidentMerged
    | IncidentEscalated
    | IncidentAcknowledged
    | IncidentResolved
    | IncidentReopened
    | NoteAdded
)
Event: TypeAlias = IncidentEvent | ThreatAssessed | ThreatMerged | ThreatSuppressed

INCIDENT_FACTS: Final = (
    IncidentOpened,
    ThreatLinked,
    IncidentMerged,
    IncidentEscalated,
    IncidentAcknowledged,
    IncidentResolved,
    IncidentReopened,
    NoteAdded,
)
THREAT_FACTS: Final = (ThreatAssessed, ThreatMerged, ThreatSuppressed)

SHARED_PEER: Final[frozenset[ThreatKind]] = frozenset({"beacon", "exfiltration", "dns-tunnel", "generated-domains"})
"""Kinds whose outside peer is a finding of its own: two clients of one command server are one incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """A threat as the intake sees it: what its newest fact says.

    Attributes:
        topic: what tells threats of one entity apart: the kind, and what it is about (peer, domain, service, rule).
        risk, confidence: the detector's.
        feed: where it was seen; unknown (empty) in the news of a threat that goes on.
        new: whether this is its first fact.
    """

    threat: UUID
    entity: str
    kind: ThreatKind
    topic: str
    title: str
    risk: float
    confidence: float
    rules: tuple[Rule, ...]
    peers: tuple[str, ...]
    first_seen: Micros
    last_seen: Micros
    feed: str
    new: bool


@dataclass(slots=True, kw_only=True)
class Held:
    """A threat and what became of it. Mutable inside its state only.

    Attributes:
        again: it had been forgotten and was heard of again.
        risk: as last assessed; None before.
        incident: where it stands.
        into, duplicates: the threat that it repeats; how many repeat it.
        suppression: the exception that silenced it.
        verdict, confidence: the last verdict; empty before.
    """

    threat: Threat
    again: bool = False
    risk: float | None = None
    incident: UUID | None = None
    into: UUID | None = None
    duplicates: int = 0
    suppression: UUID | None = None
    verdict: Verdict | Literal[""] = ""
    confidence: float = 0.0

    @property
    def weight(self) -> float:
        """The risk that counts: the assessed one, before that the detector's."""
        return self.threat.risk if self.risk is None else self.risk


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident. Mutable inside its state only.

    Attributes:
        last_seen: event time of its latest evidence.
        changed_at: event time of its latest fact: none of its facts occurs earlier.
        threats: in the order in which they joined (keys only: there may be very many).
        entities, peers: by what it is found (keys only).
        kinds: of its threats, without matches of lesser rules (keys only).
        calls_out: whether one of its threats is of a kind whose outside peer is a finding.
        lost: whether a threat was forgotten that nobody had dismissed.
        resolved_at, resolved_after: when it was resolved, and the latest evidence of that moment.
        resolved_because: the reason that was given.
    """

    incident: UUID
    opened_at: Micros
    last_seen: Micros
    level: Level
    risk: float
    status: Status = "open"
    feed: str = ""
    changed_at: Micros = 0
    resolved_at: Micros = 0
    resolved_after: Micros = 0
    resolved_because: str = ""
    calls_out: bool = False
    lost: bool = False
    threats: dict[UUID, None] = field(default_factory=dict)
    entities: dict[str, None] = field(default_factory=dict)
    peers: dict[str, None] = field(default_factory=dict)
    kinds: dict[ThreatKind, None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class State:
    """All that is remembered; `threats` and `incidents` are ordered by when they were last heard of.

    Attributes:
        newest: by entity and topic, the latest threat that repeats no other.
        pasts: by entity and topic, the verdicts.
        suppressions: exceptions in force, in the order in which they were made.
        clocks, swept: event time of each feed; where it stood when its old things were last forgotten.
        forgotten: how many threats were.
    """

    threats: dict[UUID, Held] = field(default_factory=dict)
    incidents: dict[UUID, Incident] = field(default_factory=dict)
    by_entity: dict[str, set[UUID]] = field(default_factory=dict)
    by_peer: dict[str, set[UUID]] = field(default_factory=dict)
    newest: dict[tuple[str, str], UUID] = field(default_factory=dict)
    pasts: dict[tuple[str, str], Past] = field(default_factory=dict)
    suppressions: dict[UUID, Suppression] = field(default_factory=dict)
    clocks: dict[str, Micros] = field(default_factory=dict)
    swept: dict[str, Micros] = field(default_factory=dict)
    forgotten: int = 0

    def incident_of(self, threat: UUID) -> Incident | None:
        """The incident that holds a threat."""
        held = self.threats.get(threat)
        return None if held is None or held.incident is None else self.incidents.get(held.incident)

    def past_of(self, held: Held) -> Past:
        """What was said of other threats of the same entity and topic: a harmless peer speaks for no other one."""
        past = self.pasts.get((held.threat.entity, held.threat.topic), Past())
        return past.plus(held.verdict, -held.confidence) if held.verdict else past

    def covering(self, threat: Threat, at: Micros) -> Suppression | None:
        """The exception that covers a threat at event time `at`."""
        if not self.suppressions:
            return None
        names = [name for rule in threat.rules for name in (rule.id, rule.title)]
        return next(
            (
                each
                for each in self.suppressions.values()
                if at < each.expires_at
                and fits(each.scope, entity=threat.entity, peers=threat.peers, kind=threat.kind, rules=names)
            ),
            None,
        )
