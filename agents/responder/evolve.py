"""How facts change what the responder remembers, and how it forgets.

Rules:
    1. A threat or incident without news for `remember` of its feed's event time is forgotten, and so are, beyond the
       most that are kept, those that were heard of longest ago. What is forgotten can no longer be joined.
    2. An incident that forgets a threat that nobody dismissed is no false alarm any more, whatever is said of the rest.
    3. A verdict takes the place of an earlier one on the same threat, in all that follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

from agents.responder.exceptions import Suppression
from agents.responder.policy import Policy
from agents.responder.state import SHARED_PEER, Held, Incident, IncidentEvent, State, Threat
from domain.facts.assessment import (
    SuppressionAdded,
    SuppressionRemoved,
    ThreatAssessed,
    ThreatMerged,
    ThreatSuppressed,
)
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
from domain.values import Micros

Kept = TypeVar("Kept", Held, Incident)

PEERS: Final = 200
"""Peers of a threat that are kept: a bounded sample of them is replaced by the next."""

INCIDENT_PEERS: Final = 5_000
"""Peers by which an incident can be found."""

MOST_PASTS: Final = 10_000
"""Entities and kinds whose verdicts are remembered; those judged longest ago make room."""

SWEEPS: Final = 8
"""How often, in the time for which things are remembered, the old ones are looked for."""


def learn(policy: Policy, state: State, threat: Threat, at: Micros) -> State:
    """The state after a threat was reported or went on at event time `at` of its feed."""
    known = state.threats.pop(threat.threat, None)
    if known is None:
        known = Held(threat=threat, again=not threat.new)
    else:
        old = known.threat
        # a bounded sample of peers is replaced by the next: what was a peer once stays one for the joining
        known.threat = replace(
            threat,
            peers=old.peers if old.peers == threat.peers else tuple(dict.fromkeys(old.peers + threat.peers))[:PEERS],
            first_seen=min(old.first_seen, threat.first_seen),
            last_seen=max(old.last_seen, threat.last_seen),
            feed=threat.feed or old.feed,
            new=False,
        )
    state.threats[threat.threat] = known  # the last in the order
    feed = known.threat.feed
    state.clocks[feed] = max(state.clocks.get(feed, at), at)
    incident = state.incident_of(threat.threat) or (state.incident_of(known.into) if known.into else None)
    if incident is not None:
        state.incidents[incident.incident] = state.incidents.pop(incident.incident)
        _index(state, incident, known.threat)
    forget(policy, state, feed, spare=threat.threat)
    return state


def judge(state: State, event: VerdictGiven) -> State:
    """The state after a verdict; what is said of a threat that was forgotten teaches nothing."""
    held = state.threats.get(event.threat)
    if held is None:
        return state
    key = (held.threat.entity, held.threat.kind)
    past = state.past_of(held)
    state.pasts.pop(key, None)
    state.pasts[key] = past.plus(event.verdict, event.confidence)
    held.verdict, held.confidence = event.verdict, event.confidence
    if len(state.pasts) > MOST_PASTS:
        del state.pasts[next(iter(state.pasts))]
    return state


def suppress(state: State, event: SuppressionAdded | SuppressionRemoved) -> State:
    """The state after an exception was made or taken back."""
    match event:
        case SuppressionAdded():
            state.suppressions[event.suppression] = Suppression(
                suppression=event.suppression, scope=event.scope, expires_at=event.expires_at, reason=event.reason
            )
        case SuppressionRemoved():
            state.suppressions.pop(event.suppression, None)
    return state


def weigh(state: State, event: ThreatAssessed | ThreatMerged | ThreatSuppressed) -> State:
    """The state after a fact about a threat."""
    held = state.threats.get(event.threat)
    if held is None:
        return state
    topic = (held.threat.entity, held.threat.topic)
    match event:
        case ThreatAssessed():
            if held.risk is None:
                state.newest[topic] = event.threat
            held.risk = event.risk
        case ThreatMerged():
            held.into = event.into
            state.newest[topic] = event.into
            other = state.threats.get(event.into)
            if other is not None:
                other.duplicates = event.count
        case ThreatSuppressed():
            held.suppression = event.suppression
    return state


def evolve(state: State, event: IncidentEvent, occurred_at: Micros) -> State:
    """The state after a fact of an incident; of one that was forgotten nothing is known."""
    if isinstance(event, IncidentOpened):
        state.incidents[event.incident] = Incident(
            incident=event.incident, opened_at=occurred_at, last_seen=occurred_at, level=event.level, risk=event.risk
        )
    held = state.incidents.pop(event.incident, None)
    if held is not None:
        state.incidents[event.incident] = held  # the last in the order
        held.changed_at = max(held.changed_at, occurred_at)
        CHANGES[type(event)](state, held, event, occurred_at)
    return state


def _opened(state: State, held: Incident, event: IncidentOpened, _: Micros) -> None:
    _join(state, held, event.threat)


def _linked(state: State, held: Incident, event: ThreatLinked, _: Micros) -> None:
    held.level, held.risk = event.level, event.risk
    before = state.threats.get(event.threat)
    covered = before.suppression if before is not None and event.reason == "merged" else None
    _join(state, held, event.threat)
    if before is not None:
        before.suppression = covered  # that incidents are merged says nothing about exceptions


def _escalated(_: State, held: Incident, event: IncidentEscalated, __: Micros) -> None:
    held.level, held.risk = event.level, event.risk


def _merged(state: State, held: Incident, _: IncidentMerged, __: Micros) -> None:
    _drop_incident(state, held)


def _acknowledged(_: State, held: Incident, __: IncidentAcknowledged, ___: Micros) -> None:
    held.status = "acknowledged"


def _resolved(_: State, held: Incident, event: IncidentResolved, at: Micros) -> None:
    held.status, held.resolved_because = "resolved", event.reason
    held.resolved_at, held.resolved_after = at, held.last_seen


def _reopened(state: State, held: Incident, event: IncidentReopened, _: Micros) -> None:
    held.status = "open"
    again = state.threats.get(event.threat)
    if again is not None:
        again.suppression = None


def _noted(_: State, __: Incident, ___: NoteAdded, ____: Micros) -> None:
    """A note changes nothing that decisions look at."""


CHANGES: Final[dict[type[IncidentEvent], Callable[[State, Incident, Any, Micros], None]]] = {
    IncidentOpened: _opened,
    ThreatLinked: _linked,
    IncidentMerged: _merged,
    IncidentEscalated: _escalated,
    IncidentAcknowledged: _acknowledged,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    NoteAdded: _noted,
}
"""What each fact changes of its incident."""


def forget(policy: Policy, state: State, feed: str, *, spare: UUID) -> None:
    """Drop what is too old by the clock of `feed`, and what is too much; never the threat `spare`."""
    now = state.clocks[feed]
    if now - state.swept.setdefault(feed, now) > policy.remember // SWEEPS:
        state.swept[feed] = now
        horizon = now - policy.remember
        for held in [each for each in state.threats.values() if _is_old(each.threat, feed, horizon)]:
            if held.threat.threat != spare:
                _drop_threat(state, held)
        for incident in [each for each in state.incidents.values() if _is_old(each, feed, horizon)]:
            if spare not in incident.threats:
                _drop_incident(state, incident)
    for held in _too_many(state.threats, policy.most_threats):
        _drop_threat(state, held)
    for incident in _too_many(state.incidents, policy.most_incidents):
        _drop_incident(state, incident)


def _too_many(kept: dict[UUID, Kept], most: int) -> list[Kept]:
    """When there are too many, the first ones, and a tenth more: finding them one by one would take long."""
    excess = len(kept) - most
    return list(islice(kept.values(), excess + most // 10)) if excess > 0 else []


def _is_old(each: Threat | Incident, feed: str, horizon: Micros) -> bool:
    return each.feed == feed and each.last_seen < horizon


def _drop_threat(state: State, held: Held) -> None:
    threat = held.threat
    del state.threats[threat.threat]
    state.forgotten += 1
    if state.newest.get((threat.entity, threat.topic)) == threat.threat:
        del state.newest[threat.entity, threat.topic]
    incident = None if held.incident is None else state.incidents.get(held.incident)
    if incident is not None and incident.threats.pop(threat.threat, 0) is None:
        incident.lost = incident.lost or held.verdict != "incorrect"


def _drop_incident(state: State, incident: Incident) -> None:
    del state.incidents[incident.incident]
    for names, index in ((incident.entities, state.by_entity), (incident.peers, state.by_peer)):
        for name in names:
            index[name].discard(incident.incident)
            if not index[name]:
                del index[name]
    for threat in incident.threats:
        held = state.threats.get(threat)
        if held is not None and held.incident == incident.incident:
            held.incident, held.again = None, True


def _join(state: State, incident: Incident, threat: UUID) -> None:
    held = state.threats.get(threat)
    if held is None:
        incident.lost = True
        return
    before = state.incident_of(threat)
    if before is not None:
        before.threats.pop(threat, None)
    incident.threats[threat] = None
    held.incident, held.suppression = incident.incident, None
    _index(state, incident, held.threat)


def _index(state: State, incident: Incident, threat: Threat) -> None:
    incident.last_seen = max(incident.last_seen, threat.last_seen)
    incident.feed = threat.feed
    incident.calls_out = incident.calls_out or threat.kind in SHARED_PEER
    if threat.entity not in incident.entities:
        incident.entities[threat.entity] = None
        state.by_entity.setdefault(threat.entity, set()).add(incident.incident)
    for peer in threat.peers:
        if peer not in incident.peers and len(incident.peers) < INCIDENT_PEERS:
            incident.peers[peer] = None
            state.by_peer.setdefault(peer, set()).add(incident.incident)
