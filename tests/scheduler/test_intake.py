"""The intake as a follower: what it records, and that neither batches nor restarts change it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.log import open_log
from agents.responder.policy import Policy
from domain.facts.assessment import Scope, SuppressionAdded, SuppressionRemoved
from domain.facts.incident import IncidentResolved
from domain.facts.threat import ThreatDetected, VerdictGiven
from domain.journal import Draft, follow
from domain.values import HOUR, MINUTE, SECOND, incident_id
from scheduler.intake import intake
from tests.projections.story import NOON, continued, detected, uid

SMALL = Policy(most_threats=6, most_incidents=3, remember=8 * HOUR)
"""A responder that has to forget all the time."""

HOSTS = [f"10.0.0.{n}" for n in range(4)]


def story(draw: Random, length: int) -> list[tuple[str, object, str]]:
    """Threats that begin and go on, verdicts, exceptions, an operator who resolves: stream, fact and actor."""
    facts, at, born, excepted = [], NOON, [], []
    for n in range(length):
        at += draw.choice([SECOND, MINUTE, HOUR, 5 * HOUR])
        what = draw.choice("ddddccccvvser")
        if what == "d" or not born:
            stream, fact = detected(n, entity=draw.choice(HOSTS), risk=draw.choice([3.0, 4.5, 7.1, 9.0]))
            fact = replace(
                fact, feed=draw.choice(["zeek", "eve"]), first_seen=at - MINUTE, last_seen=at, detected_at=at,
                threat_kind=draw.choice(["beacon", "flood"]), peers=(draw.choice([*HOSTS, "203.0.113.9"]),),
            )  # fmt: skip
            born.append(fact)
        elif what == "c":
            first = draw.choice(born)
            stream, fact = continued(0, entity=first.entity, risk=draw.choice([4.5, 7.7, 9.5]))
            fact = replace(fact, threat=first.threat, threat_kind=first.threat_kind, last_seen=at, peers=first.peers)
            stream = f"threat/{first.threat}"
        elif what == "v":
            threat = draw.choice(born).threat
            said = draw.choice(["correct", "incorrect", "partial"])
            stream = f"verdict/{threat}"
            fact = VerdictGiven(threat=threat, verdict=said, confidence=draw.choice([0.1, 1.0]), correction="")
        elif what == "s":
            excepted.append(uid(("x", n)))
            scope = Scope(entity=draw.choice(HOSTS), threat_kind=draw.choice(["", "beacon"]))
            until = at + draw.choice([HOUR, 50 * HOUR])
            stream = f"suppression/{excepted[-1]}"
            fact = SuppressionAdded(suppression=excepted[-1], scope=scope, expires_at=until, reason="known", covered=0)
        elif what == "e" and excepted:
            stream, gone = f"suppression/{excepted[0]}", excepted.pop(0)
            fact = SuppressionRemoved(suppression=gone, reason="over")
        else:
            continue
        facts.append((stream, fact, at))
    return facts


def worked(facts, draw: Random | None = None):
    """The facts of the responder, by stream, after it followed; cut and begun again at random when `draw` is given."""
    log = open_log("memory:", lambda: NOON)
    agent = intake(log, SMALL)
    for n, (stream, fact, at) in enumerate(facts):
        log.append([Draft(event_id=uid((n, stream)), stream=stream, fact=fact, occurred_at=at, actor="others")])
        if draw is None or draw.random() < 0.3:
            agent.catch_up()
        if draw is not None and draw.random() < 0.2:
            agent = intake(log, SMALL)
    agent.catch_up()
    found: dict[str, list] = {}
    for batch in follow(log):
        for recorded in batch:
            assert recorded.fact.kind != "follower-fault", recorded.fact
            if recorded.actor == "responder":
                found.setdefault(recorded.stream, []).append((recorded.event_id, recorded.fact, recorded.occurred_at))
    log.close()
    return found


@given(st.integers(0, 10**6), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_neither_batches_nor_restarts_change_what_the_responder_records(seed, length):
    facts = story(Random(seed), length)
    assert worked(facts, Random(seed + 1)) == worked(facts)


@given(st.integers(0, 10**6), st.integers(1, 80))
@settings(max_examples=25, deadline=None)
def test_every_threat_is_assessed_and_no_incident_opens_twice(seed, length):
    facts = story(Random(seed), length)
    found = worked(facts)
    for _, fact, _ in facts:
        if isinstance(fact, ThreatDetected):
            assert found[f"assessment/{fact.threat}"][0][1].kind == "threat-assessed"
    for stream, events in found.items():
        if stream.startswith("incident/"):
            assert [fact.kind for _, fact, _ in events].count("incident-opened") == 1
            assert events[0][1].kind == "incident-opened"
            times = [at for *_, at in events]
            assert times == sorted(times)


def test_what_an_operator_does_with_a_forgotten_incident_harms_nobody():
    born = [replace(detected(n, entity=f"10.0.{n}.1")[1], peers=()) for n in range(20)]
    facts = [(f"threat/{fact.threat}", fact, NOON + n) for n, fact in enumerate(born)]
    first = incident_id(born[0].threat)
    resolved = (f"incident/{first}", IncidentResolved(incident=first, reason="late"), NOON + 99)
    goes_on = replace(continued(0, entity="10.0.0.1", risk=9.5)[1], peers=(), last_seen=NOON + 100)
    found = worked([*facts, resolved, (f"threat/{born[0].threat}", goes_on, NOON + 100)])
    opened = [events[0][1] for stream, events in found.items() if stream.startswith("incident/")]
    assert [fact.threat for fact in opened] == [*(fact.threat for fact in born), born[0].threat]
    assert len({fact.incident for fact in opened}) == 21
