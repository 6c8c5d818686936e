"""The intake: threats into incidents.

Rules:
    1. A threat of medium level or above joins the oldest incident that it belongs to, else it opens one.
    2. It belongs to an incident of the same entity (any status but merged, within the windows), to one whose entity is
       among its peers or whose threats have it among theirs, or that calls the same outside peer.
    3. A threat that belongs to several bridges them: the younger are merged into the oldest.
    4. A resolved incident is reopened by its own entity within the reopen window; after that a new one opens.
    5. An incident whose every threat was judged incorrect is resolved as a false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from agents.responder.policy import Policy
from agents.responder.state import Event, Incident, State, Threat
from domain.errors import MyrmidonError
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    LinkReason,
    NoteAdded,
    ThreatLinked,
)
from domain.values import Micros, ThreatKind, incident_id, level_of

SHARED_PEER: Final[frozenset[ThreatKind]] = frozenset({"beacon", "exfiltration", "dns-tunnel", "generated-domains"})
"""Kinds whose outside peer is a finding of its own: two clients of one command server are one incident."""


STEP: Final = 0.5
"""Risk by which a threat must have grown for its incident to say so, unless it grew into another level."""

FALSE_ALARM: Final = "false alarm: every threat was judged incorrect"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeIn:
    """Command: a threat was reported or went on, at event time `at`."""

    threat: UUID
    at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Command of an operator."""

    incident: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Command of an operator."""

    incident: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """Command of an operator."""

    incident: UUID
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconsider:
    """Command: a verdict was given on a threat."""

    threat: UUID


Command: TypeAlias = TakeIn | Acknowledge | Resolve | Annotate | Reconsider


class NotPossible(MyrmidonError):  # noqa: N818 - says what it is
    """The incident is not in a state that allows the command."""


def decide(policy: Policy, command: Command, state: State) -> list[Event]:
    """The facts that a command makes."""
    match command:
        case TakeIn():
            return _take_in(policy, state.threats[command.threat], command.at, state)
        case Acknowledge():
            held = _working(state, command.incident)
            return [] if held.status == "acknowledged" else [IncidentAcknowledged(incident=held.incident)]
        case Resolve():
            return [IncidentResolved(incident=_working(state, command.incident).incident, reason=command.reason)]
        case Annotate():
            return [NoteAdded(incident=_known(state, command.incident).incident, text=command.text)]
        case Reconsider():
            return _reconsider(state, command.threat)
        case _:
            assert_never(command)


def _known(state: State, incident: UUID) -> Incident:
    held = state.incidents.get(incident)
    if held is None:
        raise NotPossible(f"incident {incident} is not known: see `myrmidon incidents list`")
    return held


def _working(state: State, incident: UUID) -> Incident:
    held = _known(state, incident)
    if held.status in {"resolved", "merged"}:
        raise NotPossible(f"incident {incident} is {held.status}: only an open one can be worked on")
    return held


def _take_in(policy: Policy, threat: Threat, at: Micros, state: State) -> list[Event]:
    if threat.risk < policy.open_from:
        return []
    group = _belongs_to(policy, threat, at, state)
    if not group:
        return [_open(threat)]
    home, reason = group[0]
    events: list[Event] = []
    if home.status == "resolved":
        events.append(IncidentReopened(incident=home.incident, threat=threat.threat))
    if threat.threat in home.threats:
        events += _grow(home, threat)
    else:
        events.append(_link(home, threat, reason))
    return events + _bridge(home, threat, [other for other, _ in group[1:] if other.status != "resolved"], state)


def _belongs_to(policy: Policy, threat: Threat, at: Micros, state: State) -> list[tuple[Incident, LinkReason]]:
    """Incidents the threat belongs to: those being worked on before resolved ones, then the oldest first."""
    found: dict[UUID, LinkReason] = {}
    for incident in state.by_entity.get(threat.entity, ()):
        found[incident] = "same-entity"
    for incident in state.by_peer.get(threat.entity, ()):
        found.setdefault(incident, "flows")
    for peer in threat.peers:
        for incident in state.by_entity.get(peer, ()):
            found.setdefault(incident, "flows")
        if threat.kind in SHARED_PEER:
            for incident in state.by_peer.get(peer, ()):
                if any(state.threats[t].kind in SHARED_PEER for t in state.incidents[incident].threats):
                    found.setdefault(incident, "shared-peer")
    fitting = [
        (state.incidents[incident], reason)
        for incident, reason in found.items()
        if _joinable(policy, state.incidents[incident], reason, threat, at)
    ]
    return sorted(fitting, key=lambda pair: (pair[0].status == "resolved", pair[0].opened_at, pair[0].incident.hex))


def _joinable(policy: Policy, incident: Incident, reason: LinkReason, threat: Threat, at: Micros) -> bool:
    if incident.status == "merged":
        return False
    if incident.status == "resolved":
        # in a history that is read long afterwards the resolution lies in another time than the evidence
        since = incident.resolved_at if at >= incident.resolved_at else incident.resolved_after
        return reason == "same-entity" and at - since <= policy.reopen_window
    return threat.first_seen - incident.last_seen <= policy.join_window


def _open(threat: Threat) -> IncidentOpened:
    return IncidentOpened(
        incident=incident_id(threat.threat),
        threat=threat.threat,
        title=threat.title,
        level=threat.level,
        risk=threat.risk,
        entities=(threat.entity,),
    )


def _link(
    home: Incident,
    threat: Threat,
    reason: LinkReason,
    *,
    risk: float | None = None,
    entities: tuple[str, ...] | None = None,
) -> ThreatLinked:
    risk = max(home.risk, threat.risk) if risk is None else risk
    held = home.entities if entities is None else entities
    return ThreatLinked(
        incident=home.incident,
        threat=threat.threat,
        reason=reason,
        title=threat.title,
        level=level_of(risk),
        risk=risk,
        entities=tuple(dict.fromkeys((*held, threat.entity))),
    )


def _grow(home: Incident, threat: Threat) -> list[Event]:
    graver = level_of(threat.risk) != level_of(home.risk)
    if threat.risk <= home.risk or not (graver or threat.risk >= home.risk + STEP):
        return []
    return [
        IncidentEscalated(incident=home.incident, level=level_of(threat.risk), risk=threat.risk, title=threat.title)
    ]


def _bridge(home: Incident, bringing: Threat, younger: list[Incident], state: State) -> list[Event]:
    """Merge the younger incidents into `home`, threat by threat."""
    events: list[Event] = []
    risk = max(home.risk, bringing.risk)
    entities = tuple(dict.fromkeys((*home.entities, bringing.entity)))
    for other in younger:
        for threat in other.threats:
            if threat == bringing.threat and threat not in home.threats:
                continue  # it has just been linked
            risk = max(risk, state.threats[threat].risk)
            linked = _link(home, state.threats[threat], "merged", risk=risk, entities=entities)
            entities = linked.entities
            events.append(linked)
        events.append(IncidentMerged(incident=other.incident, into=home.incident))
    return events


def _reconsider(state: State, threat: UUID) -> list[Event]:
    """Close an incident whose threats are all false alarms; open it again when one of them turns out not to be."""
    held = state.incident_of(threat)
    if held is None or held.status == "merged":
        return []
    false_alarm = all(state.verdicts.get(other) == "incorrect" for other in held.threats)
    if held.status == "resolved":
        again = held.resolved_because == FALSE_ALARM and not false_alarm
        return [IncidentReopened(incident=held.incident, threat=threat)] if again else []
    return [IncidentResolved(incident=held.incident, reason=FALSE_ALARM)] if false_alarm else []
