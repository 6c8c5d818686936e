"""The risk of a threat: contributions that add up, and nothing that changes what nobody said anything about."""

from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.responder.assess import Case, Past, Rule, assess, moved
from agents.responder.assets import Asset, Assets
from agents.responder.policy import Policy
from domain.facts.incident import IncidentOpened
from domain.values import HOUR, KINDS, level_of
from tests.agents.given import T0, Desk, threat

POLICY = Policy()
points = st.floats(0, 10).map(lambda number: round(number, 2))
assets = st.one_of(
    st.none(),
    st.builds(lambda value: ("10.0.0.9", Asset(place="10.0.0.9", value=value, label="server")), points),
)
LEVELS = ["informational", "low", "medium", "high", "critical"]
rules = st.lists(
    st.builds(
        Rule, st.just("r"), st.just("R"), st.sampled_from(["informational", "low", "medium", "high", "critical"])
    ),
    max_size=2,
).map(tuple)
pasts = st.builds(Past, points, points)


@given(
    risk=points, confidence=st.floats(0, 1), kind=st.sampled_from(list(KINDS)), rules=rules, stake=assets, past=pasts
)
@settings(max_examples=300, deadline=None)
def test_contributions_add_up_to_the_risk_which_lies_between_0_and_10(risk, confidence, kind, rules, stake, past):
    found, parts = assess(
        POLICY, Case(risk=risk, confidence=confidence, kind=kind, rules=rules, stake=stake, past=past)
    )
    assert round(fsum(part.points for part in parts), 2) == found
    assert 0 <= found <= 10
    assert parts[0].name == "detector"
    assert all(part.points for part in parts[1:])
    assert all(part.says for part in parts)


@given(risk=points, confidence=st.floats(0, 1))
def test_without_assets_and_verdicts_only_confidence_ranks_within_the_level(risk, confidence):
    found, _ = assess(POLICY, Case(risk=risk, confidence=confidence, kind="flood"))
    assert level_of(found) == level_of(risk)
    assert 0 <= round(found - risk, 2) <= POLICY.confidence_points


@given(risk=st.floats(4, 10), past=pasts)
def test_history_alone_takes_no_threat_out_of_the_incidents(risk, past):
    found, _ = assess(POLICY, Case(risk=risk, confidence=0.5, kind="flood", past=past))
    assert found >= POLICY.open_from


def test_a_threat_is_at_least_as_grave_as_the_gravest_rule_that_matched():
    hits = (Rule("r", "Known implant", "critical"), Rule("s", "Odd agent", "low"))
    found, parts = assess(POLICY, Case(risk=7.0, confidence=0.5, kind="beacon", rules=hits))
    assert found == 9.0
    assert [part.says for part in parts if part.name == "rules"] == ["rule Known implant is of level critical"]


def test_what_is_nearly_critical_is_so_in_company_of_another_kind_and_never_by_itself():
    upload = threat("up", "10.0.0.1", kind="exfiltration", risk=8.7, about="198.51.100.1")
    alone = Desk().given(upload, threat("more", "10.0.0.1", kind="exfiltration", risk=8.7, about="198.51.100.2"))
    assert {event.level for event in alone.assessed()} == {"high"}
    desk = Desk().given(threat("call", "10.0.0.1", risk=7.5), upload)
    assert (desk.assessed()[-1].risk, desk.assessed()[-1].level) == (9.2, "critical")
    assert desk.assessed()[-1].contributions[1].says == "its incident holds beacon as well"
    assert desk.assessed()[0].level == "high"
    for level, lifted in (("medium", "high"), ("high", "critical")):
        match = threat("match", "10.0.0.1", kind="rule-match", risk=5.0, rules=(Rule("r", "A rule", level),))
        ruled = Desk().given(match, upload)
        assert ruled.assessed()[-1].level == lifted


def test_company_lifts_nothing_that_is_far_from_critical():
    desk = Desk().given(threat("call", "10.0.0.1", risk=7.5), threat("scan", "10.0.0.1", kind="flood", risk=8.4))
    assert [event.risk for event in desk.assessed()] == [7.5, 8.4]


