"""From sightings to threats.

Rules:
    1. A sighting below the threshold decides nothing (it stays a candidate in the ledger).
    2. The first one of an entity and topic is a `threat-detected`; what follows within the quiet gap continues it, and
       so does whatever begins with the same evidence row: it would have the same id. The *topic* is the kind and what
       the finding is about (the peer of a beacon, the domain of a tunnel, the service of a scan, a rule): one that
       means no harm hides none that does.
    3. Of one entity and kind so many threats go on at a time (`MOST`, `MOST_SCANS`), so that a scan of all ports is no
       flood of threats. What comes beyond them is one more threat, about `OTHERS`.
    4. A continuation holds the new totals, so that the newest fact alone says how the threat stands. Evidence less
       grave than what was seen before leaves title, score, risk and evidence as they were.
    5. The id of a threat derives from the feed's name, the entity, the topic and the first evidence row: nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias
from uuid import UUID

from agents.detector.policy import Policy
from agents.detector.title import techniques_of, title_of
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.sighting import OTHERS, Sighting, topic_of
from domain.values import RULE_RISK, Micros, ThreatKind, confidence_of, level_of, risk_of, threat_id

Event: TypeAlias = ThreatDetected | ThreatContinued

MOST: Final = 64
"""Threats of one entity and kind that go on at a time. Matches of rules are bounded by the rules."""

MOST_SCANS: Final = 8
"""The same of scans: who looks for more services, or on more hosts, looks for whatever there is."""

SCANS: Final[frozenset[ThreatKind]] = frozenset({"horizontal-scan", "vertical-scan"})


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
    """A threat that is going on: how many facts it has, when it was seen, the fact with its gravest evidence."""

    threat: UUID
    facts: int
    first_seen: Micros
    last_seen: Micros
    gravest: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The threats of one feed that are going on: by entity and kind, and there by topic."""

    active: dict[tuple[str, ThreatKind], dict[str, Active]] = field(default_factory=dict)

    def of(self, event: Event) -> Active:
        """The threat that a fact is about, as it stands after it."""
        return self.active[event.entity, event.threat_kind][_topic(event)]


def decide(policy: Policy, command: Sight, state: State) -> list[Event]:
    """The facts that a sighting makes: none, a new threat, or the continuation of a known one."""
    seen = command.sighting
    if seen.score < policy.threshold:
        return []
    threats = state.active.get((seen.entity, seen.kind), {})
    if (known := _going_on(policy, command, threats)) is not None:
        return [_continue(command, known)]
    if seen.about and _is_full(policy, seen, threats):
        command = replace(command, sighting=replace(seen, about=OTHERS))
        if (known := _going_on(policy, command, threats)) is not None:
            return [_continue(command, known)]
    return [_detect(command)]


def evolve(state: State, event: Event) -> State:
    """The state after a fact. The mapping is shared with the old state: hold on to the new one only."""
    threats = state.active.setdefault((event.entity, event.threat_kind), {})
    topic = _topic(event)
    match event:
        case ThreatDetected():
            threats[topic] = Active(
                threat=event.threat,
                facts=1,
                first_seen=event.first_seen,
                last_seen=event.last_seen,
                gravest=event,
            )
        case ThreatContinued():
            known = threats[topic]
            threats[topic] = Active(
                threat=known.threat,
                facts=known.facts + 1,
                first_seen=min(known.first_seen, event.first_seen),
                last_seen=event.last_seen,
                gravest=event if event.score >= known.gravest.score else known.gravest,
            )
    return state


def forget(policy: Policy, state: State, now: Micros) -> State:
    """Drop what ended long before `now`, so that the state stays bounded."""
    horizon = now - policy.remember
    kept = {
        key: {topic: threat for topic, threat in threats.items() if threat.last_seen >= horizon}
        for key, threats in state.active.items()
    }
    return State(active={key: threats for key, threats in kept.items() if threats})


def _topic(event: Event) -> str:
    return topic_of(event.threat_kind, event.rules, event.about)


def _going_on(policy: Policy, command: Sight, threats: dict[str, Active]) -> Active | None:
    """The threat that a sighting continues."""
    seen = command.sighting
    known = threats.get(seen.topic)
    if known is None or (seen.first_seen - known.last_seen > policy.quiet_gap and _id(command) != known.threat):
        return None
    return known


def _is_full(policy: Policy, seen: Sighting, threats: dict[str, Active]) -> bool:
    """Whether as many threats of the kind go on as may."""
    most = MOST_SCANS if seen.kind in SCANS else MOST
    if len(threats) < most:
        return False
    return sum(seen.first_seen - known.last_seen <= policy.quiet_gap for known in threats.values()) >= most


def _id(command: Sight) -> UUID:
    seen = command.sighting
    return threat_id(command.feed, seen.entity, seen.topic, seen.evidence)


def risk_at(seen: Sighting) -> float:
    """The risk of a sighting: by its kind, or by the gravest of the rules that matched."""
    levels = sorted((rule.level for rule in seen.rules), key=RULE_RISK.__getitem__)
    return risk_of(seen.kind, seen.score, levels[-1] if levels else None)


def _detect(command: Sight) -> ThreatDetected:
    seen, versions = command.sighting, command.versions
    risk = risk_at(seen)
    return ThreatDetected(
        threat=_id(command),
        feed=command.feed,
        entity=seen.entity,
        threat_kind=seen.kind,
        title=title_of(seen),
        score=seen.score,
        risk=risk,
        level=level_of(risk),
        confidence=confidence_of(seen.score),
        detected_at=seen.at,
        first_seen=_begin(seen),
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
        about=seen.about,
    )


def _continue(command: Sight, known: Active) -> ThreatContinued:
    seen = command.sighting
    grave = known.gravest
    first_seen, last_seen = min(known.first_seen, _begin(seen)), max(known.last_seen, seen.last_seen)
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
            flow_count=_count(grave, seen),
            flows=grave.flows,
            row=seen.row,
            first_seen=first_seen,
            about=seen.about,
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
        first_seen=first_seen,
        about=seen.about,
    )


def _count(grave: Event, seen: Sighting) -> int:
    """Records of a threat whose gravest evidence stays; those of an anomaly are one window's, like all its numbers."""
    return grave.flow_count if seen.kind == "anomaly" else max(grave.flow_count, seen.flow_count)


def _begin(seen: Sighting) -> Micros:
    return min([seen.first_seen, *(flow.ts for flow in seen.flows)])
