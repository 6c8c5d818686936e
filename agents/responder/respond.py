"""From an incident to actions in force, and back: what may be proposed, begun, reported, taken back.

Rules:
    1. One response an incident, threat and level: its id is derived from the three, its actions' ids from it. When all
       was stopped, or the threat goes on after its end, another one takes its place: its id is derived from that too.
    2. What the gate refuses for every action is rejected at once; what it asks for waits for a person; the rest begins.
    3. No answer in time is no action. An answer after that comes too late. What finds no room (blast radius, rate)
       waits as long for it, and says so (`response-deferred`); then it is over too. What the policy approved and has
       not begun when the policy asks a person by now waits for an answer, as if it were proposed anew.
    4. An action is begun by a fact (`action-started`) that is recorded before its effect.
    5. What is to be done in the world follows from the state alone (`due.py`): a restart goes on where it stood.
    6. An action whose carrying out failed too often is taken back: nobody knows how far it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never
from uuid import UUID

from agents.responder.concrete import concrete
from agents.responder.playbook import Playbook
from agents.responder.respond_commands import (
    Approve,
    Begin,
    Command,
    Expire,
    Propose,
    Recall,
    Regret,
    Reject,
    Report,
    TakeBack,
    Withdraw,
)
from agents.responder.respond_policy import Circumstances, ResponsePolicy
from agents.responder.respond_state import (
    Held,
    Response,
    ResponseEvent,
    ResponseState,
    graver,
    idle,
    mode_of,
)
from agents.responder.rulings import no_room, rulings_on, with_room
from agents.responder.wanted import response_id, wants_response
from domain.errors import MyrmidonError
from domain.facts.response import (
    Action,
    ActionFailed,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    Phase,
    ResponseApproved,
    ResponseDeferred,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    ResponseUnavailable,
    UndoRequested,
)
from domain.gate import Ruling
from domain.moments import rfc3339
from domain.targets import target_of
from domain.values import Micros

BY_POLICY: Final = "the policy asks for no approval"


class NotPossible(MyrmidonError):  # noqa: N818 - says what it is
    """The response is not in a state that allows the command."""


def decide(
    policy: ResponsePolicy, command: Command, state: ResponseState, around: Circumstances
) -> list[ResponseEvent]:
    """The facts that a command makes."""
    match command:
        case Propose():
            return _propose(policy, command, state, around)
        case Regret():
            return _regret(state, command)
        case Approve() | Reject():
            return _answer(policy, command, state, around)
        case TakeBack():
            return _take_back(state, command)
        case Begin():
            return _begin(policy, state, state.responses.get(command.response), around)
        case Recall() | Withdraw():
            return _recall(state, command) if isinstance(command, Recall) else _withdraw(state, command.incident)
        case Expire():
            return _expire(policy, state, around.now)
        case Report():
            return _report(state, command)
        case _:
            assert_never(command)


def _propose(
    policy: ResponsePolicy, command: Propose, state: ResponseState, around: Circumstances
) -> list[ResponseEvent]:
    if not command.again and not wants_response(policy, state, command.incident, command.suspect, command.level):
        return []
    suspect, choice = command.suspect, command.choice
    response = response_id(command.incident, suspect.threat, command.level, command.again)
    actions = concrete(policy, response, suspect, choice.playbook)
    proposed = ResponseProposed(
        response=response,
        incident=command.incident,
        threat=suspect.threat,
        threat_kind=suspect.kind,
        level=command.level,
        entity=suspect.entity,
        asset_class=command.asset_class,
        playbook=choice.playbook.name,
        playbook_version=choice.playbook.version,
        actions=actions,
        asking=tuple(each.action for each in actions if _asks(choice.playbook, each)),
        candidates=choice.candidates,
        propensity=choice.propensity,
        success=choice.success,
        duration=choice.duration,
        cost=choice.cost,
        mode=mode_of(policy.gate.mode, state),
    )
    return [proposed, *_first_answer(policy, proposed, state, around)]


def _regret(state: ResponseState, command: Regret) -> list[ResponseEvent]:
    before = state.unanswered.get((command.incident, command.suspect.threat))
    if before is not None and not graver(command.level, before):
        return []
    return [
        ResponseUnavailable(
            response=response_id(command.incident, command.suspect.threat, command.level),
            incident=command.incident,
            threat=command.suspect.threat,
            threat_kind=command.suspect.kind,
            level=command.level,
            entity=command.suspect.entity,
            reason=command.reason,
        )
    ]


def _asks(playbook: Playbook, action: Action) -> bool:
    return any(step.approval for step in playbook.steps if step.step == action.step)


def _first_answer(
    policy: ResponsePolicy, proposed: ResponseProposed, state: ResponseState, around: Circumstances
) -> list[ResponseEvent]:
    """Rejected when nothing would ever pass the gate, approved when nobody has to be asked, else nothing.

    What finds no room is ruled on as if it had some: it waits for it, approved or not.
    """
    response = Response(proposed=proposed, incident=proposed.incident, since=around.now)
    rulings = [ruling for _, ruling in rulings_on(policy, state, response, around)]
    if no_room(rulings):
        rulings = [ruling for _, ruling in with_room(policy, state, response, around)]
    if not any(ruling.outcome != "refuse" for ruling in rulings):
        reason = f"{rulings[0].check}: {rulings[0].reason}" if rulings else "the playbook has no target here"
        return [ResponseRejected(response=proposed.response, reason=reason)]
    if any(ruling.outcome == "ask" for ruling in rulings):
        return []
    return [ResponseApproved(response=proposed.response, reason=BY_POLICY)]


def _answer(
    policy: ResponsePolicy, command: Approve | Reject, state: ResponseState, around: Circumstances
) -> list[ResponseEvent]:
    waiting = _waiting(state, command.response)
    if isinstance(command, Reject):
        return [ResponseRejected(response=command.response, reason=command.reason)]
    if why := idle(state, waiting):
        raise NotPossible(f"response {command.response} has nothing to act against any more: {why}")
    if _too_late(policy, waiting, around.now):
        raise NotPossible(f"response {command.response} was not answered in time: an approval comes too late")
    rulings = [ruling for _, ruling in rulings_on(policy, state, replace(waiting, consent=True), around)]
    if no_room(rulings):
        name, until = str(command.response)[:8], rfc3339(waiting.since + policy.approval_timeout)
        raise NotPossible(
            f"response {name} cannot begin now ({rulings[0].check}: {rulings[0].reason}): it goes on waiting until "
            f"{until}; approve it again when other actions have ended, or undo one: `myrmidon responses list`"
        )
    return [ResponseApproved(response=command.response, reason=command.reason)]


def _too_late(policy: ResponsePolicy, response: Response, now: Micros) -> bool:
    return now - response.since >= policy.approval_timeout


def _waiting(state: ResponseState, response: UUID) -> Response:
    known = _known(state, response)
    if known.status != "proposed":
        name = str(response)[:8]
        more = "" if known.begun else f"; it has not begun: `myrmidon responses undo {name}` withdraws it"
        raise NotPossible(f"response {name} is {known.status}: only a proposed one can be answered{more}")
    return known


def _known(state: ResponseState, response: UUID) -> Response:
    known = state.responses.get(response)
    if known is None:
        raise NotPossible(f"response {response} is over: see `myrmidon responses show {str(response)[:8]}`")
    return known


def _take_back(state: ResponseState, command: TakeBack) -> list[ResponseEvent]:
    response = _known(state, command.response)
    if response.status == "proposed":
        raise NotPossible(f"response {command.response} has not begun: reject it instead")
    return [UndoRequested(response=command.response, reason=command.reason)]


def _begin(
    policy: ResponsePolicy, state: ResponseState, response: Response | None, around: Circumstances
) -> list[ResponseEvent]:
    if response is None or response.status != "approved" or response.begun:
        return []
    if why := _unwanted(state, response):
        return [_failed(response.proposed.response, action, "gate", 0, why) for action in response.actions]
    rulings = list(rulings_on(policy, state, response, around))
    if (waits := _deferred(policy, state, response, rulings, around)) is not None:
        return waits
    if rulings and all(ruling.check == "mode" for _, ruling in rulings):  # it only observes by now
        return [ResponseRejected(response=response.proposed.response, reason=f"mode: {rulings[0][1].reason}")]
    events: list[ResponseEvent] = []
    for action, ruling in rulings:
        if ruling.outcome == "allow":
            events.append(
                ActionStarted(
                    response=response.proposed.response,
                    action=action.action,
                    target=target_of(action),
                    expires_at=around.now + action.ttl,
                    by=around.bindings.get(action.actuator, ""),
                )
            )
        else:
            error = f"{ruling.check}: {ruling.reason}"
            events.append(_failed(response.proposed.response, action.action, "gate", 0, error))
    return events


def _deferred(
    policy: ResponsePolicy,
    state: ResponseState,
    response: Response,
    rulings: Sequence[tuple[Action, Ruling]],
    around: Circumstances,
) -> list[ResponseEvent] | None:
    """What is said of an approved response that has to wait: nothing new, or why; None when it has not."""
    full = no_room([ruling for _, ruling in rulings])
    rest = with_room(policy, state, response, around) if full and not response.consent else rulings
    asked = next((ruling for _, ruling in rest if ruling.outcome == "ask"), None)
    holding_up = asked or (rulings[0][1] if full else None)
    if holding_up is None:
        return None
    deferred = ResponseDeferred(
        response=response.proposed.response,
        check=holding_up.check,
        reason=holding_up.reason,
        asks=asked is not None,
    )
    known = response.deferred == deferred or _too_late(policy, response, around.now)
    return [] if known and not deferred.asks else [deferred]


def _unwanted(state: ResponseState, response: Response) -> str:
    """Why an approved response is not to begin any more."""
    back = any(held.undo for held in response.actions.values())
    return "it was taken back before it began" if back else idle(state, response)


def _failed(response: UUID, action: UUID, phase: Phase, attempt: int, error: str) -> ActionFailed:
    return ActionFailed(response=response, action=action, phase=phase, attempt=attempt, error=error)


def _recall(state: ResponseState, command: Recall) -> list[ResponseEvent]:
    meant = [each for each in state.responses.values() if command.threat in {None, each.proposed.threat}]
    events: list[ResponseEvent] = []
    for response in meant:
        if not response.begun:
            events.append(ResponseRejected(response=response.proposed.response, reason=command.says))
        elif _stays(response) or (command.reason == "stop" and _stuck(response)):
            events.append(UndoRequested(response=response.proposed.response, reason=command.reason))
    return events


def _withdraw(state: ResponseState, incident: UUID) -> list[ResponseEvent]:
    return [
        ResponseRejected(response=each.proposed.response, reason="its incident was resolved")
        for each in state.responses.values()
        if not each.begun and each.incident == incident
    ]


def _stays(response: Response) -> bool:
    """Whether something of a response is in force, or on its way there, and nobody has asked for it back."""
    return any(held.undo is None and held.state not in {"refused", "undone"} for held in response.actions.values())


def _stuck(response: Response) -> bool:
    """Whether an undo of it failed: whoever stops everything once more wants it tried now."""
    return any(held.undo_tries and held.state != "undone" for held in response.actions.values())


def _expire(policy: ResponsePolicy, state: ResponseState, now: Micros) -> list[ResponseEvent]:
    return [
        ResponseExpired(response=response.proposed.response)
        for response in state.responses.values()
        if not response.begun and _too_late(policy, response, now)
    ]


def _report(state: ResponseState, command: Report) -> list[ResponseEvent]:
    held = state.live.get(command.action)
    if held is None:
        return []
    if command.did == "undo":
        return [_undone(held, command)]
    if command.failed is not None:
        return [_failed(held.response, command.action, command.failed, held.tries + 1, command.error)]
    events: list[ResponseEvent] = []
    if held.state == "started":
        events.append(
            ActionSucceeded(
                response=held.response,
                action=command.action,
                milliseconds=command.milliseconds,
                receipt=command.receipt,
            )
        )
    if command.effect is not None:
        seen = command.effect
        events.append(
            ActionVerified(
                response=held.response, action=command.action, in_force=seen.in_force, evidence=seen.evidence
            )
        )
    return events


def _undone(held: Held, command: Report) -> ResponseEvent:
    if command.failed is not None:
        return _failed(held.response, command.action, "undo", held.undo_tries + 1, command.error)
    return ActionUndone(
        response=held.response,
        action=command.action,
        reason=held.undo or command.why or "ttl",
        evidence=command.effect.evidence if command.effect else command.receipt,
    )
