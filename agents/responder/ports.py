"""What the responder needs of the world. One contract suite runs over every actuator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from uuid import UUID

from domain.errors import MyrmidonError
from domain.facts.response import Action
from domain.values import Micros


class ActuatorError(MyrmidonError):
    """An actuator could not do what was asked: what, where, and what to do."""


class NotSent(ActuatorError):  # noqa: N818 - says what it is
    """Nothing was done, for certain: nothing left this machine, or it was refused as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What was seen when the effect of an action was looked at."""

    in_force: bool
    evidence: str


class Actuator(Protocol):
    """Carries out actions and takes them back. Every verb is idempotent under the action's id.

    One that has a method `probe()` is asked at the start of a run whether it could work at all: it has no effect, and
    raises an `ActuatorError` when it could not.
    """

    name: str
    undoes: Mapping[tuple[str, str], str]
    """(OpenC2 action, target type) that it can carry out -> the OpenC2 action that takes it back.

    What cannot be taken back is not in the table, and an actuator with an empty one cannot be registered.
    """

    def check(self, action: Action) -> None:
        """Whether the action could be carried out, without any effect.

        Raises:
            ActuatorError: it could not.
        """

    def execute(self, action: Action, expires_at: Micros) -> str:
        """Carry it out until `expires_at` (the world's clock); returns a receipt.

        Raises:
            NotSent: nothing was done, for certain: there is nothing to take back.
            ActuatorError: it was not carried out, or nobody knows: ask `effect`, then try again.
        """

    def effect(self, action: Action) -> Effect:
        """Look whether the action is in force.

        Raises:
            ActuatorError: nobody knows.
        """

    def undo(self, action: Action) -> str:
        """Take it back; returns a receipt. Taking back what is not in force is no error.

        Raises:
            ActuatorError: it is still in force, or nobody knows.
        """


def binding_of(actuator: Actuator) -> str:
    """Who an actuator is: its own `binding` (ours: the type and a hash of what it works on), or else its class.

    An action is taken back by the one that began it, or not at all.
    """
    return str(getattr(actuator, "binding", "") or type(actuator).__qualname__)


def absence_of(actuator: Actuator) -> str:
    """Why an actuator is not there, if it is only stood in for: nothing begins by it, and nothing is taken back."""
    return str(getattr(actuator, "absent", ""))


@runtime_checkable
class Remembers(Protocol):
    """What an actuator has besides that keeps the record of what it did by itself."""

    def remembers(self, action: Action) -> bool:
        """Whether it began the action, and did not take it back.

        Raises:
            ActuatorError: nobody knows.
        """


@runtime_checkable
class HoldsApart(Protocol):
    """What an actuator has besides that knows which actions hold a target: each of them is let go by itself.

    With another one, a target that several actions hold is left as it is until the last of them is taken back.
    """

    def let_go(self, action: Action, stay: Sequence[UUID]) -> Effect:
        """Take an action back, whichever others hold its target, and look: only those of `stay` may go on holding it.

        Raises:
            ActuatorError: it is still in force, or nobody knows.
        """
