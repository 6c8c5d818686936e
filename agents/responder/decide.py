"""The intake: threats weighed, and grouped into incidents.

Rules:
    1. A threat is assessed when it is reported, and again when its risk has moved (`assess`). The assessed risk counts.
    2. What an exception covers opens and joins nothing. A threat of an open incident that comes under one stays in it
       and moves it no more; when every threat of it is covered, it is resolved. A verdict `correct` takes the threat
       out of the exception: its incident is opened after all, or again. When the exception is over, a threat that goes
       on counts again in the incident in which it stayed.
    3. A threat that repeats a running one of the same entity and kind within the merge window is counted there. It is
       worked for itself only if it is grave enough for an incident and the other one stands in none.
    4. A threat of medium level or above joins the oldest incident that it belongs to, else it opens one.
    5. It belongs to an incident of the same entity (within the windows), to one whose entity is among its peers or
       whose threats have it among theirs, or that calls the same outside peer.
    6. A threat that belongs to several bridges them: the younger are merged into the oldest.
    7. A resolved incident is reopened by its own entity within the reopen window; after that a new one opens.
    8. An incident whose every threat was judged incorrect is resolved as a false alarm; the last verdict counts. A
       threat that was judged so opens, joins and moves nothing, until another verdict says otherwise.
    9. Decisions fall in the order of the log; what is urgent goes first where things are carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never
from uuid import UUID, uuid5

from agents.responder.assess import MOVED, Case, assess, moved
from agents.responder.assets import Assets
from agents.responder.exceptions import Suppression
from agents.responder.policy import Policy
from agents.responder.state import SHARED_PEER, Event, Held, Incident, State
from domain.errors import MyrmidonError
from domain.facts.assessment import ThreatAssessed, ThreatMerged, ThreatSuppressed
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
from domain.values import Micros, incident_id, level_of

FALSE_ALARM: Final = "false alarm: every threat was judged incorrect"
UNKNOWN: Final = Assets()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Command: an exception was made."""

    suppression: UUID


Command: TypeAlias = TakeIn | Acknowledge | Resolve | Annotate | Reconsider | Silence


class NotPossible(MyrmidonError):  # noqa: N818 - says what it is
    """The incident is not in a state that allows the command."""


def decide(policy: Policy, command: Command, state: State, assets: Assets = UNKNOWN) -> list[Event]:
    """The facts that a command makes."""
    match command:
        case TakeIn():
            return _take_in(policy, command, state, assets)
        case Acknowledge():
            home = _working(state, command.incident)
            return [] if home.status == "acknowledged" else [IncidentAcknowledged(incident=home.incident)]
        case Resolve():
            return [IncidentResolved(incident=_working(state, command.incident).incident, reason=command.reason)]
        case Annotate():
            return [NoteAdded(incident=_known(state, command.incident).incident, text=command.text)]
        case Reconsider():
            held = state.threats.get(command.threat)
            return [] if held is None else _reconsider(policy, held, state)
        case Silence():
            return _silence(state.suppressions[command.suppression], state)
        case _:
            assert_never(command)


def _known(state: State, incident: UUID) -> Incident:
    found = state.incidents.get(incident)
    if found is None:
        raise NotPossible(f"incident {incident} is not known, or merged: see `myrmidon incidents list`")
    return found


def _working(state: State, incident: UUID) -> Incident:
    found = _known(state, incident)
    if found.status == "resolved":
        raise NotPossible(f"incident {incident} is {found.status}: only an open one can be worked on")
    return found


def _take_in(policy: Policy, command: TakeIn, state: State, assets: Assets) -> list[Event]:
    held = state.threats.get(command.threat)
    if held is None or _is_over(policy, held, command.at):
        return []
    events = _weigh(policy, held, state, assets)
    if held.verdict == "incorrect":
        return [*events]
    risk = events[0].risk if events else held.weight
    home = state.incident_of(command.threat)
    exception = _exception(held, home, command.at, state)
    if exception is not None:
        return [*events, *_suppress(held, exception)]
    if home is not None and home.status != "resolved" and held.suppression is not None:
        return [*events, _link(home, held, "uncovered", max(home.risk, risk))]
    repeated = _repeated(policy, held, risk, state)
    if repeated is not None:
        return [*events, *repeated]
    return [*events, *_group(policy, held, risk, command.at, state)] if risk >= policy.open_from else [*events]


