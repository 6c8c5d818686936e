"""Matches as sightings: whom they accuse, when they speak, what they bring, and how a rule set is exchanged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agents.detector import decide as detector
from agents.detector.policy import Policy
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.sighting import Sighting
from domain.thresholds import LimitThresholds, Thresholds
from domain.values import LEVELS, RULE_RISK, risk_of
from engine.behaviours.places import Places
from engine.frame import Frame
from engine.pieces import pieces
from engine.pipeline import Pipeline
from engine.rules.ruleset import RuleSet
from engine.rules.watch import RuleWatch
from tests.engine.rows import CLIENT, OUTSIDE, SERVER, START, Rows
from tests.rules.test_correlation import many
from tests.rules.texts import correlation, rule, rules

BAD = rule("a: {query|startswith: bad}\ncondition: a", title="Bad name", name="bad")
WORSE = rule("a: {query|contains: worse}\ncondition: a", title="Worse name", level="critical")


def watch_of(ruleset: RuleSet, **limits: int) -> RuleWatch:
    thresholds = Thresholds(limits=LimitThresholds(**limits))
    return RuleWatch(ruleset, thresholds, Places(thresholds.local_networks))


def decided(sightings: list[Sighting]) -> list[Any]:
    """What the detector makes of sightings."""
    state, facts = detector.State(), []
    for sighting in sightings:
        command = detector.Sight(
            feed="zeek", sighting=sighting, versions=detector.Versions(model="m", rules="r", settings="s")
        )
        for fact in detector.decide(Policy(), command, state):
            state = detector.evolve(state, fact)
            facts.append(fact)
    return facts


def test_the_first_match_is_a_threat_that_brings_its_rule():
    (sighting,) = watch_of(rules(BAD)).sense(Rows().ask(0, "fine").ask(1, "bad.example").frame())
    (fact,) = decided([sighting])
    assert isinstance(fact, ThreatDetected)
    assert (fact.entity, fact.threat_kind, fact.row, fact.peers) == (CLIENT, "rule-match", 2, (SERVER,))
    assert (fact.level, fact.risk, fact.techniques) == ("high", 7.0, ("T1071.004",))
    assert [(hit.title, hit.author, hit.licence) for hit in fact.rules] == [("Bad name", "Nobody", "MIT")]
    assert "“Bad name” (high), 1 record, 1 host" in fact.title
    (vote,) = fact.votes
    assert (vote.model, vote.p, vote.vote) == (f"rule/{fact.rules[0].id}", None, True)
    assert fact.flows[0].note == "query=bad.example A"


def test_a_record_an_hour_late_matches_a_rule_and_belongs_to_no_correlation():
    body = "type: event_count\nrules: [bad]\ngroup-by: [src_ip]\ntimespan: 6h\ncondition: {gte: 2}"
    late = Rows().ask(0, "fine").ask(4000, "bad.first").ask(100, "bad.late").ask(4001, "fine").frame()
    for ruleset, found in ((rules(BAD), [2, 3]), (rules(BAD, correlation(body)), [])):
        pipeline = Pipeline(Thresholds(), rules=ruleset)
        facts = decided([seen for seen in pipeline.sense(late).sightings if seen.kind == "rule-match"])
        assert [fact.row for fact in facts] == found
    assert rule_notes(late) == ["query=bad.late A", "query=bad.first A"]


def rule_notes(frame: Frame) -> list[str]:
    *_, last = decided(watch_of(rules(BAD)).sense(frame))
    return [flow.note for flow in last.flows]


def test_two_rules_on_one_record_are_two_threats():
    facts = decided(watch_of(rules(BAD, WORSE)).sense(Rows().ask(0, "bad.worse.example").frame()))
    assert sorted(fact.rules[0].title for fact in facts) == ["Bad name", "Worse name"]
    assert len({fact.threat for fact in facts}) == 2
    assert all(isinstance(fact, ThreatDetected) for fact in facts)


def test_a_rule_that_goes_on_matching_continues_its_threat_at_every_doubling():
    rows = Rows()
    for number in range(9):
        rows.ask(number, "bad")
    facts = decided(watch_of(rules(BAD)).sense(rows.frame()))
    assert [(type(fact), fact.flow_count) for fact in facts] == [
        (ThreatDetected, 1), (ThreatContinued, 2), (ThreatContinued, 4), (ThreatContinued, 8)
    ]  # fmt: skip
    assert {fact.threat for fact in facts} == {facts[0].threat}
    assert facts[-1].rules == facts[0].rules


@pytest.mark.parametrize("level", ["low", "medium", "high", "critical"])
def test_however_often_a_rule_matches_its_level_stays(level):
    bound = next(bound for bound, name in LEVELS if name == level)
    above = min((other for other, _ in LEVELS if other > bound), default=11)
    assert bound <= RULE_RISK[level] <= risk_of("rule-match", 1e9, level) < above


def test_an_informational_rule_stays_a_candidate():
    text = rule("a: {query: bad}\ncondition: a", level="informational")
    sightings = watch_of(rules(text)).sense(Rows().ask(0, "bad").ask(1, "bad").frame())
    assert [sighting.score for sighting in sightings] == [0.5]
    assert decided(sightings) == []


@pytest.mark.parametrize(
    ("row", "entity", "peer"),
    [
        ({"src_ip": CLIENT, "dst_ip": OUTSIDE}, CLIENT, OUTSIDE),
        ({"src_ip": OUTSIDE, "dst_ip": SERVER}, OUTSIDE, SERVER),
        ({"detail": {"rx_hosts": ["10.0.0.7"], "tx_hosts": ["198.51.100.1"]}}, "10.0.0.7", "198.51.100.1"),
        ({"detail": {"src": "10.0.0.8", "dst": "10.0.0.9"}}, "10.0.0.8", "10.0.0.9"),
        ({"detail": {"certificate.serial": "01AB"}}, "certificate 01AB", ""),
    ],
)  # fmt: skip
def test_the_entity_is_who_acted(row, entity, peer):
    ruleset = rules(rule("a: {kind: bad}\ncondition: a", log="product: zeek, service: files"))
    ends = {"src_ip": "", "dst_ip": "", **row}
    detail = {"kind": "bad", **ends.pop("detail", {})}
    (sighting,) = watch_of(ruleset).sense(Rows().add(0, log="files", detail=detail, **ends).frame())
    assert (sighting.entity, sighting.peers) == (entity, (peer,))


def test_a_correlation_names_the_rules_that_it_counted_with_their_authors():
    body = "type: temporal\nrules: [bad, odd]\ngroup-by: [src_ip]\ntimespan: 1m"
    odd = rule("a: {query|startswith: odd}\ncondition: a", title="Odd name", name="odd").replace("Nobody", "Somebody")
    (sighting,) = watch_of(rules(BAD, odd, correlation(body))).sense(
        Rows().ask(0, "bad.example").ask(1, "bad.example").ask(2, "odd.example").frame()
    )
    assert [(each.name, each.value) for each in sighting.features] == [
        ("different rules within 60 s", 2.0),
        ("matches of “Bad name” by Nobody", 2.0),
        ("matches of “Odd name” by Somebody", 1.0),
    ]


def test_a_correlation_brings_the_records_that_it_counted():
    body = "type: event_count\nrules: [bad]\ngroup-by: [src_ip]\ntimespan: 1m\ncondition: {gte: 3}"
    (sighting,) = watch_of(rules(BAD, correlation(body))).sense(
        Rows().ask(0, "bad1").ask(1, "bad2").ask(2, "bad3").frame()
    )
    assert [flow.note for flow in sighting.flows] == ["query=bad1 A", "query=bad2 A", "query=bad3 A"]
    assert (sighting.row, sighting.score, sighting.flow_count) == (3, 1.0, 3)
    assert (sighting.features[0].value, sighting.features[0].baseline) == (3, 3)


def test_what_was_not_told_is_told_by_the_first_row_after_a_while_or_at_the_end():
    rows = Rows().ask(0, "bad").ask(1, "bad").ask(2, "bad").ask(200, "fine").ask(400, "fine").ask(500, "fine")
    watch = watch_of(rules(BAD))
    found = watch.sense(rows.frame())
    assert [(sighting.row, sighting.flow_count) for sighting in found] == [(1, 1), (2, 2), (5, 3)]
    watch = watch_of(rules(BAD))
    watch.sense(Rows().ask(0, "bad").ask(1, "bad").ask(2, "bad").frame())
    assert [sighting.flow_count for sighting in watch.finish(3, START + 3)] == [3]


def test_a_sample_record_tells_the_field_that_made_the_rule_match():
    selection = "a:\n" + "".join(f"  - {name}|contains: jndi\n" for name in ("uri", "user_agent", "referrer"))
    text = rule(f"{selection}b: {{status_code: 500}}\ncondition: a and not b", log="product: zeek, service: http")
    detail = {"method": "GET", "host": "a.example", "uri": "/x", "user_agent": "${jndi:x}", "referrer": "fine"}
    (sighting,) = watch_of(rules(text)).sense(Rows().add(0, log="http", detail=detail).frame())
    assert sighting.flows[0].note == "user_agent=${jndi:x} GET http://a.example/x"


def stream() -> tuple[RuleSet, Frame]:
    """Correlations and a rule of their own over a stream with silences in it."""
    ruleset, frame = many(9)
    both = RuleSet.of({**ruleset.texts, "loud.yml": rule("a: {query|endswith: '3'}\ncondition: a", title="Loud")})
    return both, frame


@pytest.mark.parametrize("size", [1, 3, 64, 400])
def test_how_rows_are_cut_into_frames_changes_no_sighting(size):
    ruleset, frame = stream()
    whole = watch_of(ruleset)
    expected = [*whole.sense(frame), *whole.finish(frame.row[-1], frame.clock[-1])]
    parts = watch_of(ruleset)
    found = [seen for begin in range(0, len(frame), size) for seen in parts.sense(frame.slice(begin, begin + size))]
    assert [*found, *parts.finish(frame.row[-1], frame.clock[-1])] == expected
    assert len(expected) > 20


def test_a_watch_goes_on_from_a_dump_at_any_row():
    ruleset, frame = stream()
    whole = watch_of(ruleset)
    expected = whole.sense(frame)
    parts, found = watch_of(ruleset), []
    for begin in range(0, len(frame), 37):
        found += parts.sense(frame.slice(begin, begin + 37))
        state = msgspec.msgpack.decode(b"".join(pieces(parts.dump())))
        parts = watch_of(ruleset)
        parts.load(state)
    assert found == expected
    assert list(pieces(parts.dump())) == list(pieces(whole.dump()))


def test_trails_are_bounded_and_the_forgotten_are_counted():
    watch = watch_of(rules(BAD), entities=10)
    rows = Rows()
    for number in range(50):
        rows.ask(number, "bad", src_ip=f"10.0.1.{number}")
    watch.sense(rows.frame())
    assert (len(watch.memory.entries), watch.evicted) == (10, 40)


COUNTING = correlation("type: event_count\nrules: [bad]\ngroup-by: [src_ip]\ntimespan: 1m\ncondition: {gte: 3}")


def test_a_correlation_that_says_the_same_goes_on_after_a_swap():
    before, after = rules(BAD, COUNTING), rules(BAD, COUNTING, WORSE)
    frame = Rows().ask(0, "bad1").ask(1, "bad2").ask(2, "bad3").ask(3, "worse").frame()
    watch = watch_of(before)
    assert watch.sense(frame.slice(0, 2)) == []
    assert watch.swap(after, 2, frame.clock[1]) == []
    found = watch.sense(frame.slice(2, 4))
    assert [sighting.rules[0].title for sighting in found] == ["Together", "Worse name"]


def test_a_correlation_that_says_something_else_begins_anew():
    before = rules(BAD, COUNTING)
    after = rules(BAD.replace("startswith: bad", "contains: bad"), COUNTING)
    frame = Rows().ask(0, "bad1").ask(1, "bad2").ask(2, "bad3").frame()
    watch = watch_of(before)
    watch.sense(frame.slice(0, 2))
    watch.swap(after, 2, frame.clock[1])
    assert watch.sense(frame.slice(2, 3)) == []


def test_what_a_removed_rule_saw_and_did_not_tell_is_told_at_the_swap():
    frame = Rows().ask(0, "bad").ask(1, "bad").ask(2, "bad").ask(3, "bad").ask(4, "bad").frame()
    watch = watch_of(rules(BAD, WORSE))
    watch.sense(frame.slice(0, 3))
    (told,) = watch.swap(rules(WORSE), 3, frame.clock[2])
    assert (told.rules[0].title, told.flow_count, told.row) == ("Bad name", 3, 3)
    assert watch.sense(frame.slice(3, 5)) == []
    assert watch.reads == {"dns"}
    assert not watch.memory.entries


def test_a_rule_that_stays_goes_on_with_its_trail_after_a_swap():
    frame = Rows().ask(0, "bad").ask(1, "bad").ask(2, "bad").ask(3, "bad").frame()
    watch = watch_of(rules(BAD, WORSE))
    first = watch.sense(frame.slice(0, 2))
    watch.swap(rules(BAD), 2, frame.clock[1])
    facts = decided([*first, *watch.sense(frame.slice(2, 4))])
    assert [fact.flow_count for fact in facts] == [1, 2, 4]
    assert len({fact.threat for fact in facts}) == 1
