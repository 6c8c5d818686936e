"""The responder's intake: threats into incidents."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from agents.responder.decide import Acknowledge, Annotate, NotPossible, Resolve
from domain.facts.incident import (
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    ThreatLinked,
)
from domain.values import DAY, HOUR, MINUTE, incident_id
from tests.agents.given import T0, Desk, threat


def test_a_medium_threat_opens_an_incident_whose_id_derives_from_it():
    first = threat("a", "10.0.0.1", risk=4.0)
    (event,) = Desk().take(first)
    assert isinstance(event, IncidentOpened)
    assert event.incident == incident_id(first.threat)
    assert (event.level, event.entities) == ("medium", ("10.0.0.1",))


def test_a_low_threat_opens_nothing():
    assert Desk().take(threat("a", "10.0.0.1", kind="anomaly", risk=3.9)) == []


def test_a_threat_of_the_same_entity_joins_within_the_window():
    desk = Desk().given(threat("a", "10.0.0.1"))
    (event,) = desk.take(threat("b", "10.0.0.1", kind="exfiltration", risk=8.0, at=T0 + 23 * HOUR))
    assert isinstance(event, ThreatLinked)
    assert (event.reason, event.risk, event.level) == ("same-entity", 8.0, "high")


def test_a_threat_of_the_same_entity_after_the_window_opens_another():
    desk = Desk().given(threat("a", "10.0.0.1"))
    (event,) = desk.take(threat("b", "10.0.0.1", at=T0 + DAY + MINUTE))
    assert isinstance(event, IncidentOpened)


def test_the_victim_of_a_scan_that_beacons_afterwards_is_linked_by_its_flows():
    desk = Desk().given(threat("scan", "10.0.0.1", kind="horizontal-scan", risk=5.0, peers=("10.0.0.2", "10.0.0.3")))
    (event,) = desk.take(threat("beacon", "10.0.0.3", peers=("203.0.113.9",)))
    assert isinstance(event, ThreatLinked)
    assert (event.reason, event.entity) == ("flows", "10.0.0.3")


def test_two_clients_of_one_command_server_are_one_incident():
    desk = Desk().given(threat("a", "10.0.0.1", peers=("203.0.113.9",)))
    (event,) = desk.take(threat("b", "10.0.0.2", peers=("203.0.113.9",)))
    assert isinstance(event, ThreatLinked)
    assert event.reason == "shared-peer"


def test_two_scanners_of_one_host_are_two_incidents():
    desk = Desk().given(threat("a", "198.51.100.1", kind="vertical-scan", risk=5.0, peers=("10.0.0.9",)))
    (event,) = desk.take(threat("b", "198.51.100.2", kind="vertical-scan", risk=5.0, peers=("10.0.0.9",)))
    assert isinstance(event, IncidentOpened)


def test_a_bridging_threat_merges_the_younger_incident_into_the_older():
    older, younger = threat("a", "10.0.0.1"), threat("b", "10.0.0.2", at=T0 + MINUTE)
    desk = Desk().given(older, younger)
    bridge = threat("c", "10.0.0.2", kind="password-guessing", risk=6.5, peers=("10.0.0.1",), at=T0 + HOUR)
    events = desk.take(bridge)
    assert [type(event) for event in events] == [ThreatLinked, ThreatLinked, IncidentMerged]
    assert events[-1] == IncidentMerged(incident=incident_id(younger.threat), into=incident_id(older.threat))
    assert desk.open_incidents() == [incident_id(older.threat)]
    assert desk.state.incident_of(younger.threat).incident == incident_id(older.threat)


def test_a_growing_threat_escalates_its_incident_once():
    desk = Desk().given(threat("a", "10.0.0.1", risk=7.0))
    (event,) = desk.take(threat("a", "10.0.0.1", risk=9.0))
    assert isinstance(event, IncidentEscalated)
    assert event.level == "critical"
    assert desk.take(threat("a", "10.0.0.1", risk=9.0)) == []


def test_a_resolved_incident_is_reopened_within_a_day_and_not_after():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    desk.when(Resolve(incident=incident_id(first.threat), reason="cleaned"))
    events = desk.take(threat("b", "10.0.0.1", at=T0 + HOUR))
    assert [type(event) for event in events] == [IncidentReopened, ThreatLinked]
    desk.when(Resolve(incident=incident_id(first.threat), reason="cleaned"))
    (event,) = desk.take(threat("c", "10.0.0.1", at=T0 + DAY + HOUR))
    assert isinstance(event, IncidentOpened)


def test_an_incident_whose_every_threat_was_incorrect_is_a_false_alarm():
    first, second = threat("a", "10.0.0.1"), threat("b", "10.0.0.1", kind="exfiltration")
    desk = Desk().given(first, second)
    assert desk.say(first, "incorrect") == []
    (event,) = desk.say(second, "incorrect")
    assert isinstance(event, IncidentResolved)


def test_a_threat_that_was_judged_incorrect_moves_nothing_however_it_goes_on_until_it_is_judged_otherwise():
    first = threat("a", "10.0.0.1", risk=6.0)
    desk = Desk().given(first)
    desk.say(first, "incorrect")
    more = replace(first, risk=9.5, last_seen=first.last_seen + HOUR, new=False)
    assert desk.take(more) == []
    assert [type(event) for event in desk.say(more, "correct")] == [IncidentReopened]


def test_a_false_alarm_that_is_confirmed_after_all_is_opened_again():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    assert [type(event) for event in desk.say(first, "incorrect")] == [IncidentResolved]
    assert [type(event) for event in desk.say(first, "correct")] == [IncidentReopened]
    assert desk.say(first, "correct") == []


def test_what_an_operator_resolved_stays_resolved_whatever_is_said_of_its_threats():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    desk.when(Resolve(incident=incident_id(first.threat), reason="cleaned"))
    assert desk.say(first, "correct") == []


def test_an_incident_escalates_with_the_level_and_by_half_a_point_of_risk():
    desk = Desk().given(threat("a", "10.0.0.1", risk=7.0))
    risks = (7.1, 7.4, 7.6, 7.7, 8.9, 9.0)
    told = [desk.take(threat("a", "10.0.0.1", risk=risk)) for risk in risks]
    assert [risk for risk, events in zip(risks, told, strict=True) if events] == [7.6, 8.9, 9.0]


def test_operators_cannot_work_on_what_is_over_or_unknown():
    first = threat("a", "10.0.0.1")
    desk = Desk().given(first)
    incident = incident_id(first.threat)
    assert len(desk.when(Acknowledge(incident=incident))) == 1
    assert desk.when(Acknowledge(incident=incident)) == []
    desk.when(Resolve(incident=incident, reason="done"))
    with pytest.raises(NotPossible, match="is resolved"):
        desk.when(Acknowledge(incident=incident))
    assert len(desk.when(Annotate(incident=incident, text="post mortem"))) == 1
    with pytest.raises(NotPossible, match="not known"):
        desk.when(Annotate(incident=first.threat, text="?"))


hosts = st.sampled_from([f"10.0.0.{i}" for i in range(6)])
threats = st.builds(
    threat,
    st.sampled_from("abcdefgh"),
    hosts,
    kind=st.sampled_from(["beacon", "horizontal-scan", "exfiltration", "anomaly"]),
    risk=st.floats(3.0, 9.5),
    peers=st.lists(hosts, max_size=3, unique=True).map(tuple),
    at=st.integers(T0, T0 + 3 * DAY),
)


@hypothesis_given(st.lists(threats, max_size=25))
@settings(max_examples=150, deadline=None)
def test_every_threat_stands_in_one_incident_that_is_not_merged(story):
    desk = Desk()
    opened = {}
    for each in story:
        known = desk.state.threats.get(each.threat)
        if known is not None and (known.threat.entity, known.threat.kind) != (each.entity, each.kind):
            continue  # a threat has one entity and kind for life
        desk.take(replace(each, new=known is None))
        opened |= {home.incident: home.opened_at for home in desk.state.incidents.values()}
    for held in desk.state.threats.values():
        if held.incident is not None:
            assert held.threat.threat in desk.state.incidents[held.incident].threats
    standing = [threat for home in desk.state.incidents.values() for threat in home.threats]
    assert len(standing) == len(set(standing))
    merged = [event for event in desk.decided if isinstance(event, IncidentMerged)]
    assert not {event.incident for event in merged} & set(desk.state.incidents)
    assert all(opened[event.into] <= opened[event.incident] for event in merged)
