"""What the responder remembers of responses: what is proposed, under way, in force, and who holds which target.

Rules:
    1. It is a function of the recorded facts (`respond_evolve`).
    2. A target is held by every action on it that is under way or in force: it is let go when the last one ends.
    3. What is to be taken back (`Held.undo`) follows from recorded facts, so that after a crash the log alone says what
       is still to be done.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from domain.facts.response import (
    Action,
    ActionFailed,
    ActionRetried,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    Mode,
    ResponseApproved,
    ResponseDeferred,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    ResponseUnavailable,
    UndoReason,
    UndoRequested,
)
from domain.gate import more_careful
from domain.targets import target_of
from domain.values import LEVELS, Level, Micros, ThreatKind

ActionState = Literal["proposed", "refused", "started", "succeeded", "verified", "undone"]
ResponseEvent: TypeAlias = (
    ResponseProposed
    | ResponseUnavailable
    | ResponseApproved
    | ResponseDeferred
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
    ResponseDeferred,
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

OBSERVED: Final = "mode: "
"""How the reason begins for which the gate rejects while the mode is observe."""

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
    """One response.

    Attributes:
        incident: where its threat stands now, after merges.
        since: when it began to wait for an answer, or for room.
        consent: a person approved it.
        deferred: why it does not begin yet.
    """

    proposed: ResponseProposed
    incident: UUID
    since: Micros
    status: Literal["proposed", "approved", "over"] = "proposed"
    consent: bool = False
    begun: bool = False
    deferred: ResponseDeferred | None = None
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
