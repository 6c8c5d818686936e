"""The responder at work: proposals out of incidents, effects in the world, and everything taken back in time.

Rules:
    1. What follows from a fact is recorded with the position up to which was read, once (`Following`).
    2. An effect comes after the fact that it begins; its outcome is recorded on this thread alone.
    3. What is to be done follows from the state: after a kill an attempt without an outcome is looked at, and made
       again under the same id. One that is known to have sent nothing needs no look, and no undo.
    4. What is in force is looked at when a process begins and every so often. If it is gone before its time, that is
       recorded, and it is carried out again. A look that fails is told by the health of the house.
    5. Time (what ends, who did not answer, what is tried again) is the wall clock that is passed in.
"""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Event
from uuid import UUID

from agents.responder import respond
from agents.responder.due import Task, looks, tasks, why_back
from agents.responder.respond_commands import Begin, Expire, Report
from agents.responder.respond_policy import ResponsePolicy
from agents.responder.respond_state import Held
from domain.facts.response import Action, ActionRetried, UndoRequested
from domain.gate import last_look
from domain.journal import Conflict, Journal
from domain.values import Micros
from scheduler.effects import Hands
from scheduler.follower import Following
from scheduler.outbox import Outbox
from scheduler.response_mind import NAME, ResponseMind, World


