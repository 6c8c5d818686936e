"""What holds an incident back: which of its threats count, and which responses keep them.

Rules:
    1. An incident is contained as long as its gravest threat is held back; of equally grave ones any will do. That a
       lesser one is held back contains nothing. A threat that was judged wrong, or that an exception covers, counts
       no more, unless there is no other.
    2. It is contained when every action of a response is in force and was seen, and one of them holds the threat back.
       It is released when nothing that contained it, and still counts, is live.
    3. What rehearsed actuators did holds nothing back: they only write down what they would do.
"""

from __future__ import annotations

from uuid import UUID

from agents.responder.respond_state import Response, ResponseState, Suspect
from domain.facts.incident import IncidentContained, IncidentReleased, ReleaseReason
from domain.facts.response import CONTAINING, Action


def gravest(state: ResponseState, incident: UUID) -> Suspect | None:
    """The threat that an incident is about: the one of the highest risk, the latest among equals."""
    known = [state.suspects[each] for each in state.members.get(incident, ()) if each in state.suspects]
    wanted = [each for each in known if each.threat not in state.wrong and each.threat not in state.covered]
    return max(wanted, key=lambda each: each.risk, default=None)


def contained_by(state: ResponseState, response: UUID, rehearsed: frozenset[str]) -> IncidentContained | None:
    """The incident that a response contains, every action of it being in force now."""
    known = state.responses.get(response)
    if known is None or not _in_force(known, rehearsed) or not _counts(state, known.incident, known.proposed.threat):
        return None
    return IncidentContained(incident=known.incident, response=response)


def released_by(
    state: ResponseState, response: UUID, reason: ReleaseReason, rehearsed: frozenset[str]
) -> IncidentContained | IncidentReleased | None:
    """What the end of an action of a response means for the incident that the response contained."""
    incident = next((each for each, responses in state.contained.items() if response in responses), None)
    if incident is None or _held(state, incident, rehearsed):
        return None
    other = _container(state, incident, rehearsed)
    return other or IncidentReleased(incident=incident, response=response, reason=reason)


def weighed(
    state: ResponseState, incident: UUID, reason: ReleaseReason, rehearsed: frozenset[str]
) -> IncidentContained | IncidentReleased | None:
    """What it means for an incident that others of its threats count now: contained, released, or nothing."""
    before = state.contained.get(incident)
    if incident in state.over or (before and _held(state, incident, rehearsed)):
        return None
    other = _container(state, incident, rehearsed)
    if other is not None or not before:
        return other
    return IncidentReleased(incident=incident, response=next(reversed(before)), reason=reason)


def _counts(state: ResponseState, incident: UUID, threat: UUID) -> bool:
    most, known = gravest(state, incident), state.suspects.get(threat)
    return most is None or (
        known is not None and known.risk >= most.risk and threat not in state.wrong and threat not in state.covered
    )


def _held(state: ResponseState, incident: UUID, rehearsed: frozenset[str]) -> bool:
    known = (state.responses.get(each) for each in state.contained.get(incident, ()))
    return any(
        _holds_back(held.action, rehearsed)
        for response in known
        if response is not None and _counts(state, incident, response.proposed.threat)
        for held in response.actions.values()
        if held.action.action in state.live
    )


def _container(state: ResponseState, incident: UUID, rehearsed: frozenset[str]) -> IncidentContained | None:
    found = (
        contained_by(state, each, rehearsed) for each, known in state.responses.items() if known.incident == incident
    )
    return next((each for each in found if each is not None), None)


def _in_force(response: Response, rehearsed: frozenset[str]) -> bool:
    actions = response.actions.values()
    return all(held.state == "verified" and held.undo is None for held in actions) and any(
        _holds_back(held.action, rehearsed) for held in actions
    )


def _holds_back(action: Action, rehearsed: frozenset[str]) -> bool:
    return action.verb in CONTAINING and action.actuator not in rehearsed
