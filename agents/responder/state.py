"""What the responder remembers: incidents, and which threat stands in which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from uuid import UUID

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
from domain.facts.threat import VerdictGiven
from domain.values import Level, Micros, ThreatKind

Status: TypeAlias = Literal["open", "acknowledged", "resolved", "merged"]
Event: TypeAlias = (
    IncidentOpened
    | ThreatLinked
    | IncidentMerged
    | IncidentEscalated
    | IncidentAcknowledged
    | IncidentResolved
    | IncidentReopened
    | NoteAdded
)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """A threat as the intake sees it."""

    threat: UUID
    entity: str
    kind: ThreatKind
    title: str
    level: Level
    risk: float
    peers: tuple[str, ...]
    first_seen: Micros
    last_seen: Micros


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident. Mutable inside its state only.

    Attributes:
        last_seen: event time of its latest evidence.
        changed_at: event time of its latest fact: none of its facts occurs earlier.
        threats: in the order in which they joined (keys only: there may be very many).
        resolved_at, resolved_after: when it was resolved, and the latest evidence of that moment.
        resolved_because: the reason that was given.
    """

    incident: UUID
    opened_at: Micros
    last_seen: Micros
    entities: tuple[str, ...]
    level: Level
    risk: float
    status: Status = "open"
    changed_at: Micros = 0
    resolved_at: Micros = 0
    resolved_after: Micros = 0
    resolved_because: str = ""
    threats: dict[UUID, None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class State:
    """Every incident that can still be joined, with indexes by entity, peer and threat."""

    incidents: dict[UUID, Incident] = field(default_factory=dict)
    by_threat: dict[UUID, UUID] = field(default_factory=dict)
    by_entity: dict[str, set[UUID]] = field(default_factory=dict)
    by_peer: dict[str, set[UUID]] = field(default_factory=dict)
    threats: dict[UUID, Threat] = field(default_factory=dict)
    verdicts: dict[UUID, str] = field(default_factory=dict)

    def incident_of(self, threat: UUID) -> Incident | None:
        """The incident that holds a threat."""
        found = self.by_threat.get(threat)
        return None if found is None else self.incidents[found]


def learn(state: State, threat: Threat) -> State:
    """The state after a threat was reported or continued."""
    known = state.threats.get(threat.threat)
    if known is not None:
        # a bounded sample of peers is replaced by the next: what was a peer once stays one for the joining
        peers = tuple(dict.fromkeys(known.peers + threat.peers))[:200]
        threat = Threat(
            threat=threat.threat,
            entity=threat.entity,
            kind=threat.kind,
            title=threat.title,
            level=threat.level,
            risk=threat.risk,
            peers=peers,
            first_seen=min(known.first_seen, threat.first_seen),
            last_seen=max(known.last_seen, threat.last_seen),
        )
    state.threats[threat.threat] = threat
    incident = state.incident_of(threat.threat)
    if incident is not None:
        _index(state, incident, threat)
    return state


def judge(state: State, event: VerdictGiven) -> State:
    """The state after a verdict."""
    state.verdicts[event.threat] = event.verdict
    return state


def evolve(state: State, event: Event, occurred_at: Micros) -> State:
    """The state after a fact of an incident."""
    match event:
        case IncidentOpened():
            state.incidents[event.incident] = Incident(
                incident=event.incident,
                opened_at=occurred_at,
                last_seen=occurred_at,
                entities=event.entities,
                level=event.level,
                risk=event.risk,
            )
            _join(state, event.incident, event.threat)
        case ThreatLinked():
            _raise(state.incidents[event.incident], event.level, event.risk)
            state.incidents[event.incident].entities = event.entities
            _join(state, event.incident, event.threat)
        case IncidentEscalated():
            _raise(state.incidents[event.incident], event.level, event.risk)
        case IncidentMerged():
            state.incidents[event.incident].status = "merged"
        case IncidentAcknowledged():
            state.incidents[event.incident].status = "acknowledged"
        case IncidentResolved():
            state.incidents[event.incident].status = "resolved"
            state.incidents[event.incident].resolved_at = occurred_at
            state.incidents[event.incident].resolved_because = event.reason
            state.incidents[event.incident].resolved_after = state.incidents[event.incident].last_seen
        case IncidentReopened():
            state.incidents[event.incident].status = "open"
        case NoteAdded():
            pass
    held = state.incidents[event.incident]
    held.changed_at = max(held.changed_at, occurred_at)
    return state


def _raise(incident: Incident, level: Level, risk: float) -> None:
    incident.level, incident.risk = level, risk


def _join(state: State, incident: UUID, threat: UUID) -> None:
    held = state.incidents[incident]
    held.threats[threat] = None
    state.by_threat[threat] = incident
    known = state.threats.get(threat)
    if known is not None:
        _index(state, held, known)


def _index(state: State, incident: Incident, threat: Threat) -> None:
    incident.last_seen = max(incident.last_seen, threat.last_seen)
    state.by_entity.setdefault(threat.entity, set()).add(incident.incident)
    for peer in threat.peers:
        state.by_peer.setdefault(peer, set()).add(incident.incident)
