"""A world to act on: an actuator that remembers what is in force, a playbook, a clock, and a log with a responder."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid5

from adapters.log import open_log
from agents.responder.playbook import Playbook
from agents.responder.ports import ActuatorError, Effect
from agents.responder.respond_policy import ResponsePolicy
from domain.events import Fact
from domain.facts import incident as i
from domain.facts.operation import SettingChanged
from domain.facts.response import Action, ResponseApproved, ResponseRejected, UndoRequested
from domain.facts.threat import VerdictGiven
from domain.gate import GatePolicy
from domain.journal import Draft, follow
from domain.values import HOUR, MINUTE, NAMESPACE, SECOND, level_of
from scheduler.respond import Responses
from scheduler.response_mind import MODE, World
from tests.projections.story import detected, uid
from tests.responses.chosen import BLOCK, Always

T0 = 1_790_000_000 * SECOND
LOCAL = ("10.0.0.0/8", "192.168.0.0/16")


def asking(playbook: Playbook = BLOCK) -> Playbook:
    return replace(playbook, steps=tuple(replace(step, approval=True) for step in playbook.steps))


def on_entity(playbook: Playbook = BLOCK) -> Playbook:
    return replace(playbook, steps=tuple(replace(step, target="entity") for step in playbook.steps))


ACT = ResponsePolicy(gate=GatePolicy(mode="act", local_networks=LOCAL, never_block=("198.51.100.0/24",), max_share=1.0))


@dataclass
class Wall:
    """An actuator with a world of its own: what is in force, until when, and every call by key."""

    name: str = "wall"
    undoes: dict[tuple[str, str], str] = field(
        default_factory=lambda: {("deny", "ipv4_net"): "allow", ("deny", "ipv6_net"): "allow"}
    )
    blocked: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, UUID]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Verbs that fail just now."""
    fails_by: type[ActuatorError] = ActuatorError

    def check(self, action: Action) -> None:
        self._call("check", action)

    def execute(self, action: Action, expires_at: int) -> str:
        self._call("execute", action)
        self.blocked[action.target] = expires_at
        return "done"

    def effect(self, action: Action) -> Effect:
        self._call("effect", action)
        return Effect(in_force=action.target in self.blocked, evidence=f"looked at {action.target}")

    def undo(self, action: Action) -> str:
        self._call("undo", action)
        self.blocked.pop(action.target, None)
        return "undone"

    def _call(self, verb: str, action: Action) -> None:
        self.calls.append((verb, action.action))
        if verb in self.broken:
            raise self.fails_by(f"{verb} does not work today")

    def count(self, verb: str) -> int:
        return sum(called == verb for called, _ in self.calls)


class Site:
    """A log with a responder that follows it."""

    def __init__(
        self,
        policy: ResponsePolicy = ACT,
        playbook: Playbook = BLOCK,
        location: str = "memory:",
        rehearsed: frozenset[str] = frozenset(),
    ) -> None:
        self.rehearsed = rehearsed
        self.said: list[tuple[str, str]] = []
        self.now = T0
        self.wall = Wall()
        self.policy, self.playbook = policy, playbook
        self.journal = open_log(location, lambda: self.now)
        self._numbers = itertools.count()
        self.agent = self.start()

    def start(self, *, patient: bool = False) -> Responses:
        """A responder that begins where the log says: what a restart is."""
        world = World(
            actuators={"wall": self.wall},
            chooser=lambda: Always(self.playbook),
            classify=lambda _: "client",
            now=lambda: self.now,
            rehearsed=self.rehearsed,
            patient=patient,
            warn=lambda about, line: self.said.append((about, line)),
        )
        self.agent = Responses(self.journal, self.policy, world)
        return self.agent

    def work(self) -> list[Fact]:
        """Let the responder do what is to be done; returns the facts of this turn."""
        before = self.journal.fingerprint().position
        self.agent.finish(5.0)
        return [recorded.fact for recorded in self.journal.read(before, 10_000)]

    def later(self, micros: int) -> list[Fact]:
        self.now += micros
        return self.work()

    def record(self, stream: str, fact: Fact, actor: str = "detector", workflow: object = None) -> Fact:
        self.journal.append(
            [
                Draft(
                    event_id=uuid5(NAMESPACE, f"site|{next(self._numbers)}|{self.now}"),
                    stream=stream, fact=fact, occurred_at=self.now, actor=actor, correlation=workflow,
                )
            ]
        )  # fmt: skip
        return fact

    def threat(self, name: object, *, entity: str = "10.0.0.5", peers: tuple[str, ...] = ("203.0.113.9",)) -> None:
        stream, fact = detected(name, entity=entity)
        self.record(stream, replace(fact, peers=peers), workflow=uid(name))

    def incident(
        self, name: object, *, entity: str = "10.0.0.5", peers: tuple[str, ...] = ("203.0.113.9",), risk: float = 8.0
    ) -> UUID:
        """A threat that opened an incident; returns the incident's id."""
        self.threat(name, entity=entity, peers=peers)
        incident = uid(f"incident {name}")
        self.record(
            f"incident/{incident}",
            i.IncidentOpened(
                incident=incident, threat=uid(name), title="t", level=level_of(risk), risk=risk, entities=(entity,)
            ),
            "responder",
            uid(name),
        )
        return incident

    def link(self, incident: UUID, name: object) -> None:
        """A threat that is known joins an incident."""
        self.record(
            f"incident/{incident}",
            i.ThreatLinked(
                incident=incident, threat=uid(name), reason="same-entity", title="t", level="high", risk=8.0,
                entity="10.0.0.5",
            ),
            "responder",
            uid(name),
        )  # fmt: skip

    def verdict(self, name: object, said: str) -> None:
        self.record(
            f"verdict/{uid(name)}",
            VerdictGiven(threat=uid(name), verdict=said, confidence=1.0, correction=""),
            "operator:x",
        )

    def mode(self, mode: str) -> None:
        self.record("settings", SettingChanged(key=MODE, value=mode), "operator:x")

    def approve(self, response: UUID) -> None:
        self._answer(response, ResponseApproved(response=response, reason="looks right"))

    def reject(self, response: UUID) -> None:
        self._answer(response, ResponseRejected(response=response, reason="no"))

    def undo(self, response: UUID) -> None:
        self._answer(response, UndoRequested(response=response, reason="operator"))

    def _answer(self, response: UUID, fact: Fact) -> None:
        stream = f"response/{response}"
        self.record(stream, fact, "operator:x", self.journal.read_stream(stream)[0].correlation)

    def responses(self) -> list[UUID]:
        return [r.fact.response for f in follow(self.journal) for r in f if r.fact.kind == "response-proposed"]

    def all(self, kind: str) -> list[Fact]:
        return [r.fact for facts in follow(self.journal) for r in facts if r.fact.kind == kind]


def kinds(facts: list[Fact]) -> list[str]:
    return [fact.kind for fact in facts]


__all__ = ["HOUR", "MINUTE", "SECOND", "T0", "Always", "Site", "Wall", "asking", "kinds", "on_entity", "uid"]