class Responses:
    """The follower `responses` with its hands in the world."""

    def __init__(self, journal: Journal, policy: ResponsePolicy, world: World) -> None:
        self._journal = journal
        self._policy = policy
        self._world = world
        self._following = Following(NAME, journal, lambda: ResponseMind(policy, world))
        self._unsure = {action for action, held in self.mind.state.live.items() if held.under_way}
        """Actions that the process before this one may have carried out without a record."""
        self._under_way: dict[UUID, str] = {}
        self._looked: dict[UUID, Micros] = {}
        self._unseen: dict[UUID, str] = {}
        """Actions in force whose effect could not be looked at, and why."""
        self._came = Event()
        hands = Hands(
            actuators=world.actuators,
            look=lambda action: last_look(policy.gate, action),
            now=world.now,
            others=self._others,
            unwanted=self._unwanted,
        )
        self._outbox: Outbox[Task, Report] = Outbox(hands.work, wake=self._came.set)

    @property
    def mind(self) -> ResponseMind:
        """What it thinks just now."""
        return self._following.mind  # type: ignore[return-value]  # made by the line above

    @property
    def position(self) -> int:
        """How far it has read."""
        return self._following.position

    @property
    def busy(self) -> bool:
        """Whether something is under way in the world."""
        return bool(self._under_way)

    def nudged(self) -> bool:
        """Whether outcomes wait to be recorded."""
        return self._came.is_set()

    def catch_up(self) -> int:
        """Decide on what is new, record what was done, let time pass, and hand out what is to be done."""
        self._came.clear()
        appended = self._following.catch_up()
        appended += self._collect()
        appended += self._spare()
        appended += self._expire()
        appended += self._propose_again()
        appended += self._begin()
        self._hand_out()
        return appended

    def settle(self) -> None:
        """Record the position."""
        self._following.settle()

    def finish(self, patience: float) -> None:
        """Wait at most so many seconds until nothing is under way: for commands, and runs, that end.

        A run waits also for the next try of what was found missing: nobody would make it afterwards.
        """
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            if self.catch_up():
                continue
            if not (self._under_way or (self._world.patient and self._missing())):
                return
            self._came.wait(min(left, 0.5 if self._under_way else 0.1))

    def _missing(self) -> list[Held]:
        """What was looked at, was not there, and is to be carried out again."""
        now = self._world.now()
        return [
            held
            for held in self.mind.state.live.values()
            if held.missing and held.state == "started" and why_back(self._policy, held, now) is None
        ]

    def close(self) -> None:
        """Begin nothing further."""
        self._outbox.close()

    def faults(self) -> list[str]:
        """What cannot be taken back, what failed, which actuators do not work: for the health of the house."""
        state = self.mind.state
        stuck = [
            f"response {str(held.response)[:8]}: {held.action.verb} {held.action.target} cannot be taken back"
            for held in state.live.values()
            if held.undo_tries
        ]
        unseen = [
            f"actuator {held.action.actuator}: nobody knows whether {held.action.verb} {held.action.target} is still "
            f"in force: {self._unseen[action]}"
            for action, held in state.live.items()
            if action in self._unseen
        ]
        missing = [
            f"response {str(held.response)[:8]}: {held.action.verb} {held.action.target} was found missing, and is "
            "carried out again"
            for held in self._missing()
        ]
        failed = [f"response {str(each)[:8]}: failed, and its incident is not contained" for each in state.failed]
        return [*stuck, *unseen, *missing, *failed, *self._world.faults()]

    def _collect(self) -> int:
        appended = 0
        for report in self._outbox.results():
            if self._tells(report):
                appended += self._record(report)
            if report.failed != "gate":  # that comes before the first look
                self._unsure.discard(report.action)
            self._under_way.pop(report.action, None)
        return appended

    def _tells(self, report: Report) -> bool:
        """Whether an outcome is to be recorded: a look that finds what was known is not."""
        held = self.mind.state.live.get(report.action)
        self._unseen.pop(report.action, None)
        if held is not None and report.effect is not None:
            self._looked[report.action] = self._world.now()
        if report.did != "look" or held is None:
            return True
        self._looked[report.action] = now = self._world.now()
        if report.failed is not None:
            self._unseen[report.action] = report.error
        seen = report.effect
        return seen is not None and not seen.in_force and why_back(self._policy, held, now) is None

    def _record(self, report: Report) -> int:
        mind = self.mind
        events = respond.decide(self._policy, report, mind.state, self._world.around())
        if not events:
            return 0
        drafts = []
        for draft in mind.follow_up(report.response, events):
            mind.absorb(draft)
            further = mind.concluded(draft)
            for each in further:
                mind.absorb(each)
            drafts += [draft, *further]
        self._journal.append(drafts)
        return len(drafts)

    def _spare(self) -> int:
        """Ask for what is in force against a target that must never be blocked: it is on that list since."""
        drafts = []
        for response in list(self.mind.state.responses.values()):
            lives = [held for held in response.actions.values() if held.action.action in self.mind.state.live]
            barred = [held for held in lives if held.touched and held.undo is None and not self._may_touch(held.action)]
            if not barred:
                continue
            name, action = str(barred[0].response)[:8], barred[0].action
            says = f"response {name}: {action.verb} {action.target} is on the never-block list now: it is taken back"
            self._world.warn(f"never-block {name}", says)
            event = UndoRequested(response=barred[0].response, reason="never-block")
            for draft in self.mind.follow_up(barred[0].response, [event]):
                self.mind.absorb(draft)
                drafts.append(draft)
        if drafts:
            self._journal.append(drafts)
        return len(drafts)

    def _may_touch(self, action: Action) -> bool:
        return last_look(self._policy.gate, action).outcome == "allow"

    def _propose_again(self) -> int:
        """Propose in the place of what ended, where the mode is another now or the threat goes on."""
        drafts = self.mind.again()
        if drafts:
            self._journal.append(drafts)
        return len(drafts)

    def _begin(self) -> int:
        """Begin what was approved and had no room until now."""
        mind, drafts = self.mind, []
        for each in [each for each in mind.state.responses.values() if each.status == "approved" and not each.begun]:
            begin = Begin(response=each.proposed.response)
            events = respond.decide(self._policy, begin, mind.state, self._world.around())
            for draft in mind.follow_up(begin.response, events):
                mind.absorb(draft)
                drafts.append(draft)
        if drafts:
            self._journal.append(drafts)
        return len(drafts)

    def _expire(self) -> int:
        if not respond.decide(self._policy, Expire(), self.mind.state, self._world.around()):
            return 0
        waiting = [f"response/{known}" for known in self.mind.state.responses]
        versions = self._journal.versions(waiting)
        appended = self._following.catch_up()  # an answer may have come: it counts
        events = respond.decide(self._policy, Expire(), self.mind.state, self._world.around())
        drafts = [draft for event in events for draft in self.mind.follow_up(event.response, [event])]
        try:
            if drafts:
                self._journal.append(drafts, expected={draft.stream: versions[draft.stream] for draft in drafts})
        except Conflict:
            return appended
        for draft in drafts:
            self.mind.absorb(draft)
        return appended + len(drafts)

    def _hand_out(self) -> None:
        state, now, absent = self.mind.state, self._world.now(), self._world.absent()
        self._looked = {action: at for action, at in self._looked.items() if action in state.live}
        self._unseen = {action: why for action, why in self._unseen.items() if action in state.live}
        for task in [*tasks(self._policy, state, now), *looks(self._policy, state, now, self._looked)]:
            action = task.action.action
            if action in self._under_way or (task.did == "do" and task.action.actuator in absent):
                continue
            if self._outbox.full:
                return
            self._announce(task)
            self._under_way[action] = task.did
            job = replace(task, again=task.again or action in self._unsure)
            if not self._outbox.offer(job.action.actuator, action, job, urgency=job.urgency):
                del self._under_way[action]  # it is closed
                return

    def _announce(self, task: Task) -> None:
        """Record a further attempt before it begins, where it is known that nothing was sent by those before."""
        held = self.mind.state.live[task.action.action]
        if task.did == "do" and not (held.under_way or held.touched):
            again = ActionRetried(response=task.response, action=task.action.action, attempt=held.tries + 1)
            for draft in self.mind.follow_up(task.response, [again]):
                self.mind.absorb(draft)
                self._journal.append([draft])

    def _others(self, action: Action) -> list[UUID]:
        held = self.mind.state.live.get(action.action)
        if held is None:
            return []
        return [other for other in self.mind.state.others(held) if self._under_way.get(other) != "undo"]

    def _unwanted(self, action: UUID) -> bool:
        held = self.mind.state.live.get(action)
        return held is None or held.undo is not None
