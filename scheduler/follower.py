"""A follower of the log that appends: what all such agents share, exactly once.

Rules:
    1. What it appends and the position it has read up to are one transaction.
    2. At start its state is folded from the log: its own facts to the end, everybody else's up to its position.
    3. A fact that it cannot handle is recorded as a fault and parks that fact's stream; it goes on with the others.
    4. Somebody else's fact counts from its place in the log on: what was recorded before it is decided without it.
    5. Somebody else may be faster on a stream (an operator): then nothing is appended, and the state is folded anew.

Add one: a class with `fold` and `decide`, and a line in `scheduler/bootstrap.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from adapters.collector import collector_paused
from domain.events import Fact
from domain.facts.operation import FollowerFault
from domain.journal import Conflict, Draft, Journal, Progress, Recorded, follow
from domain.values import Micros, event_id


class Mind(Protocol):
    """What an agent makes of the facts that it is shown, one by one in log order."""

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact of the past; decide nothing."""

    def decide(self, recorded: Recorded) -> list[Draft]:
        """Remember a new fact and what follows from it; returns what is to be recorded."""


class Following:
    """A mind on its way along the log under the name `name`, which is also the actor of what it appends."""

    def __init__(self, name: str, journal: Journal, make: Callable[[], Mind], *, batch: int = 1000) -> None:
        self.name = name
        self._journal = journal
        self._make = make
        self._batch = batch
        self._fold()

    def catch_up(self) -> int:
        """Handle everything recorded since the last time; returns the number of facts appended."""
        appended = 0
        with collector_paused():
            while facts := self._journal.read(self.position, self._batch):
                appended += self._handle(facts)
        return appended

    def settle(self) -> None:
        """Record the position even though nothing was decided since the last decision."""
        if self.position > self._journal.tracked(self.name):
            self._journal.append([], progress=Progress(tracking={self.name: self.position}))

    def finish(self, patience: float) -> None:
        """Nothing is under way beside the log: there is nothing to wait for."""

    def _fold(self) -> None:
        self.mind = self._make()
        self.parked: set[str] = set()
        self.position = self._journal.tracked(self.name)
        for facts in follow(self._journal):
            for recorded in facts:
                if isinstance(recorded.fact, FollowerFault) and recorded.fact.follower == self.name:
                    self.parked.add(recorded.fact.stream)
                elif recorded.actor == self.name or recorded.position <= self.position:
                    self.mind.fold(recorded)

    def _handle(self, facts: list[Recorded]) -> int:
        drafts = [draft for recorded in facts for draft in self._supervised(recorded)]
        position = facts[-1].position
        try:
            # a position alone is not worth a commit of its own: it is recorded with the next decision
            if drafts:
                # an operator may have been faster: what they did is read later, but this comes after it in the stream
                expected = self._journal.versions({draft.stream: None for draft in drafts})
                self._journal.append(drafts, expected=expected, progress=Progress(tracking={self.name: position}))
        except Conflict:
            self._fold()
            return 0
        self.position = position
        return len(drafts)

    def _supervised(self, recorded: Recorded) -> Sequence[Draft]:
        if recorded.stream in self.parked or recorded.actor == self.name:  # our own were folded when they were decided
            return ()
        try:
            return self.mind.decide(recorded)
        except Exception as error:  # noqa: BLE001 - one event must not stop the follower; the fault says which and why
            self.parked.add(recorded.stream)
            fault = FollowerFault(
                follower=self.name,
                position=recorded.position,
                stream=recorded.stream,
                error=f"{type(error).__name__}: {error}",
            )
            return [caused(recorded, f"follower/{self.name}", fault, actor=self.name)]


def caused(
    cause: Recorded, stream: str, fact: Fact, *, actor: str, ordinal: int = 0, occurred_at: Micros | None = None
) -> Draft:
    """A fact that follows from another: its id is derived from its cause, and it belongs to the same workflow.

    Args:
        cause: what it follows from.
        stream: where it goes.
        fact: what is recorded.
        actor: who decided it.
        ordinal: place among several facts of one kind that one cause puts into one stream.
        occurred_at: event time; by default that of the cause. No fact occurs before its causes.
    """
    return Draft(
        event_id=event_id(cause.event_id, stream, fact.kind, ordinal),
        stream=stream,
        fact=fact,
        occurred_at=cause.occurred_at if occurred_at is None else max(occurred_at, cause.occurred_at),
        actor=actor,
        causation=cause.event_id,
        correlation=cause.correlation,
    )
