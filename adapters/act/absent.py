"""What stands in for an actuator that cannot be made just now: its secret is missing, or its type is not installed.

Rules:
    1. Commands use it, so that what needs no actuator never fails for one; a run that is to act does not.
    2. Nothing begins through it, and what is to be taken back by it fails with the reason why it cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from adapters.act.targets import UNDOES
from agents.responder.ports import ActuatorError
from domain.facts.response import Action
from domain.values import Micros


class Absent:
    """An actuator that can do nothing; `absent` says why."""

    undoes: Mapping[tuple[str, str], str] = UNDOES

    def __init__(self, name: str, absent: str) -> None:
        self.name = name
        self.absent = absent

    def check(self, action: Action) -> None:
        """It never can."""
        self._refuse(action)

    def execute(self, action: Action, expires_at: Micros) -> str:
        """It never can."""
        del expires_at
        self._refuse(action)

    def effect(self, action: Action) -> NoReturn:
        """It cannot look."""
        self._refuse(action)

    def undo(self, action: Action) -> str:
        """It never can."""
        self._refuse(action)

    def _refuse(self, action: Action) -> NoReturn:
        del action
        raise ActuatorError(self.absent)
