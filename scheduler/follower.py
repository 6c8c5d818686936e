"""A follower of the log that appends: what all such agents share, exactly once.

Rules:
    1. What it appends and the position it has read up to are one transaction.
    2. At start its state is folded from the log: its own facts to the end, everybody else's up to its position, in the
       order in which it worked: each of its own right after what caused it, however much later that was recorded.
    3. A fact that it cannot handle is recorded as a fault and parks that fact's stream; it goes on with the others.
    4. Somebody else's fact counts from its place in the log on: what was recorded before it is decided without it.
    5. Somebody else may be faster on a stream (an operator): then nothing is appended, and the state is folded anew.

Add one: a class with `fold` and `decide`, and a line in `scheduler/bootstrap.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol
from uuid import UUID

from adapters.collector import collector_paused
from domain.events import Fact
from domain.facts.operation import FollowerFault
from domain.journal import Conflict, Draft, Journal, JournalError, Progress, Recorded, Wanted, follow
from domain.values import Micros, event_id


class Mind(Protocol):
    """What an agent makes of the facts that it is shown, one by one in log order."""

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact of the past; decide nothing."""

    def decide(self, recorded: Recorded) -> list[Draft]:
        """Remember a new fact and what follows from it; returns what is to be recorded."""


class Following:
    """A mind on its way along the log under the name `name`, which is also the actor of what it appends."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        make: Callable[[], Mind],
        *,
        batch: int = 1000,
        kinds: frozenset[str] | None = None,
    ) -> None:
        """Fold the past.

        Args:
            name: see above.
            journal: the log.
            make: a mind that knows nothing yet.
            batch: facts that are worked in one transaction at most.
            kinds: facts that the mind looks at (None: all); it is shown no others, nor its own.
        """
        self.name = name
        self._wanted = Wanted(kinds=kinds, but_of=name)
        self._journal = journal
        self._make = make
        self._batch = batch
        self.position = 0
        self._fold()

    def catch_up(self) -> int:
        """Handle everything recorded since the last time; returns the number of facts appended."""
        appended = 0
        with collector_paused():
            while (made := self.step()) is not None:
                appended += made
        return appended

    def step(self) -> int | None:
        """Handle one batch; returns the number of facts appended, None when there was nothing to handle."""
        end = self._journal.fingerprint().position
        facts = self._journal.read(self.position, self._batch, upto=end, wanted=self._wanted) if end else []
        position = end if len(facts) < self._batch else facts[-1].position
        if facts:
            return self._handle(facts, position)
        self.position = max(self.position, position)
        return None

    def settle(self) -> None:
        """Record the position even though nothing was decided since the last decision."""
        if self.position > self._journal.tracked(self.name):
            self._journal.append([], progress=Progress(tracking={self.name: self.position}))

    def nudged(self) -> bool:
        """Nothing is under way beside the log."""
        return False

    def finish(self, patience: float) -> None:
        """There is nothing to wait for."""

    def faults(self) -> list[str]:
        """Nothing can be the matter in the world."""
        return []

    def _fold(self) -> None:
        self.mind = self._make()
        self.parked: set[str] = set()
        self.position = self._journal.tracked(self.name)
        end = self._journal.fingerprint().position
        if self.position > end:
            raise JournalError(
                f"{self.name} has read up to position {self.position:,}, and the log ends at {end:,}: facts are "
                "missing; keep the log as it is, run `myrmidon audit verify`, and restore it from a backup"
            )
        theirs = Worked(self._journal, self.name, self.position)
        for facts in follow(self._journal):
            for recorded in facts:
                if isinstance(recorded.fact, FollowerFault) and recorded.fact.follower == self.name:
                    self.parked.add(recorded.fact.stream)
                elif recorded.actor == self.name:
                    for cause in theirs.upto(recorded.causation):
                        self.mind.fold(cause)
                    self.mind.fold(recorded)
                else:
                    theirs.add(recorded)
        for rest in theirs.rest():
            self.mind.fold(rest)

    def _handle(self, facts: list[Recorded], position: int) -> int:
        drafts = [draft for recorded in facts for draft in self._supervised(recorded)]
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
        if recorded.stream in self.parked:
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


class Worked:
    """What others recorded and a follower has worked, up to `position`, until its own facts show that it comes next.

    A follower decides about a batch before it appends: its facts stand behind the whole batch. What finds no room here
    (a follower that was away for long) is read once more when its turn comes.
    """

    ROOM = 20_000

    def __init__(self, journal: Journal, name: str, position: int) -> None:
        self._journal, self._name, self._position = journal, name, position
        self._held: deque[Recorded] = deque()
        self._ids: set[UUID] = set()
        self._end = 0
        self._more = False

    def add(self, recorded: Recorded) -> None:
        """The next fact of somebody else in the log."""
        if self._more or not self._end < recorded.position <= self._position:
            return
        if len(self._held) >= self.ROOM:
            self._more = True
        else:
            self._hold(recorded)

    def upto(self, cause: UUID | None) -> Iterator[Recorded]:
        """What comes up to this fact, in log order; nothing when it came before, or is none of them."""
        while cause not in self._ids:
            if not (self._more and self._lies_ahead(cause)):
                return
            yield from self._all()
            self._read_on()
        while self._held:
            first = self._take()
            yield first
            if first.event_id == cause:
                return

    def rest(self) -> Iterator[Recorded]:
        """All that is left."""
        yield from self._all()
        while self._more:
            self._read_on()
            yield from self._all()

    def _lies_ahead(self, cause: UUID | None) -> bool:
        found = None if cause is None else self._journal.find(cause)
        return found is not None and found.actor != self._name and self._end < found.position <= self._position

    def _read_on(self) -> None:
        facts = self._journal.read(self._end, 1000, upto=self._position)
        self._more = bool(facts)
        for recorded in facts:
            self._end = recorded.position
            if recorded.actor != self._name:
                self._hold(recorded)

    def _hold(self, recorded: Recorded) -> None:
        self._held.append(recorded)
        self._ids.add(recorded.event_id)
        self._end = recorded.position

    def _take(self) -> Recorded:
        first = self._held.popleft()
        self._ids.discard(first.event_id)
        return first

    def _all(self) -> Iterator[Recorded]:
        while self._held:
            yield self._take()


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
        region=cause.region,
    )