def _is_over(policy: Policy, held: Held, at: Micros) -> bool:
    """News, come late, of a threat that was forgotten."""
    return held.again and held.incident is None and at - held.threat.last_seen > policy.remember


def _weigh(policy: Policy, held: Held, state: State, assets: Assets) -> list[ThreatAssessed]:
    threat = held.threat
    case = Case(
        risk=threat.risk,
        confidence=threat.confidence,
        rules=threat.rules,
        stake=assets.at_stake(threat.entity, threat.peers),
        past=state.past_of(held),
        kind=threat.kind,
        entity=threat.entity,
    )
    risk, contributions = assess(policy, case)
    if held.risk is not None and not moved(held.risk, risk):
        return []
    return [ThreatAssessed(threat=threat.threat, risk=risk, level=level_of(risk), contributions=contributions)]


def _exception(held: Held, home: Incident | None, at: Micros, state: State) -> Suppression | None:
    """What covers a threat now. One that is worked on comes under an exception only when that is made (`_silence`)."""
    worked = home is not None and home.status != "resolved"
    if held.verdict == "correct" or (worked and held.suppression is None):
        return None
    return state.covering(held.threat, at)


def _suppress(held: Held, exception: Suppression) -> list[Event]:
    if held.suppression == exception.suppression:
        return []
    return [
        ThreatSuppressed(threat=held.threat.threat, suppression=exception.suppression, reason=exception.reason),
    ]


def _repeated(policy: Policy, held: Held, risk: float, state: State) -> list[Event] | None:
    """What follows for the threat that this one repeats; None if it is to be worked for itself."""
    if held.incident is not None:
        return None
    other = state.threats.get(
        held.into or state.newest.get((held.threat.entity, held.threat.topic), held.threat.threat)
    )
    if other is None or other is held:
        return None
    home = state.incident_of(other.threat.threat)
    worked = home is not None and home.status != "resolved"
    if held.into is None and not (held.threat.new and _overlap(policy, held, other)):
        return None
    if risk >= policy.open_from and not worked:
        return None
    events: list[Event] = []
    if held.into is None:
        count = other.duplicates + 1
        events.append(ThreatMerged(threat=held.threat.threat, into=other.threat.threat, count=count))
    return events + (_grow(home, held, risk) if home is not None and worked else [])


def _overlap(policy: Policy, held: Held, other: Held) -> bool:
    one, two = held.threat, other.threat
    return max(one.first_seen - two.last_seen, two.first_seen - one.last_seen) <= policy.merge_window


def _group(policy: Policy, held: Held, risk: float, at: Micros, state: State) -> list[Event]:
    threat = held.threat
    group = _belongs_to(policy, held, at, state)
    if not group:
        return [_open(held, risk, at)]
    home, reason = group[0]
    events: list[Event] = []
    if home.status == "resolved":
        events.append(IncidentReopened(incident=home.incident, threat=threat.threat))
    if threat.threat in home.threats:
        events += _grow(home, held, risk)
    else:
        events.append(_link(home, held, reason, max(home.risk, risk)))
    return events + _bridge(home, held, risk, [other for other, _ in group[1:] if other.status != "resolved"], state)


def _belongs_to(policy: Policy, held: Held, at: Micros, state: State) -> list[tuple[Incident, LinkReason]]:
    """Incidents the threat belongs to: those being worked on before resolved ones, then the oldest first."""
    threat = held.threat
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
                if state.incidents[incident].calls_out:
                    found.setdefault(incident, "shared-peer")
    fitting = [
        (state.incidents[incident], reason)
        for incident, reason in found.items()
        if _joinable(policy, state.incidents[incident], reason, held, at)
    ]
    return sorted(fitting, key=lambda pair: (pair[0].status == "resolved", pair[0].opened_at, pair[0].incident.hex))


