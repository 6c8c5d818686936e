"""What the responder can be asked about responses: by facts, by operators, by time, by what was done in the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from agents.responder.playbook import Playbook
from agents.responder.ports import Effect
from agents.responder.respond_state import Suspect
from domain.facts.response import Estimate, Phase, UndoReason
from domain.values import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The playbook that was chosen for a threat, among which, how probably, and what is expected of it."""

    playbook: Playbook
    candidates: tuple[str, ...]
    propensity: float
    success: Estimate
    duration: Estimate
    cost: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Command: an incident needs a response to one of its threats; `again`: in the place of one that ended."""

    incident: UUID
    suspect: Suspect
    level: Level
    asset_class: str
    choice: Choice
    again: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """Command: an incident needs a response, and no playbook can be proposed."""

    incident: UUID
    suspect: Suspect
    level: Level
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Command of an operator."""

    response: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Command of an operator."""

    response: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Command of an operator."""

    response: UUID
    reason: UndoReason = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Command: a response was approved, so its actions may start."""

    response: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Command: a verdict, an exception or a stop. What waits is not wanted any more, what is in force is to come back.

    Attributes:
        threat: only responses to this threat; None: all.
        says: why, in words.
    """

    threat: UUID | None
    reason: UndoReason
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Command: an incident is over. What waits for an answer is not wanted any more; what is in force stays."""

    incident: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Command: time went by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Command: the outcome of a task in the world.

    Attributes:
        failed: the phase that failed; None when all went well.
        effect: what was seen when the effect was looked at; None when it was not.
    """

    response: UUID
    action: UUID
    did: Literal["do", "undo", "look"]
    why: UndoReason | None
    failed: Phase | None
    error: str
    receipt: str
    milliseconds: float
    effect: Effect | None


Command: TypeAlias = Propose | Regret | Approve | Reject | TakeBack | Begin | Recall | Withdraw | Expire | Report