@pytest.mark.parametrize(("before", "after", "told"), [(7.0, 7.4, False), (7.0, 7.5, True), (6.9, 7.0, True)])
def test_it_is_assessed_again_when_level_or_half_a_point_changed(before, after, told):
    desk = Desk().given(threat("a", "10.0.0.1", risk=before))
    desk.take(threat("a", "10.0.0.1", risk=after, new=False, at=T0 + HOUR))
    assert (len(desk.assessed()) == 2) is told
    assert moved(before, after) is told


def test_the_incident_bears_the_assessed_risk():
    known = Assets.of([Asset(place="10.0.0.0/24", value=10.0, label="server")])
    (event,) = Desk(assets=known).take(threat("a", "10.0.0.1", risk=8.0))
    assert (event.risk, event.level) == (9.0, "critical")


def test_a_threat_to_what_is_worth_little_may_open_nothing():
    known = Assets.of([Asset(place="10.0.0.1", value=0.0, label="guest")])
    assert Desk(assets=known).take(threat("a", "10.0.0.1", kind="rule-match", risk=4.5)) == []


def test_of_an_outside_attacker_the_most_valuable_victim_counts():
    known = Assets.of([
        Asset(place="10.0.0.5", value=9.0, label="domain-controller"), Asset(place="10.0.0.0/8", value=5.0, label="pc")
    ])  # fmt: skip
    desk = Desk(assets=known)
    desk.take(threat("a", "198.51.100.1", kind="password-guessing", risk=6.5, peers=("10.0.0.7", "10.0.0.5")))
    (fact,) = desk.assessed()
    assert fact.risk == 7.3
    assert "10.0.0.5 is a domain-controller, worth 9 of 10" in [part.says for part in fact.contributions]


def test_verdicts_on_the_same_entity_and_kind_move_the_next_one_and_on_others_do_not():
    desk = Desk()
    for n in range(4):
        past = threat(f"p{n}", "10.0.0.1", at=T0 + n * HOUR)
        desk.take(past)
        desk.say(past, "incorrect")
    told = {}
    for entity, kind in (("10.0.0.1", "beacon"), ("10.0.0.1", "flood"), ("10.0.0.2", "beacon")):
        desk.take(threat(f"new {entity} {kind}", entity, kind=kind, risk=7.0, at=T0 + 5 * HOUR))
        told[entity, kind] = desk.assessed()[-1].risk
    assert told == {("10.0.0.1", "beacon"): 5.67, ("10.0.0.1", "flood"): 7.0, ("10.0.0.2", "beacon"): 7.0}


@pytest.mark.parametrize("last", ["correct", "incorrect", "partial"])
def test_the_last_verdict_on_a_threat_counts_once(last):
    once, often = Desk(), Desk()
    first = threat("a", "10.0.0.1")
    once.take(first)
    often.take(first)
    once.say(first, last, 0.5)
    for said in ["incorrect"] * 9 + ["correct", last]:
        often.say(first, said, 0.5)
    assert often.state.pasts == once.state.pasts


def test_an_unsure_verdict_weighs_less():
    shares = [Past().plus("incorrect", confidence).share() for confidence in (0.1, 0.5, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == 3


def test_ones_own_verdict_is_no_history():
    desk = Desk()
    first = threat("a", "10.0.0.1", risk=7.0)
    desk.take(first)
    desk.say(first, "incorrect")
    desk.take(threat("a", "10.0.0.1", risk=8.0, new=False, at=T0 + HOUR))
    assert desk.assessed()[-1].risk == 8.0


def test_the_first_fact_of_every_threat_is_its_assessment():
    desk = Desk()
    assert isinstance(desk.take(threat("a", "10.0.0.1"))[0], IncidentOpened)
    assert [type(event).kind for event in desk.decided] == ["threat-assessed", "incident-opened"]
