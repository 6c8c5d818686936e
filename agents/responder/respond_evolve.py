"""How facts of responses change what the responder remembers of them.

Rules:
    1. What is over (rejected, expired, every action ended) is forgotten but for the level at which it was proposed.
    2. An answer that comes too late changes nothing of what has begun.
    3. A target is let go when the last action on it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from agents.responder.respond_state import (
    OBSERVED,
    STOPPED,
    ActionEvent,
    Held,
    Lapse,
    Response,
    ResponseEvent,
    ResponseState,
    bound,
    hold_of,
    idle,
)
from domain.facts.response import (
    UNSURE,
    ActionFailed,
    ActionRetried,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    ResponseApproved,
    ResponseDeferred,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    ResponseUnavailable,
    UndoRequested,
)
from domain.targets import target_of
from domain.values import HOUR, Micros


def evolve(state: ResponseState, event: ResponseEvent, at: Micros, *, person: bool = False) -> None:
    """The state after a fact of a response that was recorded at `at`, by a `person` or by an agent."""
    if isinstance(event, ResponseProposed):
        _propose(state, event, at)
        return
    if isinstance(event, ResponseUnavailable):
        state.unanswered[event.incident, event.threat] = event.level
        bound(state.unanswered)
        return
    response = state.responses.get(event.response)
    if response is None:
        return  # it was over: an answer that came too late
    if isinstance(event, ActionEvent):
        _act(state, response, event, at)
    else:
        _answered(response, event, at, person=person)
    _forget(state, response, event, at, person=person)


def _answered(
    response: Response,
    event: ResponseApproved | ResponseDeferred | ResponseRejected | ResponseExpired | UndoRequested,
    at: Micros,
    *,
    person: bool,
) -> None:
    match event:
        case ResponseApproved():
            response.status, response.consent, response.deferred = "approved", person, None
        case ResponseDeferred():
            _deferred(response, event, at)
        case ResponseRejected() | ResponseExpired():
            if not response.begun:  # what has begun is not over by an answer that came too late
                response.status = "over"
        case UndoRequested():
            for held in response.actions.values():  # asked for again, it is tried again at once
                held.undo, held.failed_at = held.undo or event.reason, 0
        case _:
            assert_never(event)


def _deferred(response: Response, event: ResponseDeferred, at: Micros) -> None:
    response.deferred = event
    if event.asks:  # whoever is asked has the whole time for an answer
        response.status, response.since = "proposed", at


def _propose(state: ResponseState, event: ResponseProposed, at: Micros) -> None:
    actions = {each.action: Held(action=each, response=event.response) for each in event.actions}
    state.responses[event.response] = Response(proposed=event, incident=event.incident, since=at, actions=actions)
    state.answered[event.incident, event.threat] = event.level
    state.lapsed.pop(event.threat, None)
    state.wanted.pop(event.threat, None)
    bound(state.answered)


def _act(state: ResponseState, response: Response, event: ActionEvent, at: Micros) -> None:
    response.begun = True
    _EVOLVE[type(event)](state, response.actions[event.action], event, at)


def _started(state: ResponseState, held: Held, event: ActionStarted, at: Micros) -> None:
    held.state, held.expires_at, held.under_way, held.by = "started", event.expires_at, True, event.by
    state.live[event.action] = held
    state.holds.setdefault(hold_of(held.action), {})[event.action] = None
    state.started.append((at, event.target))
    while at - state.started[0][0] > HOUR:
        state.started.popleft()


def _retried(_: ResponseState, held: Held, event: ActionRetried, at: Micros) -> None:
    del event, at
    held.under_way = True


def _succeeded(_: ResponseState, held: Held, event: ActionSucceeded, at: Micros) -> None:
    del event, at
    held.state, held.touched, held.under_way = "succeeded", True, False


def _verified(_: ResponseState, held: Held, event: ActionVerified, at: Micros) -> None:
    held.touched = True
    if event.in_force:
        held.state, held.tries = "verified", 0
    else:
        held.state, held.tries, held.failed_at = "started", held.tries + 1, at


def _failed(_: ResponseState, held: Held, event: ActionFailed, at: Micros) -> None:
    if held.state == "proposed":
        held.state = "refused"  # by the gate: nothing was done
    elif event.phase == "undo":
        held.undo_tries, held.failed_at = event.attempt, at
    else:
        held.tries, held.failed_at = event.attempt, at
        held.under_way = held.under_way and event.phase == "gate"  # which comes before the first look
        held.touched = held.touched or event.phase in UNSURE
        held.undo = held.undo or ("failure" if event.phase == "gate" else None)


def _undone(state: ResponseState, held: Held, event: ActionUndone, at: Micros) -> None:
    del at
    held.state = "undone"
    if event.reason == "failure":
        state.failed[held.response] = state.responses[held.response].incident
        bound(state.failed)
    state.live.pop(event.action, None)
    if not held.touched:
        _never_happened(state, target_of(held.action))
    holders = state.holds.get(hold_of(held.action), {})
    holders.pop(event.action, None)
    if not holders:
        state.holds.pop(hold_of(held.action), None)


def _never_happened(state: ResponseState, target: str) -> None:
    """The latest start on a target touched nothing: it counts as an attempt, not as a target."""
    for index in reversed(range(len(state.started))):
        at, known = state.started[index]
        if known == target:
            state.started[index] = at, ""
            return


_EVOLVE: Final[dict[type, Callable[[ResponseState, Held, Any, Micros], None]]] = {
    ActionStarted: _started,
    ActionRetried: _retried,
    ActionSucceeded: _succeeded,
    ActionVerified: _verified,
    ActionFailed: _failed,
    ActionUndone: _undone,
}


def _forget(state: ResponseState, response: Response, event: ResponseEvent, at: Micros, *, person: bool) -> None:
    ended = all(held.state in {"refused", "undone"} for held in response.actions.values())
    if response.status == "over" or (response.begun and ended):
        del state.responses[response.proposed.response]
        if not person:
            _lapse(state, response, event, at)


def _lapse(state: ResponseState, response: Response, event: ResponseEvent, at: Micros) -> None:
    """What ended because all was stopped, or in observe, is wanted again as soon as the mode allows.

    What a verdict, an exception, the end of the incident or its own time ended is wanted with further evidence; what a
    person refused, nobody answered, or failed, no more.
    """
    threat = response.proposed.threat
    match event:
        case ActionUndone():
            why: str | None = event.reason
        case ResponseRejected() if response.proposed.mode == "observe" or event.reason.startswith((STOPPED, OBSERVED)):
            why = "stop"
        case ResponseExpired():
            why = None
        case _:
            why = next((held.undo for held in response.actions.values() if held.undo), None) or idle(state, response)
    if why == "stop":
        state.wanted[threat] = response.proposed.response
        bound(state.wanted)
    elif why not in {None, "operator", "failure", "drill", ""}:
        state.lapsed[threat] = Lapse(response=response.proposed.response, at=at if why == "ttl" else 0)
        bound(state.lapsed)
