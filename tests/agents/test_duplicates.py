"""Duplicates are merged and counted, and what can no longer be joined is forgotten."""

from __future__ import annotations

from dataclasses import replace

from agents.responder.assess import Rule
from agents.responder.policy import Policy
from domain.facts.assessment import ThreatMerged
from domain.facts.incident import IncidentEscalated, IncidentOpened, ThreatLinked
from domain.values import DAY, HOUR, MINUTE, SECOND, incident_id
from tests.agents.given import T0, Desk, threat


def test_two_feeds_that_see_the_same_are_one_threat_and_one_incident():
    first = threat("a", "10.0.0.1", feed="zeek")
    desk = Desk().given(first)
    second, third = (threat(name, "10.0.0.1", feed="eve", at=T0 + MINUTE) for name in "bc")
    assert desk.take(second) == [ThreatMerged(threat=second.threat, into=first.threat, count=1)]
    assert desk.take(third) == [ThreatMerged(threat=third.threat, into=first.threat, count=2)]
    assert list(desk.state.incidents[incident_id(first.threat)].threats) == [first.threat]


def test_a_duplicate_that_goes_on_opens_and_joins_nothing():
    desk = Desk().given(threat("a", "10.0.0.1"), threat("b", "10.0.0.1"))
    assert desk.take(threat("b", "10.0.0.1", new=False, at=T0 + HOUR)) == []


def test_a_duplicate_that_grows_graver_escalates_the_incident_of_the_threat_that_it_repeats():
    first = threat("a", "10.0.0.1", risk=7.0)
    desk = Desk().given(first, threat("b", "10.0.0.1", risk=7.0))
    (event,) = desk.take(threat("b", "10.0.0.1", risk=9.0, new=False, at=T0 + HOUR))
    assert isinstance(event, IncidentEscalated)
    assert (event.incident, event.level) == (incident_id(first.threat), "critical")


def test_beyond_the_window_it_is_another_threat():
    desk = Desk().given(threat("a", "10.0.0.1"))
    (event,) = desk.take(threat("b", "10.0.0.1", at=T0 + 301 * SECOND))
    assert isinstance(event, ThreatLinked)


def test_matches_of_two_rules_are_no_duplicates():
    one, other = Rule("r-1", "One", "high"), Rule("r-2", "Two", "high")
    desk = Desk().given(threat("a", "10.0.0.1", kind="rule-match", rules=(one,)))
    (event,) = desk.take(threat("b", "10.0.0.1", kind="rule-match", rules=(other,)))
    assert isinstance(event, ThreatLinked)


def test_a_second_peer_is_no_duplicate_and_an_exception_for_the_first_leaves_it_alone():
    vendor = threat("a", "10.0.0.1", peers=("198.51.100.1",), about="198.51.100.1")
    command = threat("b", "10.0.0.1", peers=("203.0.113.9",), about="203.0.113.9")
    desk = Desk().given(vendor)
    (event,) = desk.take(command)
    assert isinstance(event, ThreatLinked)
    assert desk.say(vendor, "incorrect") == []
    silenced = desk.silence("vendor", peer="198.51.100.1", threat_kind="beacon")
    assert [event.threat for event in silenced] == [vendor.threat]
    assert desk.open_incidents() == [incident_id(vendor.threat)]


def test_a_duplicate_grave_enough_for_an_incident_is_worked_when_the_first_was_not():
    desk = Desk().given(threat("a", "10.0.0.1", kind="anomaly", risk=3.0))
    (event,) = desk.take(threat("b", "10.0.0.1", kind="anomaly", risk=5.0))
    assert isinstance(event, IncidentOpened)


def test_what_is_long_over_is_forgotten_and_nothing_joins_it():
    desk = Desk(policy=Policy(remember=2 * DAY))
    for n in range(50):
        desk.take(threat(f"t{n}", f"10.0.{n}.1", at=T0 + n * DAY))
    assert len(desk.state.threats) < 5
    assert len(desk.state.incidents) < 5
    assert len(desk.state.by_entity) == len(desk.state.incidents)


def test_a_feed_of_another_time_makes_nobody_forget():
    desk = Desk(policy=Policy(remember=2 * DAY))
    desk.take(threat("old", "10.0.0.1", feed="archive"))
    desk.take(threat("new", "10.0.0.2", feed="live", at=T0 + 1000 * DAY))
    (event,) = desk.take(threat("more", "10.0.0.1", kind="flood", feed="archive", at=T0 + HOUR))
    assert isinstance(event, ThreatLinked)


def test_the_most_that_is_kept_is_never_exceeded_and_the_newest_stay():
    desk = Desk(policy=Policy(most_threats=10, most_incidents=5))
    for n in range(40):
        desk.take(threat(f"t{n}", f"10.0.{n}.1", at=T0 + n * SECOND))
        assert len(desk.state.threats) <= 10
        assert len(desk.state.incidents) <= 6
    assert threat("t39", "").threat in desk.state.threats


def test_a_forgotten_threat_that_goes_on_stands_in_its_incident_again():
    desk = Desk(policy=Policy(most_threats=1))
    first = threat("a", "10.0.0.1")
    desk.take(first)
    desk.take(threat("b", "10.0.0.2"))
    (event,) = desk.take(threat("a", "10.0.0.1", new=False, at=T0 + MINUTE))
    assert isinstance(event, ThreatLinked)
    assert event.incident == incident_id(first.threat)


def test_a_threat_that_outlives_its_incident_opens_another_one_under_another_id():
    desk = Desk(policy=Policy(most_incidents=1))
    first = threat("a", "10.0.0.1")
    desk.take(first)
    desk.take(threat("b", "10.0.0.2"))
    desk.take(threat("c", "10.0.0.3"))
    (event,) = desk.take(replace(first, new=False, feed=""), at=T0 + MINUTE)
    assert isinstance(event, IncidentOpened)
    assert event.incident != incident_id(first.threat)


def test_late_news_of_a_forgotten_threat_says_nothing():
    desk = Desk(policy=Policy(remember=2 * DAY))
    assert desk.take(threat("a", "10.0.0.1", new=False, at=T0), at=T0 + 3 * DAY) == []


def test_an_incident_that_forgot_a_threat_is_no_false_alarm():
    desk = Desk(policy=Policy(most_threats=2))
    kinds = ("beacon", "exfiltration", "flood")
    three = [threat(kind, "10.0.0.1", kind=kind) for kind in kinds]
    desk.given(*three)
    assert [desk.say(each, "incorrect") for each in three[1:]] == [[], []]
