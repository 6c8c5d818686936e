"""What is done in the world on the thread of an actuator: one action carried out or taken back, and looked at.

Rules:
    1. Just before the effect: may the target be touched, is the action still wanted, is there time left?
    2. What may have been done before (a restart, an attempt of which nobody knows) is looked at first, then done again
       under its id.
    3. A failure before anything was sent is one of the phase `check`, whenever it is noticed.
    4. An action is taken back only where something may have been sent; then its effect is seen to be gone. Where other
       ones that are to stay hold the same target, an actuator that holds them apart lets go of this one alone; with
       another actuator the target stays as it is until the last of them is taken back, and is looked at all the same.
    5. An action is gone on with, and taken back, by the actuator that began it; another one that is bound to its name
       now fails, and so does one that does not remember an action of which nobody wrote down who began it.
    6. What is in force is looked at again without touching it.
    7. Nothing is raised: an error is an outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from agents.responder.due import Task
from agents.responder.ports import Actuator, ActuatorError, Effect, HoldsApart, NotSent, Remembers, binding_of
from agents.responder.respond_commands import Report
from domain.facts.response import Action, Phase
from domain.gate import Ruling
from domain.values import Micros

SHARED = "another action holds the target, so it stays as it is"
LOST = "another action is to hold the target, and it is not in force"
UNSENT = "nothing had been sent, so there was nothing to take back"


@dataclass(slots=True)
class Hands:
    """Carries out tasks.

    Args:
        actuators: by name.
        look: the gate's last look, just before the effect.
        now: the wall clock.
        others: further actions that hold the target and are to stay.
        unwanted: whether the action is to be taken back.
    """

    actuators: Mapping[str, Actuator]
    look: Callable[[Action], Ruling]
    now: Callable[[], Micros]
    others: Callable[[Action], Sequence[UUID]]
    unwanted: Callable[[UUID], bool]
    clock: Callable[[], float] = field(default=time.monotonic)

    def work(self, lane: str, task: Task) -> Report:
        """Do a task; see the rules."""
        begun = self.clock()
        step = _Step(task=task, phase="undo" if task.did == "undo" else "verify" if task.again else "check")
        how = {"do": self._do, "undo": self._undo, "look": self._look}[task.did]
        failed: Phase | None = None
        error = ""
        try:
            how(lane, step)
        except Exception as raised:  # noqa: BLE001 - a plug-in may raise anything; the fact says what
            unsent = step.phase == "execute" and isinstance(raised, NotSent)
            failed = "check" if unsent else step.phase
            error = " ".join(str(raised).split())[:500] or type(raised).__name__
        return Report(
            response=task.response,
            action=task.action.action,
            did=task.did,
            why=task.why,
            failed=failed,
            error=error,
            receipt=step.receipt[:500],
            milliseconds=round(1000 * (self.clock() - begun), 1),
            effect=step.effect,
        )

    def _actuator(self, name: str, task: Task) -> Actuator:
        found = self.actuators.get(name)
        if found is None:
            raise ActuatorError(f"there is no actuator {name!r} any more: configure it again")
        if task.by and (now := binding_of(found)) != task.by:
            why = f"{task.by!r} began it, and {now!r} is bound here now"
            raise ActuatorError(f"actuator {name}: {why}: set [actuators.{name}] as it was until it is taken back")
        return found

    def _do(self, lane: str, step: _Step) -> None:
        task, actuator = step.task, self._actuator(lane, step.task)
        step.phase = "gate"
        ruling = self.look(task.action)
        if ruling.outcome != "allow":
            raise ActuatorError(f"{ruling.check}: {ruling.reason}")
        if self.unwanted(task.action.action) or task.until <= self.now():
            raise ActuatorError("not begun: it is to be taken back already, or its time has run out")
        if task.again:
            step.phase = "verify"
            step.effect = actuator.effect(task.action)
            step.receipt = "found in force"
            if step.effect.in_force:
                return
        step.phase = "check"
        actuator.check(task.action)
        step.phase = "execute"
        step.receipt = actuator.execute(task.action, task.ends if isinstance(actuator, HoldsApart) else task.until)
        step.phase = "verify"
        step.effect = actuator.effect(task.action)

    def _undo(self, lane: str, step: _Step) -> None:
        action = step.task.action
        if not step.task.again:
            step.effect = Effect(in_force=False, evidence=UNSENT)
            return
        actuator, others = self._actuator(lane, step.task), self.others(action)
        if not step.task.by and isinstance(actuator, Remembers) and not actuator.remembers(action):
            why = "it is not in its record, so another one may have begun it"
            raise ActuatorError(f"actuator {lane}: {why}: set [actuators.{lane}] as it was then")
        if isinstance(actuator, HoldsApart):
            step.effect = actuator.let_go(action, others)
        elif others:
            seen = actuator.effect(action)
            held = SHARED if seen.in_force else LOST
            step.effect = Effect(in_force=False, evidence=f"{held}: {seen.evidence}")
        else:
            step.receipt = actuator.undo(action)
            step.effect = actuator.effect(action)
        if step.effect.in_force:
            raise ActuatorError(f"{action.target} is still under {action.verb}: {step.effect.evidence}")

    def _look(self, lane: str, step: _Step) -> None:
        if not self.unwanted(step.task.action.action):  # then it is about to be taken back: that must not wait for us
            step.effect = self._actuator(lane, step.task).effect(step.task.action)


@dataclass(slots=True)
class _Step:
    """How far a task got."""

    task: Task
    phase: Phase
    receipt: str = ""
    effect: Effect | None = None
