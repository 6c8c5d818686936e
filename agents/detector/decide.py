"""From sightings to threats.

Rules:
    1. A sighting below the threshold decides nothing (it stays a candidate in the ledger).
    2. The first one of an entity and kind is a `threat-detected`; what follows within the quiet gap continues it.
    3. A continuation holds the new totals, so that the newest fact alone says how the threat stands.
    4. The id of a threat derives from the feed's name, the entity, the kind and the first evidence row: nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

from agents.detector.policy import Policy
from agents.detector.title import title_of
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.sighting import Sighting
from domain.values import KINDS, Micros, ThreatKind, confidence_of, level_of, risk_of, threat_id

Event: TypeAlias = ThreatDetected | ThreatContinued


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What was live when a decision fell."""

    model: str
    rules: str
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Command: decide about one sighting of a feed."""

    feed: str
    sighting: Sighting
    versions: Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A threat that is going on: its id, how many facts it has, when it was last seen."""

    threat: UUID
    facts: int
    last_seen: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The threats of one feed that are going on, by entity and kind."""

    active: dict[tuple[str, ThreatKind], Active] = field(default_factory=dict)


def decide(policy: Policy, command: Sight, state: State) -> list[Event]:
    """The facts that a sighting makes: none, a new threat, or the continuation of a known one."""
    seen = command.sighting
    if seen.score < policy.threshold:
        return []
    known = state.active.get((seen.entity, seen.kind))
    if known is None or seen.first_seen - known.last_seen > policy.quiet_gap:
        return [_detect(command)]
    return [_continue(command, known)]


def evolve(state: State, event: Event) -> State:
    """The state after a fact. The mapping is shared with the old state: hold on to the new one only."""
    key = (event.entity, event.threat_kind)
    match event:
        case ThreatDetected():
            state.active[key] = Active(threat=event.threat, facts=1, last_seen=event.last_seen)
        case ThreatContinued():
            known = state.active[key]
            latest = max(known.last_seen, event.last_seen)
            state.active[key] = replace(known, facts=known.facts + 1, last_seen=latest)
    return state


def forget(policy: Policy, state: State, now: Micros) -> State:
    """Drop what ended more than two quiet gaps before `now`, so that the state stays bounded."""
    horizon = now - 2 * policy.quiet_gap
    return State(active={key: threat for key, threat in state.active.items() if threat.last_seen >= horizon})


def _detect(command: Sight) -> ThreatDetected:
    seen, versions = command.sighting, command.versions
    risk = risk_of(seen.kind, seen.score)
    return ThreatDetected(
        threat=threat_id(command.feed, seen.entity, seen.kind, seen.evidence),
        feed=command.feed,
        entity=seen.entity,
        threat_kind=seen.kind,
        title=title_of(seen),
        score=seen.score,
        risk=risk,
        level=level_of(risk),
        confidence=confidence_of(seen.score),
        detected_at=seen.at,
        first_seen=seen.first_seen,
        last_seen=seen.last_seen,
        peers=seen.peers,
        techniques=KINDS[seen.kind].techniques,
        rules=(),
        votes=seen.votes,
        features=seen.features,
        flow_count=seen.flow_count,
        flows=seen.flows,
        row=seen.row,
        model_version=versions.model,
        rules_version=versions.rules,
        settings_version=versions.settings,
    )


def _continue(command: Sight, known: Active) -> ThreatContinued:
    seen = command.sighting
    risk = risk_of(seen.kind, seen.score)
    return ThreatContinued(
        threat=known.threat,
        entity=seen.entity,
        threat_kind=seen.kind,
        title=title_of(seen),
        score=seen.score,
        risk=risk,
        level=level_of(risk),
        confidence=confidence_of(seen.score),
        last_seen=max(known.last_seen, seen.last_seen),
        peers=seen.peers,
        votes=seen.votes,
        features=seen.features,
        flow_count=seen.flow_count,
        flows=seen.flows,
        row=seen.row,
    )
