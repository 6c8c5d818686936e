"""given([...]).when(command).then([...]) for the responder's intake, and threats to feed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid5

from agents.responder.decide import Command, TakeIn, decide
from agents.responder.policy import Policy
from agents.responder.state import Event, State, Threat, evolve, learn
from domain.values import NAMESPACE, SECOND, ThreatKind, level_of

T0 = 1_700_000_000 * SECOND


def threat(
    name: str,
    entity: str,
    *,
    kind: ThreatKind = "beacon",
    risk: float = 7.0,
    peers: tuple[str, ...] = (),
    at: int = T0,
) -> Threat:
    return Threat(
        threat=uuid5(NAMESPACE, name),
        entity=entity,
        kind=kind,
        title=f"{entity} {kind}",
        level=level_of(risk),
        risk=risk,
        peers=peers,
        first_seen=at,
        last_seen=at,
    )


@dataclass
class Desk:
    """A responder that remembers what it decided."""

    policy: Policy = field(default_factory=Policy)
    state: State = field(default_factory=State)
    at: int = T0
    decided: list[Event] = field(default_factory=list)

    def given(self, *threats: Threat) -> Desk:
        for each in threats:
            self.take(each)
        return self

    def take(self, each: Threat) -> list[Event]:
        learn(self.state, each)
        return self.when(TakeIn(threat=each.threat, at=each.last_seen), at=each.last_seen)

    def when(self, command: Command, *, at: int | None = None) -> list[Event]:
        events = decide(self.policy, command, self.state)
        for event in events:
            evolve(self.state, event, self.at if at is None else at)
        self.decided += events
        return events

    def open_incidents(self) -> list[UUID]:
        return [i.incident for i in self.state.incidents.values() if i.status in {"open", "acknowledged"}]
