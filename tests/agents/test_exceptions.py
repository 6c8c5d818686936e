"""Exceptions: what they cover, what they silence, and what ends them."""

from __future__ import annotations

import pytest

from agents.responder.assess import Rule
from agents.responder.decide import Resolve
from agents.responder.exceptions import fits
from agents.responder.state import Threat
from domain.facts.assessment import Scope, ThreatSuppressed
from domain.facts.incident import IncidentEscalated, IncidentOpened, IncidentReopened, IncidentResolved, ThreatLinked
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
    [before] = desk.silence("part", threat_kind="beacon")
    silenced, resolved = desk.silence("rest", threat_kind="exfiltration")
    assert [before.threat, silenced.threat] == [first.threat, second.threat]
    assert before.suppression != silenced.suppression
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


def half_covered(until: int = 2 * T0) -> tuple[Desk, Threat, Threat]:
    """An open incident of two threats, the first of which has come under an exception."""
    first, second = threat("a", "10.0.0.1"), threat("b", "10.0.0.1", kind="exfiltration")
    desk = Desk().given(first, second)
    [told] = desk.silence("x", until=until, threat_kind="beacon")
    assert told == ThreatSuppressed(threat=first.threat, suppression=told.suppression, reason="known")
    return desk, first, second


def test_a_threat_that_an_exception_covers_beside_others_stays_in_its_incident_and_moves_it_no_more():
    desk, first, _ = half_covered()
    assert desk.state.incident_of(first.threat) is not None
    assert desk.take(threat("a", "10.0.0.1", risk=9.5, new=False, at=T0 + MINUTE)) == []
    [grown] = desk.take(threat("b", "10.0.0.1", kind="exfiltration", risk=9.5, new=False, at=T0 + MINUTE))
    assert isinstance(grown, IncidentEscalated)


@pytest.mark.parametrize("over", ["removed", "expired"])
def test_a_threat_that_stayed_in_its_incident_counts_there_again_when_the_exception_is_over(over):
    desk, first, _ = half_covered(T0 + HOUR if over == "expired" else 2 * T0)
    if over == "removed":
        desk.speak("x")
    [again] = desk.take(threat("a", "10.0.0.1", new=False, at=T0 + HOUR))
    assert (again.threat, again.reason) == (first.threat, "uncovered")
    assert desk.take(threat("a", "10.0.0.1", new=False, at=T0 + HOUR + MINUTE)) == []


def test_a_threat_that_stayed_in_its_incident_counts_there_again_when_it_is_judged_correct():
    desk, first, _ = half_covered()
    [again] = desk.say(first, "correct")
    assert (again.threat, again.reason) == (first.threat, "uncovered")


def test_a_merge_of_incidents_ends_no_exception():
    first = threat("a", "10.0.0.1")
    other = threat("c", "10.0.0.9", kind="flood", at=T0 - MINUTE)
    older = Desk().given(other, first, threat("b", "10.0.0.1", kind="exfiltration"))
    older.silence("x", threat_kind="beacon")
    made = older.take(threat("d", "10.0.0.9", peers=("10.0.0.1",), kind="vertical-scan", at=T0 + MINUTE))
    assert (first.threat, "merged") in [(e.threat, e.reason) for e in made if isinstance(e, ThreatLinked)]
    assert older.state.threats[first.threat].suppression is not None
    assert older.take(threat("a", "10.0.0.1", risk=9.5, new=False, at=T0 + 2 * MINUTE)) == []
