"""From sightings to threats.

Rules:
    1. A sighting below the threshold decides nothing (it stays a candidate in the ledger).
    2. The first one of an entity and kind is a `threat-detected`; what follows within the quiet gap continues it, and
       so does whatever begins with the same evidence row: it would have the same id. Matches of two rules are two
       threats of an entity: there the rule belongs to the kind (its *topic*).
    3. A continuation holds the new totals, so that the newest fact alone says how the threat stands. Evidence less
       grave than what was seen before leaves title, score, risk and evidence as they were.
    4. The id of a threat derives from the feed's name, the entity, the topic and the first evidence row: nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

from agents.detector.policy import Policy
from agents.detector.title import techniques_of, title_of
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.sighting import Sighting, topic_of
from domain.values import RULE_RISK, Micros, confidence_of, level_of, risk_of, threat_id

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
    """A threat that is going on: how many facts it has, when it was last seen, the fact with its gravest evidence."""

    threat: UUID
    facts: int
    last_seen: Micros
    gravest: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The threats of one feed that are going on, by entity and topic."""

    active: dict[tuple[str, str], Active] = field(default_factory=dict)


def decide(policy: Policy, command: Sight, state: State) -> list[Event]:
    """The facts that a sighting makes: none, a new threat, or the continuation of a known one."""
    seen = command.sighting
    if seen.score < policy.threshold:
        return []
    known = state.active.get((seen.entity, seen.topic))
    detected = _detect(command)
    if known is None or (seen.first_seen - known.last_seen > policy.quiet_gap and detected.threat != known.threat):
        return [detected]
    return [_continue(command, known)]


def evolve(state: State, event: Event) -> State:
    """The state after a fact. The mapping is shared with the old state: hold on to the new one only."""
    key = (event.entity, topic_of(event.threat_kind, event.rules))
    match event:
        case ThreatDetected():
            state.active[key] = Active(threat=event.threat, facts=1, last_seen=event.last_seen, gravest=event)
        case ThreatContinued():
            known = state.active[key]
            gravest = event if event.score >= known.gravest.score else known.gravest
            state.active[key] = replace(known, facts=known.facts + 1, last_seen=event.last_seen, gravest=gravest)
    return state


def forget(policy: Policy, state: State, now: Micros) -> State:
    """Drop what ended long before `now`, so that the state stays bounded."""
    horizon = now - policy.remember
    return State(active={key: threat for key, threat in state.active.items() if threat.last_seen >= horizon})


def risk_at(seen: Sighting) -> float:
    """The risk of a sighting: by its kind, or by the gravest of the rules that matched."""
    levels = sorted((rule.level for rule in seen.rules), key=RULE_RISK.__getitem__)
    return risk_of(seen.kind, seen.score, levels[-1] if levels else None)


def _detect(command: Sight) -> ThreatDetected:
    seen, versions = command.sighting, command.versions
    risk = risk_at(seen)
    return ThreatDetected(
        threat=threat_id(command.feed, seen.entity, seen.topic, seen.evidence),
        feed=command.feed,
        entity=seen.entity,
        threat_kind=seen.kind,
        title=title_of(seen),
        score=seen.score,
        risk=risk,
        level=level_of(risk),
        confidence=confidence_of(seen.score),
        detected_at=seen.at,
        first_seen=min([seen.first_seen, *(flow.ts for flow in seen.flows)]),
        last_seen=seen.last_seen,
        peers=seen.peers,
        techniques=techniques_of(seen),
        rules=seen.rules,
        detail=seen.detail,
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
    grave = known.gravest
    last_seen = max(known.last_seen, seen.last_seen)
    if seen.score < grave.score:
        return ThreatContinued(
            threat=known.threat,
            entity=seen.entity,
            threat_kind=seen.kind,
            title=grave.title,
            score=grave.score,
            risk=grave.risk,
            level=grave.level,
            confidence=grave.confidence,
            techniques=grave.techniques,
            rules=grave.rules,
            detail=grave.detail,
            last_seen=last_seen,
            peers=grave.peers,
            votes=grave.votes,
            features=grave.features,
            flow_count=max(grave.flow_count, seen.flow_count),
            flows=grave.flows,
            row=seen.row,
        )
    risk = risk_at(seen)
    return ThreatContinued(
        threat=known.threat,
        entity=seen.entity,
        threat_kind=seen.kind,
        title=title_of(seen),
        score=seen.score,
        risk=risk,
        level=level_of(risk),
        confidence=confidence_of(seen.score),
        techniques=techniques_of(seen),
        rules=seen.rules,
        detail=seen.detail,
        last_seen=last_seen,
        peers=seen.peers,
        votes=seen.votes,
        features=seen.features,
        flow_count=seen.flow_count,
        flows=seen.flows,
        row=seen.row,
    )
