"""Who is told of what: the routing table, grouping, limits and quiet hours."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.responder import routing
from agents.responder.hours import parse_hours
from agents.responder.routes import Manners, Rule, networks_of
from agents.responder.shelf import Shelf, Waiting
from domain.facts.alert import AlertRouted, AlertSuppressed
from domain.values import MINUTE, SECOND
from tests.alerts.histories import (
    T0,
    At,
    acknowledged,
    alerts,
    contained,
    escalated,
    histories,
    journal_of,
    linked,
    merged,
    opened,
    policy_of,
    released,
    reopened,
    resolved,
    routed,
    router,
    uid,
)
from tests.projections.story import routed as routed_fact

HOUR = 3600.0
NIGHT = Manners(quiet=(parse_hours("22:00-07:00"),), follow_ups=True)
MIDNIGHT = 86_400 - (T0 // SECOND) % 86_400
"""Seconds from the beginning to the first midnight UTC."""


def told(made: list) -> list[tuple[str, str]]:
    return [(each.channel, each.trigger) for each in made if isinstance(each, AlertRouted)]


def test_an_incident_is_told_once_to_every_channel_of_the_rules_that_fit():
    policy = policy_of(
        Rule(name="grave", channels=("duty", "soc"), level="high"),
        Rule(name="all", channels=("soc",), level="medium"),
        duty=Manners(),
        soc=Manners(),
    )
    made = routed(policy, At(0, opened("A", 7.5)), At(1, opened("B", 5.0)))
    assert [(each.channel, each.route, each.level) for each in made] == [
        ("duty", "grave", "high"),
        ("soc", "grave", "high"),
        ("soc", "all", "medium"),
    ]


def test_a_rule_that_says_last_ends_the_reading():
    policy = policy_of(
        Rule(name="lab", channels=(), networks=networks_of(["10.0.0.0/24"])[1], last=True),
        Rule(name="all", channels=("soc",)),
        soc=Manners(),
    )
    made = routed(policy, At(0, opened("A")), At(1, opened("B", entities=("192.0.2.1",))))
    assert [each.incident for each in made] == [uid("B")]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"kinds": frozenset({"beacon"})}, True),
        ({"kinds": frozenset({"flood"})}, False),
        ({"names": frozenset({"10.0.0.5"})}, True),
        ({"names": frozenset({"mail"})}, False),
        ({"networks": networks_of(["10.0.0.0/8"])[1]}, True),
        ({"networks": networks_of(["2001:db8::/32"])[1]}, False),
        ({"regions": frozenset({"local"})}, True),
        ({"regions": frozenset({"oslo"})}, False),
        ({"level": "critical"}, False),
        ({"hours": (parse_hours("22:00-23:00"),)}, True),
        ({"hours": (parse_hours("23:00-24:00", "Europe/Berlin"),)}, True),
        ({"hours": (parse_hours("22:00-23:00", "Europe/Berlin"),)}, False),
    ],
)
def test_a_rule_fits_when_all_its_conditions_hold(rule, fits):
    policy = policy_of(Rule(name="r", channels=("soc",), **rule), soc=Manners())
    made = routed(policy, At(MIDNIGHT - 1.5 * HOUR, opened("A")))  # 22:30 UTC in November
    assert bool(made) is fits


def test_changes_within_the_window_are_one_alert_and_the_next_one_counts_them():
    changes = [At(n, linked("A", n)) for n in range(1, 6)]
    made = routed(policy_of(), At(0, opened("A")), *changes, At(901, linked("A", "late")))
    assert told(made) == [("soc", "opened"), ("soc", "grew")]
    assert [each.grouped for each in made] == [0, 5]
    assert made[1].threat_count == 7


def test_a_rise_in_level_goes_out_at_once():
    made = routed(policy_of(), At(0, opened("A", 5.0)), At(1, escalated("A", 7.2)), At(2, linked("A", "b", 9.1)))
    assert [(each.trigger, each.level) for each in made] == [
        ("opened", "medium"),
        ("escalated", "high"),
        ("escalated", "critical"),
    ]


def test_a_kind_that_joins_later_brings_in_the_channel_that_wants_it():
    rule = Rule(name="calls home", channels=("soc",), kinds=frozenset({"beacon"}))
    made = routed(policy_of(rule, soc=Manners()), At(0, opened("A", threat="other")), At(1, linked("A", "t")))
    assert told(made) == [("soc", "opened")]
    assert made[0].kinds == ("beacon",)


def test_what_is_reopened_is_told_again():
    made = routed(policy_of(), At(0, opened("A")), At(1, resolved("A")), At(2, reopened("A")))
    assert told(made) == [("soc", "opened"), ("soc", "reopened")]


@pytest.mark.parametrize(
    ("before", "reason", "heard"),
    [
        ((), "ttl", True),
        ((), "graver", True),
        ((), "operator", False),
        ((), "exception", False),
        (("resolved",), "ttl", False),
    ],
)
def test_what_is_held_back_no_more_is_told_unless_a_person_saw_to_it_or_it_is_over(before, reason, heard):
    facts = [opened("A"), contained("A"), *(resolved("A") for _ in before), released("A", reason)]
    made = routed(policy_of(), *(At(second, fact) for second, fact in enumerate(facts)))
    assert told(made) == [("soc", "opened"), *([("soc", "released")] if heard else [])]


def test_only_channels_that_follow_up_and_were_told_hear_of_the_end():
    policy = policy_of(
        Rule(name="grave", channels=("duty",), level="critical"),
        Rule(name="all", channels=("soc", "chat")),
        duty=Manners(follow_ups=True),
        soc=Manners(follow_ups=True),
        chat=Manners(),
    )
    made = routed(policy, At(0, opened("A")), At(1, acknowledged("A")), At(2, resolved("A")))
    assert told(made) == [("soc", "opened"), ("chat", "opened"), ("soc", "acknowledged"), ("soc", "resolved")]


def test_an_incident_that_is_taken_in_by_another_is_over():
    made = routed(
        policy_of(soc=Manners(follow_ups=True)), At(0, opened("A")), At(1, opened("B")), At(2, merged("B", "A"))
    )
    assert [(each.incident, each.trigger) for each in made][2:] == [(uid("B"), "resolved")]


def test_a_rate_limit_keeps_back_and_the_next_alert_says_how_many():
    limited = policy_of(soc=Manners(per_minute=1, burst=2))
    flood = [At(n, opened(n)) for n in range(5)]
    made = routed(limited, *flood, At(70, opened("later")), At(80, opened("critical", 9.5)))
    passed = [each for each in made if isinstance(each, AlertRouted)]
    kept = [each for each in made if isinstance(each, AlertSuppressed)]
    assert [each.incident for each in passed] == [uid(0), uid(1), uid("later"), uid("critical")]
    assert [each.incident for each in kept] == [uid(2), uid(3), uid(4)]
    assert {each.reason for each in kept} == {"rate-limit"}
    assert [each.withheld for each in passed] == [0, 0, 3, 0]


def test_what_was_kept_back_is_told_at_its_next_change_and_said_once():
    limited = policy_of(soc=Manners(per_minute=1, burst=1))
    changes = [At(2 + n, linked("B", n)) for n in range(3)]
    made = routed(limited, At(0, opened("A")), At(1, opened("B")), *changes, At(65, linked("B", "x")))
    assert told(made) == [("soc", "opened"), ("soc", "opened")]
    assert sum(isinstance(each, AlertSuppressed) for each in made) == 1
    assert made[-1].grouped == 4


def test_in_quiet_hours_alerts_wait_for_the_morning_and_critical_ones_do_not():
    late = MIDNIGHT - 1 * HOUR
    made = routed(policy_of(soc=NIGHT), At(late, opened("A")), At(late + 1, opened("B", 9.5)))
    assert [each.not_before for each in made] == [T0 + round((MIDNIGHT + 7 * HOUR) * SECOND), 0]


def test_in_quiet_hours_follow_ups_wait_for_the_morning_and_those_of_critical_incidents_do_not():
    evening = MIDNIGHT - 3 * HOUR
    grave = At(evening, opened("B", 9.5)), At(MIDNIGHT, resolved("B"))
    made = routed(policy_of(soc=NIGHT), At(evening, opened("A")), At(MIDNIGHT, acknowledged("A")), *grave)
    assert [(each.trigger, each.not_before > 0) for each in made] == [
        ("opened", False), ("acknowledged", True), ("opened", False), ("resolved", False),
    ]  # fmt: skip


def test_a_follow_up_whose_alert_is_out_still_waits_for_the_end_of_quiet_hours():
    _, first = routed_fact("x", "A")
    later = replace(first, alert=uid("y"), trigger="resolved", not_before=100 * SECOND)
    shelf = Shelf(10)
    for fact in (first, later):
        waiting = Waiting(
            alert=fact, cause=uid("c"), correlation=None, occurred_at=0, region="local", position=1, limit=3
        )
        shelf.add(waiting, waiting.not_before)
    assert [each.alert for each in shelf.take(SECOND, 5)] == [first]
    shelf.drop(first.alert)
    assert list(shelf.take(99 * SECOND, 5)) == []
    assert [each.alert for each in shelf.take(100 * SECOND, 5)] == [later]


def test_critical_alerts_wait_too_when_the_channel_wants_it():
    strict = Manners(quiet=NIGHT.quiet, critical_passes=False)
    (made,) = routed(policy_of(soc=strict), At(MIDNIGHT, opened("A", 9.5)))
    assert made.not_before == T0 + round((MIDNIGHT + 7 * HOUR) * SECOND)


def test_an_alert_that_waits_does_not_go_out_when_its_incident_is_over():
    made = routed(policy_of(soc=NIGHT), At(MIDNIGHT, opened("A")), At(MIDNIGHT + 60, resolved("A")))
    assert [(type(each), each.alert) for each in made] == [
        (AlertRouted, made[0].alert),
        (AlertSuppressed, made[0].alert),
    ]
    assert made[1].reason == "resolved"


def test_an_alert_that_waits_gives_way_to_a_newer_one():
    made = routed(policy_of(soc=NIGHT), At(MIDNIGHT, opened("A", 5.0)), At(MIDNIGHT + 60, escalated("A", 9.5)))
    assert [type(each) for each in made] == [AlertRouted, AlertSuppressed, AlertRouted]
    assert (made[1].alert, made[1].reason) == (made[0].alert, "superseded")
    assert made[2].not_before == 0


POLICY = policy_of(
    Rule(name="grave", channels=("duty", "soc"), level="high", escalate_after=MINUTE, escalate_to=("soc",)),
    Rule(name="homes", channels=("chat",), kinds=frozenset({"beacon"})),
    Rule(name="all", channels=("soc", "chat")),
    duty=Manners(follow_ups=True, per_minute=2, burst=3),
    soc=NIGHT,
    chat=Manners(per_minute=1, burst=1),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.booleans())
def test_the_alerts_are_the_same_however_the_log_is_cut_and_restarted(history, cuts, restart):
    whole = journal_of(history)
    router(whole, POLICY).catch_up()
    pieces = journal_of(history)
    follower = router(pieces, POLICY, cuts[0])
    for number in count():
        if follower.step() is None:
            break
        if restart:
            follower.settle()
            follower = router(pieces, POLICY, cuts[number % len(cuts)])
    assert alerts(pieces) == alerts(whole)
    assert pieces.fingerprint().digest == whole.fingerprint().digest


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_no_two_alerts_have_one_key_and_each_is_routed_before_it_is_withdrawn(history):
    made = routed(POLICY, *history)
    keys = Counter(each.alert for each in made if isinstance(each, AlertRouted))
    assert all(times == 1 for times in keys.values())
    for number, each in enumerate(made):
        if isinstance(each, AlertSuppressed) and each.reason != "rate-limit":
            assert each.alert in {earlier.alert for earlier in made[:number]}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_what_waits_for_the_end_of_quiet_hours_ends_with_them_and_is_not_critical(history):
    quiet = NIGHT.quiet[0]
    for each in routed(policy_of(soc=NIGHT), *history):
        if isinstance(each, AlertRouted) and each.not_before:
            assert quiet.begun(each.not_before) is None
            assert each.level != "critical"


def test_the_state_stays_bounded(monkeypatch):
    monkeypatch.setattr(routing, "REMEMBERED", 50)
    state = routing.State()
    policy = policy_of()
    for n in range(500):
        moment = routing.Moment(cause=uid(n), at=T0 + n, region="local", kind="beacon")
        for each in (opened(n), linked(n, "x"), linked(7, n)):
            routing.route(policy, state, each, moment)
    assert len(state.subjects) <= 50
    assert all(len(subject.threats) <= routing.SHOWN for subject in state.subjects.values())
