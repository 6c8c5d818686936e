"""given([...]).when(command).then([...]) for the responder's intake, and threats to feed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid5

from agents.responder.assess import Rule
from agents.responder.assets import Assets
from agents.responder.decide import Command, Reconsider, Silence, TakeIn, decide
from agents.responder.evolve import evolve, judge, learn, suppress, weigh
from agents.responder.policy import Policy
from agents.responder.state import THREAT_FACTS, Event, State, Threat
from domain.facts.assessment import Scope, SuppressionAdded, SuppressionRemoved, ThreatAssessed
from domain.facts.threat import VerdictGiven
from domain.values import NAMESPACE, SECOND, ThreatKind

T0 = 1_700_000_000 * SECOND


def threat(
    name: str,
    entity: str,
    *,
    kind: ThreatKind = "beacon",
    risk: float = 7.0,
    peers: tuple[str, ...] = (),
    at: int = T0,
    feed: str = "zeek",
    confidence: float = 0.5,
    rules: tuple[Rule, ...] = (),
    new: bool = True,
    about: str = "",
) -> Threat:
    return Threat(
        threat=uuid5(NAMESPACE, name),
        entity=entity,
        kind=kind,
        topic=":".join([kind, *(rule.id for rule in rules[:1]), *([about] if about else [])]),
        title=f"{entity} {kind}",
        risk=risk,
        confidence=confidence,
        rules=rules,
        peers=peers,
        first_seen=at,
        last_seen=at,
        feed=feed if new else "",
        new=new,
    )


@dataclass
class Desk:
    """A responder that remembers what it decided. `take` and `when` leave assessments out of what they return."""

    policy: Policy = field(default_factory=Policy)
    state: State = field(default_factory=State)
    assets: Assets = field(default_factory=Assets)
    at: int = T0
    decided: list[Event] = field(default_factory=list)

    def given(self, *threats: Threat) -> Desk:
        for each in threats:
            self.take(each)
        return self

    def take(self, each: Threat, *, at: int | None = None) -> list[Event]:
        at = each.last_seen if at is None else at
        learn(self.policy, self.state, each, at)
        return self.when(TakeIn(threat=each.threat, at=at), at=at)

    def say(self, each: Threat, verdict: str, confidence: float = 1.0) -> list[Event]:
        judge(self.state, VerdictGiven(threat=each.threat, verdict=verdict, confidence=confidence, correction=""))
        return self.when(Reconsider(threat=each.threat))

    def silence(self, name: str, *, until: int = 2 * T0, **scope: str) -> list[Event]:
        uid = uuid5(NAMESPACE, name)
        fact = SuppressionAdded(suppression=uid, scope=Scope(**scope), expires_at=until, reason="known", covered=0)
        suppress(self.state, fact)
        return self.when(Silence(suppression=uid))

    def speak(self, name: str) -> None:
        suppress(self.state, SuppressionRemoved(suppression=uuid5(NAMESPACE, name), reason="over"))

    def when(self, command: Command, *, at: int | None = None) -> list[Event]:
        events = decide(self.policy, command, self.state, self.assets)
        for event in events:
            if isinstance(event, THREAT_FACTS):
                weigh(self.state, event)
            else:
                evolve(self.state, event, self.at if at is None else at)
        self.decided += events
        return [event for event in events if not isinstance(event, ThreatAssessed)]

    def assessed(self) -> list[ThreatAssessed]:
        return [event for event in self.decided if isinstance(event, ThreatAssessed)]

    def open_incidents(self) -> list[UUID]:
        return [i.incident for i in self.state.incidents.values() if i.status in {"open", "acknowledged"}]
