"""Exceptions: what they cover, what they silence, and what ends them."""

from __future__ import annotations

import pytest

from agents.responder.assess import Rule
from agents.responder.decide import Resolve
from agents.responder.exceptions import fits
from domain.facts.assessment import Scope, ThreatSuppressed
from domain.facts.incident import IncidentOpened, IncidentReopened, IncidentResolved, ThreatLinked
from domain.values import DAY, HOUR, MINUTE, incident_id
from tests.agents.given import T0, Desk, threat

SEEN = {"entity": "10.0.0.5", "peers": ("203.0.113.9", "example.com"), "kind": "beacon", "rules": ("r-1", "Odd agent")}


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({"entity": "10.0.0.5"}, True),
        ({"entity": "10.0.0.6"}, False),
        ({"peer": "example.com"}, True),
        ({"peer": "203.0.113.8"}, False),
        ({"network": "10.0.0.0/24"}, True),
        ({"network": "10.1.0.0/24"}, False),
        ({"threat_kind": "beacon"}, True),
        ({"rule": "Odd agent"}, True),
        ({"rule": "r-1", "entity": "10.0.0.5"}, True),
        ({"rule": "r-1", "entity": "10.0.0.6"}, False),
        ({}, False),
    ],
)
def test_every_part_of_a_scope_must_fit_and_an_empty_one_covers_nothing(scope, covered):
    assert fits(Scope(**scope), **SEEN) is covered


def test_an_entity_that_is_no_address_lies_in_no_network():
    assert not fits(Scope(network="0.0.0.0/0"), **{**SEEN, "entity": "printer.local"})


def test_a_covered_threat_opens_nothing_and_is_told_once():
    desk = Desk()
    desk.silence("x", entity="10.0.0.1")
    (event,) = desk.take(threat("a", "10.0.0.1"))
    assert isinstance(event, ThreatSuppressed)
    assert desk.take(threat("a", "10.0.0.1", risk=9.5, new=False, at=T0 + HOUR)) == []
    assert desk.state.incidents == {}


def test_a_rule_is_silenced_by_its_title():
    desk = Desk()
    desk.silence("x", rule="Odd agent")
    one, other = Rule("r-1", "Odd agent", "high"), Rule("r-2", "Other", "high")
    assert isinstance(desk.take(threat("a", "10.0.0.1", kind="rule-match", rules=(one,)))[0], ThreatSuppressed)
    assert isinstance(desk.take(threat("b", "10.0.0.1", kind="rule-match", rules=(other,)))[0], IncidentOpened)


def test_an_exception_ends_by_itself_and_the_threat_that_goes_on_is_told():
    desk = Desk()
    desk.silence("x", until=T0 + HOUR, entity="10.0.0.1")
    desk.take(threat("a", "10.0.0.1"))
    (event,) = desk.take(threat("a", "10.0.0.1", new=False, at=T0 + HOUR))
    assert isinstance(event, IncidentOpened)


def test_an_exception_that_is_removed_ends_at_once():
    desk = Desk()
    desk.silence("x", entity="10.0.0.1")
    desk.take(threat("a", "10.0.0.1"))
    desk.speak("x")
    (event,) = desk.take(threat("a", "10.0.0.1", new=False, at=T0 + MINUTE))
    assert isinstance(event, IncidentOpened)


def test_an_open_incident_of_which_nothing_is_left_is_resolved_and_says_by_what():
    first, second = threat("a", "10.0.0.1"), threat("b", "10.0.0.1", kind="exfiltration")
    desk = Desk().given(first, second)
    assert desk.silence("part", threat_kind="beacon") == []
    *silenced, resolved = desk.silence("rest", threat_kind="exfiltration")
    assert [event.threat for event in silenced] == [first.threat, second.threat]
    assert len({event.suppression for event in silenced}) == 2
    assert isinstance(resolved, IncidentResolved)
    assert resolved.reason.startswith("suppressed by ")


def test_a_resolved_incident_is_not_reopened_by_what_is_covered():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    desk.when(Resolve(incident=incident_id(first.threat), reason="cleaned"))
    desk.silence("x", entity="10.0.0.1")
    (event,) = desk.take(threat("a", "10.0.0.1", new=False, at=T0 + HOUR))
    assert isinstance(event, ThreatSuppressed)


def test_a_silenced_threat_that_was_correct_after_all_opens_its_incident():
    desk, hidden = Desk(), threat("a", "10.0.0.1")
    desk.silence("x", entity="10.0.0.1")
    desk.take(hidden)
    (event,) = desk.say(hidden, "correct")
    assert isinstance(event, IncidentOpened)
    assert desk.take(threat("a", "10.0.0.1", risk=9.5, new=False, at=T0 + HOUR))[0].level == "critical"
    assert isinstance(desk.take(threat("b", "10.0.0.1", kind="flood", at=T0 + HOUR))[0], ThreatSuppressed)


def test_an_incident_that_was_silenced_is_reopened_when_one_of_its_threats_was_correct():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    desk.silence("x", entity="10.0.0.1")
    (event,) = desk.say(first, "correct")
    assert event == IncidentReopened(incident=incident_id(first.threat), threat=first.threat)
    assert desk.state.threats[first.threat].suppression is None


def test_what_was_judged_correct_is_not_silenced_by_a_later_exception():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    desk.say(first, "correct")
    assert desk.silence("x", entity="10.0.0.1") == []


def test_a_threat_that_begins_after_the_exception_ended_is_not_covered():
    desk = Desk()
    desk.silence("x", until=T0 + HOUR, entity="10.0.0.1")
    assert isinstance(desk.take(threat("a", "10.0.0.1", at=T0 + DAY))[0], IncidentOpened)
    assert isinstance(desk.take(threat("b", "10.0.0.1", kind="flood", at=T0 + DAY))[0], ThreatLinked)
