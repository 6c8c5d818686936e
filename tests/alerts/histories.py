"""Histories of incidents for the router's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from adapters.log import open_log
from agents.responder.routes import Manners, Routing, Rule
from agents.responder.shelf import Patience
from domain.events import Fact
from domain.facts import incident as i
from domain.facts.alert import AlertingChanged
from domain.journal import Draft, Journal, follow
from domain.values import MINUTE, NAMESPACE, SECOND, level_of
from scheduler.follower import Following
from scheduler.routing import KINDS, NAME, RouterMind
from tests.projections.story import detected

T0 = 1_700_000_000 * SECOND


def uid(name: object) -> UUID:
    return uuid5(NAMESPACE, str(name))


def opened(name: object, risk: float = 7.5, entities: tuple[str, ...] = ("10.0.0.5",), threat: object = "t") -> Fact:
    return i.IncidentOpened(
        incident=uid(name),
        threat=uid(threat),
        title=f"title {name}",
        level=level_of(risk),
        risk=risk,
        entities=entities,
    )


def linked(name: object, threat: object, risk: float = 7.5) -> Fact:
    return i.ThreatLinked(
        incident=uid(name),
        threat=uid(threat),
        reason="same-entity",
        title=f"title of {threat}",
        level=level_of(risk),
        risk=risk,
        entity="10.0.0.6",
    )


def escalated(name: object, risk: float) -> Fact:
    return i.IncidentEscalated(incident=uid(name), level=level_of(risk), risk=risk, title="worse")


def acknowledged(name: object) -> Fact:
    return i.IncidentAcknowledged(incident=uid(name))


def resolved(name: object) -> Fact:
    return i.IncidentResolved(incident=uid(name), reason="cleaned")


def reopened(name: object) -> Fact:
    return i.IncidentReopened(incident=uid(name), threat=uid("t"))


def contained(name: object) -> Fact:
    return i.IncidentContained(incident=uid(name), response=uid("r"))


def released(name: object, reason: str = "ttl") -> Fact:
    return i.IncidentReleased(incident=uid(name), response=uid("r"), reason=reason)


def merged(name: object, into: object) -> Fact:
    return i.IncidentMerged(incident=uid(name), into=uid(into))


@dataclass(frozen=True)
class At:
    """A fact and its event time, seconds after the beginning."""

    seconds: float
    fact: Fact


def drafts(history: list[At]) -> list[Draft]:
    """The history as the responder would record it; alerts have been set up before."""
    first = AlertingChanged(version="v", channels=(), routes=())
    begin = Draft(event_id=uid("begin"), stream="alerting", fact=first, occurred_at=T0, actor=NAME)
    made = [
        Draft(
            event_id=uid((n, each.fact.kind)),
            stream=f"incident/{each.fact.incident}",  # type: ignore[union-attr]
            fact=each.fact,
            occurred_at=T0 + round(each.seconds * SECOND),
            actor="responder",
        )
        for n, each in enumerate(history)
    ]
    _, threat = detected("t")
    known = Draft(event_id=uid("t!"), stream=f"threat/{uid('t')}", fact=threat, occurred_at=T0, actor="detector")
    return [begin, known, *made]


def journal_of(history: list[At]) -> Journal:
    journal = open_log("memory:", lambda: T0)
    journal.append(drafts(history))
    return journal


def router(journal: Journal, policy: Routing, batch: int = 1000) -> Following:
    return Following(NAME, journal, lambda: RouterMind(journal, policy, Patience()), batch=batch, kinds=KINDS)


def alerts(journal: Journal) -> list[Fact]:
    return [
        each.fact
        for facts in follow(journal)
        for each in facts
        if each.stream.startswith("alert/") and each.actor == NAME
    ]


def routed(policy: Routing, *history: At) -> list[Any]:
    """What the router makes of a history."""
    journal = journal_of(list(history))
    router(journal, policy).catch_up()
    return alerts(journal)


def policy_of(*rules: Rule, window: int = 15 * MINUTE, **channels: Manners) -> Routing:
    rules = rules or (Rule(name="all", channels=tuple(channels) or ("soc",), level="medium"),)
    return Routing(rules=rules, channels=channels or {"soc": Manners()}, group_window=window)


def histories() -> st.SearchStrategy[list[At]]:
    """Any facts of four incidents, event time mostly forward."""
    name, risk = st.integers(0, 3), st.sampled_from([4.0, 7.1, 9.5])
    fact = st.one_of(
        st.builds(opened, name, risk),
        st.builds(linked, name, st.integers(0, 30), risk),
        st.builds(escalated, name, risk),
        st.builds(acknowledged, name),
        st.builds(resolved, name),
        st.builds(reopened, name),
        st.builds(merged, name, name),
    )
    steps = st.lists(st.tuples(st.sampled_from([-5.0, 0.0, 1.0, 30.0, 1000.0, 40_000.0]), fact), max_size=40)

    def timed(pairs: list[tuple[float, Fact]]) -> list[At]:
        now, made = 100_000.0, []
        for step, each in pairs:
            now += step
            made.append(At(now, each))
        return made

    return steps.map(timed)
