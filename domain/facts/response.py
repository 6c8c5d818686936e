"""Facts of `response/<id>` (responder, operators) and `workflow/<id>`: what was proposed, allowed, done, taken back.

They depend on effects in the world and on the moment, so they are sensed: a replay folds them as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal
from uuid import UUID

from domain.values import Level, Micros, ThreatKind

Mode = Literal["observe", "suggest", "act"]
UndoReason = Literal["ttl", "operator", "verdict", "exception", "stop", "failure", "drill"]
Phase = Literal["gate", "check", "execute", "verify", "undo"]

UNSURE: Final[frozenset[Phase]] = frozenset({"execute", "verify"})
"""Phases whose failure leaves open whether something was done; `gate` and `check` come before anything is."""


CONTAINING: Final = frozenset({"deny", "contain", "redirect", "set"})
"""OpenC2 actions that hold a threat back; a ticket or a closer look does not."""

DRY_RUN: Final = "dry-run"
"""Who began an action that is only written down (`ActionStarted.by`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One OpenC2 command of a response, made concrete.

    Attributes:
        action: derived id (response, step): its idempotence key at the actuator.
        step: id of the playbook's step.
        actuator: name of the actuator that carries it out.
        verb: OpenC2 action ("deny", "contain", "redirect", ...).
        target_type: OpenC2 target ("ipv4_net", "ipv6_net", "domain_name", "device", "user", ...).
        target: its value ("203.0.113.7/32").
        ttl: microseconds after which it is undone by itself; never 0.
        undo: OpenC2 action that takes it back ("allow").
    """

    action: UUID
    step: str
    actuator: str
    verb: str
    target_type: str
    target: str
    ttl: Micros
    undo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An expectation with the bounds of its 90% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseProposed:
    """A playbook was chosen for an incident, with its actions made concrete.

    Attributes:
        propensity: probability with which the selector chose this playbook among `candidates`.
        success: expected probability that the playbook contains the threat (0-1).
        duration: expected seconds until it is contained.
        cost: expected cost in the playbook's own units.
        asking: ids of the actions for which the playbook itself asks a person's consent.
        mode: mode of the gate when it was proposed.
    """

    kind: ClassVar[str] = "response-proposed"
    decided: ClassVar[bool] = False
    response: UUID
    incident: UUID
    threat: UUID
    threat_kind: ThreatKind
    level: Level
    entity: str
    asset_class: str
    playbook: str
    playbook_version: str
    actions: tuple[Action, ...]
    asking: tuple[UUID, ...]
    candidates: tuple[str, ...]
    propensity: float
    success: Estimate
    duration: Estimate
    cost: Estimate
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseUnavailable:
    """An incident wanted a response, and no playbook could be proposed; `reason` says why, and what to do."""

    kind: ClassVar[str] = "response-unavailable"
    decided: ClassVar[bool] = False
    response: UUID
    incident: UUID
    threat: UUID
    threat_kind: ThreatKind
    level: Level
    entity: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseApproved:
    """The gate's policy or an operator (the actor) allowed the response; `reason` says which."""

    kind: ClassVar[str] = "response-approved"
    decided: ClassVar[bool] = False
    response: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDeferred:
    """An approved response cannot begin yet: it waits for room, or (`asks`) for a person's answer after all.

    Attributes:
        check: the gate's, that holds it up.
        reason: in the gate's words: which limit, and what would be beyond it.
        asks: the policy approved it, and asks a person by now (another mode, other rules).
    """

    kind: ClassVar[str] = "response-deferred"
    decided: ClassVar[bool] = False
    response: UUID
    check: str
    reason: str
    asks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRejected:
    """The gate or an operator (the actor) refused the response: nothing was done."""

    kind: ClassVar[str] = "response-rejected"
    decided: ClassVar[bool] = False
    response: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseExpired:
    """Nobody answered in time, or it found no room in time: no answer means no action."""

    kind: ClassVar[str] = "response-expired"
    decided: ClassVar[bool] = False
    response: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRequested:
    """An operator wants everything back that the response did."""

    kind: ClassVar[str] = "undo-requested"
    decided: ClassVar[bool] = False
    response: UUID
    reason: UndoReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStarted:
    """An action passed the gate and is about to take effect; recorded before the effect.

    Attributes:
        target: what it acts on, in its one spelling: a second action on it lengthens the first.
        expires_at: when it is taken back by itself (the wall clock's time).
        by: who begins it: the type of the actuator and a hash of what it is bound to. Only that one can take it back.
            Empty: nobody wrote it down.
    """

    kind: ClassVar[str] = "action-started"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    target: str
    expires_at: Micros
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRetried:
    """A further attempt at an action of which nothing had been sent is about to take effect; recorded before that."""

    kind: ClassVar[str] = "action-retried"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSucceeded:
    """The actuator took the action; `receipt` is what it answered."""

    kind: ClassVar[str] = "action-succeeded"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    milliseconds: float
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFailed:
    """A phase of an action failed; an undo that failed is tried again, and alarmed, until it succeeds.

    Attributes:
        phase: where; `gate` is a refusal, before anything was done (`attempt` 0) or just before the effect; `check` is
            a failure before anything was sent. After one of the others nobody knows what was done.
    """

    kind: ClassVar[str] = "action-failed"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    phase: Phase
    attempt: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionVerified:
    """The effect of an action was looked at: it is in force, or it is not."""

    kind: ClassVar[str] = "action-verified"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    in_force: bool
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionUndone:
    """An action was taken back, and its effect was seen to be gone."""

    kind: ClassVar[str] = "action-undone"
    decided: ClassVar[bool] = False
    response: UUID
    action: UUID
    reason: UndoReason
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStalled:
    """A workflow (a correlation id) has not moved for too long; `waiting_for` says what it waits for."""

    kind: ClassVar[str] = "workflow-stalled"
    decided: ClassVar[bool] = False
    workflow: UUID
    waiting_for: str
    seconds: int
