"""The responder at work: follows the log, groups threats into incidents, exactly once.

Rules:
    1. What it appends and the position it has read up to are one transaction.
    2. At start its state is folded from the log: its own facts to the end, everybody else's up to its position.
    3. An event it cannot handle is recorded as a fault and parks that event's stream; it goes on with the others.
    4. An operator's fact counts from its place in the log on: what was recorded before it is decided without it.
"""

from __future__ import annotations

from adapters.collector import collector_paused
from agents.responder import decide as responder
from agents.responder.policy import Policy
from agents.responder.state import INCIDENT_FACTS, Event, State, Threat, evolve, judge, learn
from domain.facts.operation import FollowerFault
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Conflict, Draft, Journal, Progress, Recorded, follow
from domain.values import Micros, event_id

NAME = "responder"


class Intake:
    """Follower `responder`."""

    def __init__(self, journal: Journal, policy: Policy, *, batch: int = 1000) -> None:
        self._journal = journal
        self._policy = policy
        self._batch = batch
        self._fold()

    def _fold(self) -> None:
        self.state = State()
        self.parked: set[str] = set()
        self.position = self._journal.tracked(NAME)
        for facts in follow(self._journal):
            for recorded in facts:
                if isinstance(recorded.fact, INCIDENT_FACTS):
                    # an operator's fact that was not reached yet takes effect when it is read: not before older threats
                    if recorded.actor == NAME or recorded.position <= self.position:
                        evolve(self.state, recorded.fact, recorded.occurred_at)
                elif isinstance(recorded.fact, FollowerFault) and recorded.fact.follower == NAME:
                    self.parked.add(recorded.fact.stream)
                elif recorded.position <= self.position:
                    observe(self.state, recorded)

    def catch_up(self) -> int:
        """Handle everything recorded since the last time; returns the number of facts appended."""
        appended = 0
        with collector_paused():
            while facts := self._journal.read(self.position, self._batch):
                appended += self._handle(facts)
        return appended

    def _handle(self, facts: list[Recorded]) -> int:
        drafts = [draft for recorded in facts for draft in self._supervised(recorded)]
        position = facts[-1].position
        try:
            # a position alone is not worth a commit of its own: it is recorded with the next decision
            if drafts:
                # an operator may have been faster: what they did is read later, but this comes after it in the stream
                expected = self._journal.versions({draft.stream: None for draft in drafts})
                self._journal.append(drafts, expected=expected, progress=Progress(tracking={NAME: position}))
        except Conflict:
            self._fold()
            return 0
        self.position = position
        return len(drafts)

    def _supervised(self, recorded: Recorded) -> list[Draft]:
        if recorded.stream in self.parked:
            return []
        try:
            return self._decide(recorded)
        except Exception as error:  # noqa: BLE001 - one event must not stop the follower; the fault says which and why
            self.parked.add(recorded.stream)
            fault = FollowerFault(
                follower=NAME,
                position=recorded.position,
                stream=recorded.stream,
                error=f"{type(error).__name__}: {error}",
            )
            return [_draft(recorded, f"follower/{NAME}", fault, 0, recorded.occurred_at)]

    def _decide(self, recorded: Recorded) -> list[Draft]:
        fact = recorded.fact
        if isinstance(fact, INCIDENT_FACTS):
            # our own facts were folded when they were decided
            if recorded.actor != NAME:
                evolve(self.state, fact, recorded.occurred_at)
            return []
        observe(self.state, recorded)
        match fact:
            case ThreatDetected() | ThreatContinued():
                command: responder.Command = responder.TakeIn(threat=fact.threat, at=recorded.occurred_at)
            case VerdictGiven():
                command = responder.Reconsider(threat=fact.threat)
            case _:
                return []
        drafts = []
        for index, event in enumerate(responder.decide(self._policy, command, self.state)):
            stream = f"incident/{event.incident}"
            known = self.state.incidents.get(event.incident)
            occurred_at = max(recorded.occurred_at, known.changed_at if known else 0)
            evolve(self.state, event, occurred_at)
            drafts.append(_draft(recorded, stream, event, index, occurred_at))
        return drafts

    def settle(self) -> None:
        """Record the position even though nothing was decided since the last decision."""
        if self.position > self._journal.tracked(NAME):
            self._journal.append([], progress=Progress(tracking={NAME: self.position}))


def observe(state: State, recorded: Recorded) -> None:
    """Let the responder's state know of a threat or a verdict."""
    match recorded.fact:
        case ThreatDetected() as fact:
            learn(state, _threat(fact, fact.first_seen))
        case ThreatContinued() as fact:
            learn(state, _threat(fact, fact.last_seen))
        case VerdictGiven() as fact:
            judge(state, fact)
        case _:
            pass


def _threat(fact: ThreatDetected | ThreatContinued, first_seen: Micros) -> Threat:
    return Threat(
        threat=fact.threat,
        entity=fact.entity,
        kind=fact.threat_kind,
        title=fact.title,
        level=fact.level,
        risk=fact.risk,
        peers=fact.peers,
        first_seen=first_seen,
        last_seen=fact.last_seen,
    )


def _draft(cause: Recorded, stream: str, fact: Event | FollowerFault, index: int, occurred_at: Micros) -> Draft:
    return Draft(
        event_id=event_id(cause.event_id, stream, fact.kind, index),
        stream=stream,
        fact=fact,
        occurred_at=occurred_at,
        actor=NAME,
        causation=cause.event_id,
        correlation=cause.correlation,
    )
