"""What the responder remembers of responses: what is proposed, under way, in force, and who holds which target.

Rules:
    1. What is over (rejected, expired, every action ended) is forgotten but for the level at which it was proposed.
    2. A target is held by every action on it that is under way or in force: it is let go when the last one ends.
    3. What is to be taken back (`Held.undo`) follows from recorded facts, so that after a crash the log alone says what
       is still to be done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from domain.facts.response import (
    UNSURE,
    Action,
    ActionFailed,
    ActionRetried,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    Mode,
    ResponseApproved,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    ResponseUnavailable,
    UndoReason,
    UndoRequested,
)
from domain.gate import more_careful
from domain.targets import target_of
from domain.values import HOUR, LEVELS, Level, Micros, ThreatKind

ActionState = Literal["proposed", "refused", "started", "succeeded", "verified", "undone"]
ResponseEvent: TypeAlias = (
    ResponseProposed
    | ResponseUnavailable
    | ResponseApproved
    | ResponseRejected
    | ResponseExpired
    | UndoRequested
    | ActionStarted
    | ActionRetried
    | ActionSucceeded
    | ActionFailed
    | ActionVerified
    | ActionUndone
)
RESPONSE_FACTS: Final = (
    ResponseProposed,
    ResponseUnavailable,
    ResponseApproved,
    ResponseRejected,
    ResponseExpired,
    UndoRequested,
    ActionStarted,
    ActionRetried,
    ActionSucceeded,
    ActionFailed,
    ActionVerified,
    ActionUndone,
)

STOPPED: Final = "an operator stopped all responses"
"""Why what waited for an answer was withdrawn; it is wanted again when the mode is another."""

REMEMBERED: Final = 20_000
"""Threats, incidents and levels of proposals that are kept at most; the oldest are forgotten first."""

ActionEvent: TypeAlias = ActionStarted | ActionRetried | ActionSucceeded | ActionFailed | ActionVerified | ActionUndone
Hold: TypeAlias = tuple[str, str, str, str]
"""(actuator, verb, target, owner): what actions share. What creates something of its own (a ticket) shares nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A threat as the responder needs it to act."""

    threat: UUID
    entity: str
    kind: ThreatKind
    level: Level
    risk: float
    peers: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Held:
    """One action. Mutable inside the state only.

    Attributes:
        tries: failed attempts to carry it out, and to take it back.
        failed_at: when the last attempt failed.
        under_way: an attempt has begun, and nobody has recorded what came of it.
        touched: something may have been sent to the actuator; as long as it is not, nothing has to be taken back.
        undo: why it is to be taken back, once it is.
        by: the actuator that began it.
    """

    action: Action
    response: UUID
    state: ActionState = "proposed"
    expires_at: Micros = 0
    tries: int = 0
    undo_tries: int = 0
    failed_at: Micros = 0
    under_way: bool = False
    touched: bool = False
    undo: UndoReason | None = None
    by: str = ""


@dataclass(slots=True, kw_only=True)
class Response:
    """One response. `consent`: a person approved it; `incident`: where its threat stands now, after merges."""

    proposed: ResponseProposed
    incident: UUID
    proposed_at: Micros
    status: Literal["proposed", "approved", "over"] = "proposed"
    consent: bool = False
    begun: bool = False
    actions: dict[UUID, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """A response that ended although its threat may go on: evidence after `at` (us; 0: any) asks for another one."""

    response: UUID
    at: Micros


@dataclass(slots=True, kw_only=True)
class ResponseState:
    """Everything that is proposed, under way or in force.

    Attributes:
        responses: those that are not over.
        live: actions that the world may feel.
        holds: per target, the actions that hold it.
        started: (when, target) of the last hour's actions; the target is empty where nothing was sent after all.
        suspects, members: threats, and the threats of an incident.
        home: threat -> the incident that it joined last.
        over: incidents that are resolved.
        lapsed: threat -> its response that ended, and may be wanted again.
        wanted: threat -> its response that ended, in the place of which another one is wanted.
        wrong, covered: threats that were judged incorrect, or that an exception covers.
        answered: (incident, threat) -> the gravest level at which a response was proposed.
        unanswered: (incident, threat) -> the gravest level at which no playbook could be proposed.
        contained: incident -> the responses that contain it.
        failed: responses that were given up -> their incidents, as long as those are open and not contained.
        mode: what operators set last; the settings' own may be more careful.
    """

    responses: dict[UUID, Response] = field(default_factory=dict)
    live: dict[UUID, Held] = field(default_factory=dict)
    holds: dict[Hold, dict[UUID, None]] = field(default_factory=dict)
    started: deque[tuple[Micros, str]] = field(default_factory=deque)
    suspects: dict[UUID, Suspect] = field(default_factory=dict)
    members: dict[UUID, dict[UUID, None]] = field(default_factory=dict)
    answered: dict[tuple[UUID, UUID], Level] = field(default_factory=dict)
    unanswered: dict[tuple[UUID, UUID], Level] = field(default_factory=dict)
    contained: dict[UUID, dict[UUID, None]] = field(default_factory=dict)
    failed: dict[UUID, UUID] = field(default_factory=dict)
    wrong: dict[UUID, None] = field(default_factory=dict)
    lapsed: dict[UUID, Lapse] = field(default_factory=dict)
    wanted: dict[UUID, UUID] = field(default_factory=dict)
    covered: dict[UUID, None] = field(default_factory=dict)
    home: dict[UUID, UUID] = field(default_factory=dict)
    over: dict[UUID, None] = field(default_factory=dict)
    hosts: int = 0
    mode: Mode = "act"

    def action(self, response: UUID, action: UUID) -> Held:
        """An action of a response that is not over."""
        return self.responses[response].actions[action]

    def others(self, held: Held) -> list[UUID]:
        """Further actions that hold the same target and are to stay."""
        holders = tuple(self.holds.get(hold_of(held.action), ()))
        return [each for each in holders if each != held.action.action and self._stays(each)]

    def until(self, held: Held) -> Micros:
        """When the target of an action is let go: the latest end of all that hold it."""
        ends = [self.live[each].expires_at for each in self.others(held)]
        return max([held.expires_at, *ends])

    def _stays(self, action: UUID) -> bool:
        held = self.live.get(action)
        return held is not None and held.undo is None


def hold_of(action: Action) -> Hold:
    """What an action shares with others."""
    return action.actuator, action.verb, target_of(action), action.action.hex if action.verb == "create" else ""


def graver(one: Level, other: Level) -> bool:
    """Whether `one` is graver than `other`.

    >>> graver("critical", "high"), graver("high", "high")
    (True, False)
    """
    ranks = [level for _, level in LEVELS]
    return ranks.index(one) < ranks.index(other)


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
    match event:
        case ResponseApproved():
            response.status, response.consent = "approved", person
        case ResponseRejected() | ResponseExpired():
            if response.status == "proposed":  # what has begun is not over by an answer that came too late
                response.status = "over"
        case UndoRequested():
            for held in response.actions.values():  # asked for again, it is tried again at once
                held.undo, held.failed_at = held.undo or event.reason, 0
        case _:
            _act(state, response, event, at)
    _forget(state, response, event, at, person=person)


def _propose(state: ResponseState, event: ResponseProposed, at: Micros) -> None:
    actions = {each.action: Held(action=each, response=event.response) for each in event.actions}
    state.responses[event.response] = Response(proposed=event, incident=event.incident, proposed_at=at, actions=actions)
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
        case ResponseRejected() if response.proposed.mode == "observe" or event.reason == STOPPED:
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


def idle(state: ResponseState, response: Response) -> str:
    """Why a response has nothing to act against any more; empty as long as it has."""
    threat = response.proposed.threat
    facts = (
        (response.incident in state.over, "its incident is resolved"),
        (threat in state.wrong, "its threat was judged incorrect"),
        (threat in state.covered, "an exception covers its threat"),
    )
    return next((says for holds, says in facts if holds), "")


def bound(kept: dict[Any, Any]) -> None:
    """Forget the oldest beyond the most that are kept."""
    while len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def mode_of(policy_mode: Mode, state: ResponseState) -> Mode:
    """The mode that holds: the more careful of the settings' and the operators' last."""
    return more_careful(policy_mode, state.mode)
