"""The dry run: records what would have been done, and touches nothing.

Its effect is its own record: an action is in force from `execute` until `undo` or until its time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from adapters.act.options import options_of
from adapters.act.record import Done, Record
from adapters.act.targets import UNDOES, TargetError, target_of
from agents.responder.ports import ActuatorError, Effect
from config.actuators import DryRunSettings
from domain.facts.response import DRY_RUN, Action
from domain.moments import rfc3339
from domain.values import Micros


def wall_clock() -> Micros:
    """The time of this machine."""
    return time.time_ns() // 1000


class DryRun:
    """Keeps what it would have done in one file."""

    undoes: Mapping[tuple[str, str], str] = UNDOES
    binding: Final = DRY_RUN

    def __init__(self, name: str, path: Path, clock: Callable[[], Micros] = wall_clock) -> None:
        self.name: Final = name
        self._record = Record(path)
        self._clock = clock

    def check(self, action: Action) -> None:
        """Whether some actuator of ours could do it."""
        if (action.verb, action.target_type) not in self.undoes:
            raise ActuatorError(f"{self.name}: cannot {action.verb} {action.target_type}; see docs/playbooks.md")
        try:
            target_of(action)
        except TargetError as error:
            raise ActuatorError(f"{self.name}: {error}") from None

    def execute(self, action: Action, expires_at: Micros) -> str:
        """Write it down."""
        self.check(action)
        what = f"would {action.verb} {action.target_type} {action.target} until {rfc3339(expires_at)}"
        self._record.put(action.action, Done(what=what, expires_at=expires_at), self._clock())
        return what

    def effect(self, action: Action) -> Effect:
        """What is written down."""
        done = self._record.get(action.action)
        if done is None:
            return Effect(in_force=False, evidence="not in the record of the dry run")
        if done.expires_at <= self._clock():
            return Effect(in_force=False, evidence=f"over since {rfc3339(done.expires_at)} in the record")
        return Effect(in_force=True, evidence=f"in the record of the dry run: {done.what}")

    def undo(self, action: Action) -> str:
        """Strike it out."""
        known = self._record.drop(action.action)
        return f"would {action.undo} {action.target}" if known else "was not in the record of the dry run"

    def remembers(self, action: Action) -> bool:
        """Whether it is written down."""
        return self._record.get(action.action) is not None

    def let_go(self, action: Action, stay: Sequence[UUID]) -> Effect:
        """Strike it out, and none of the others that would hold the target."""
        receipt = self.undo(action)
        beside = f"; {len(stay)} other actions would go on holding it" if stay else ""
        return Effect(in_force=self.effect(action).in_force, evidence=receipt + beside)


def build(name: str, options: Mapping[str, Any], home: Path) -> DryRun:
    """A dry run whose record is `actuators/NAME.json` in the home."""
    options_of(DryRunSettings, name, options)
    return DryRun(name, home / "actuators" / f"{name}.json")