def _joinable(policy: Policy, incident: Incident, reason: LinkReason, held: Held, at: Micros) -> bool:
    if incident.status == "resolved":
        # in a history that is read long afterwards the resolution lies in another time than the evidence
        since = incident.resolved_at if at >= incident.resolved_at else incident.resolved_after
        return reason == "same-entity" and at - since <= policy.reopen_window
    return held.threat.first_seen - incident.last_seen <= policy.join_window


def _open(held: Held, risk: float, at: Micros) -> IncidentOpened:
    threat = held.threat
    # a threat that stood in an incident before, now over, opens another one
    before = held.again or held.incident is not None
    cause = uuid5(threat.threat, f"again|{at}") if before else threat.threat
    return IncidentOpened(
        incident=incident_id(cause),
        threat=threat.threat,
        title=threat.title,
        level=level_of(risk),
        risk=risk,
        entities=(threat.entity,),
    )


def _link(home: Incident, held: Held, reason: LinkReason, risk: float) -> ThreatLinked:
    return ThreatLinked(
        incident=home.incident,
        threat=held.threat.threat,
        reason=reason,
        title=held.threat.title,
        level=level_of(risk),
        risk=risk,
        entity=held.threat.entity,
    )


def _grow(home: Incident, held: Held, risk: float) -> list[Event]:
    graver = level_of(risk) != level_of(home.risk)
    if risk <= home.risk or not (graver or risk >= home.risk + MOVED):
        return []
    title = held.threat.title
    return [IncidentEscalated(incident=home.incident, level=level_of(risk), risk=risk, title=title)]


def _bridge(home: Incident, bringing: Held, risk: float, younger: list[Incident], state: State) -> list[Event]:
    """Merge the younger incidents into `home`, threat by threat."""
    events: list[Event] = []
    risk = max(home.risk, risk)
    for other in younger:
        for threat in other.threats:
            if threat == bringing.threat.threat and threat not in home.threats:
                continue  # it has just been linked
            held = state.threats[threat]
            risk = max(risk, held.weight)
            events.append(_link(home, held, "merged", risk))
        events.append(IncidentMerged(incident=other.incident, into=home.incident))
    return events


def _reconsider(policy: Policy, held: Held, state: State) -> list[Event]:
    """Close an incident whose threats are all false alarms; open it again when one of them turns out not to be."""
    threat = held.threat.threat
    home = state.incident_of(threat)
    if home is None:
        ended = held.suppression is not None and held.verdict == "correct" and held.weight >= policy.open_from
        return _group(policy, held, held.weight, held.threat.last_seen, state) if ended else []
    silenced = held.suppression is not None and held.verdict == "correct"
    false_alarm = not home.lost and all(state.threats[other].verdict == "incorrect" for other in home.threats)
    if home.status == "resolved":
        again = silenced or (home.resolved_because == FALSE_ALARM and not false_alarm)
        return [IncidentReopened(incident=home.incident, threat=threat)] if again else []
    if silenced:
        return [_link(home, held, "uncovered", max(home.risk, held.weight))]
    return [IncidentResolved(incident=home.incident, reason=FALSE_ALARM)] if false_alarm else []


def _silence(exception: Suppression, state: State) -> list[Event]:
    """Tell what is covered in the open incidents, and resolve those of which nothing else is left."""
    events: list[Event] = []
    for home in state.incidents.values():
        if home.status == "resolved" or not home.threats:
            continue
        members = [state.threats[threat] for threat in home.threats]
        covers = [None if held.verdict == "correct" else _covers(held, state) for held in members]
        for held, cover in zip(members, covers, strict=True):
            events += _suppress(held, cover) if cover else []
        if all(covers) and not home.lost:
            events.append(IncidentResolved(incident=home.incident, reason=exception.says))
    return events


def _covers(held: Held, state: State) -> Suppression | None:
    return state.covering(held.threat, held.threat.last_seen)
