"""Subscriptions by kind: in order, from where one stopped, ended by whoever asked."""

from __future__ import annotations

from threading import Timer

import pytest

from adapters.log import open_log
from scheduler.subscribe import UnknownKind, subscribe
from tests.projections.story import NOON, detected, drafts, story, uid


@pytest.fixture
def log():
    journal = open_log("memory:", lambda: NOON)
    journal.append(story())
    yield journal
    journal.close()


def test_facts_come_in_log_order_and_only_of_the_kinds_asked_for(log):
    seen = []
    end = subscribe(log, {"threat-detected", "verdict-given"}, seen.append)
    assert [r.fact.kind for r in seen] == ["threat-detected", "threat-detected", "verdict-given"]
    assert end == log.fingerprint().position


def test_a_subscription_goes_on_behind_the_position_it_is_given(log):
    seen = []
    end = subscribe(log, {"threat-detected"}, seen.append)
    log.append(drafts(detected("z"), start=NOON + 99))
    subscribe(log, {"threat-detected"}, seen.append, after=end)
    assert [r.fact.threat for r in seen] == [uid("a"), uid("b"), uid("z")]


def test_a_subscription_can_be_ended_and_taken_up_without_loss(log):
    seen = []
    end = subscribe(log, {"threat-detected"}, seen.append, more=lambda: not seen)
    assert len(seen) == 1
    subscribe(log, {"threat-detected"}, seen.append, after=end)
    assert [r.fact.threat for r in seen] == [uid("a"), uid("b")]


def test_a_handler_that_fails_ends_the_subscription_at_its_fact(log):
    def fails(recorded):
        raise RuntimeError(recorded.position)

    with pytest.raises(RuntimeError, match="2"):
        subscribe(log, {"threat-detected"}, fails)


def test_what_is_recorded_while_it_waits_is_handed_over(log):
    seen = []
    timer = Timer(0.05, lambda: log.append(drafts(detected("z"), start=NOON + 99)))
    timer.start()
    subscribe(log, {"threat-detected"}, seen.append, wait=5.0, more=lambda: len(seen) < 3)
    timer.join()
    assert seen[-1].fact.threat == uid("z")


def test_a_kind_that_does_not_exist_is_refused(log):
    with pytest.raises(UnknownKind, match="threat-detcted"):
        subscribe(log, {"threat-detcted"}, print)
