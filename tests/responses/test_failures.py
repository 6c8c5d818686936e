"""What fails, in the world or by a kill: tried again, given up, taken back where something may have been done."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from agents.responder.ports import ActuatorError, NotSent
from agents.responder.respond_policy import ResponsePolicy
from domain.facts.incident import IncidentResolved
from tests.responses.world import ACT, HOUR, MINUTE, SECOND, Site, kinds, uid


def gate(**changes: object) -> ResponsePolicy:
    return replace(ACT, gate=replace(ACT.gate, **changes))


def test_an_undo_that_fails_is_tried_again_with_growing_pauses_and_said():
    site = Site()
    site.incident("a")
    site.work()
    site.wall.broken = {"undo"}
    assert kinds(site.later(10 * MINUTE)) == ["action-failed"]
    assert site.later(SECOND) == []
    assert kinds(site.later(SECOND)) == ["action-failed"]
    name = str(site.responses()[0])[:8]
    assert site.agent.faults() == [f"response {name}: deny 203.0.113.9/32 cannot be taken back"]
    site.wall.broken = set()
    assert kinds(site.later(4 * SECOND)) == ["action-undone", "incident-released"]
    assert site.agent.faults() == []


def test_an_undo_whose_effect_stays_is_no_undo():
    site = Site()
    site.incident("a")
    site.work()
    keep = site.wall.undo
    site.wall.undo = lambda action: "done"
    site.undo(site.responses()[0])
    site.work()
    [failed] = site.all("action-failed")
    assert failed.phase == "undo"
    assert "still" in failed.error
    site.wall.undo = keep
    site.later(2 * SECOND)
    assert len(site.all("action-undone")) == 1


def test_what_cannot_be_carried_out_is_tried_three_times_and_then_taken_back_to_be_sure():
    site = Site()
    site.wall.broken = {"execute"}
    site.incident("a")
    site.work()
    for _ in range(6):
        site.later(10 * SECOND)
    assert [fact.attempt for fact in site.all("action-failed")] == [1, 2, 3]
    assert [fact.reason for fact in site.all("action-undone")] == ["failure"]
    assert site.all("incident-contained") == []


def fail(site: Site, *broken: str, by: type[ActuatorError] = ActuatorError) -> None:
    """Let an incident's one action fail until it is given up."""
    site.wall.broken, site.wall.fails_by = set(broken), by
    site.incident("a")
    for _ in range(6):
        site.later(10 * SECOND)


@pytest.mark.parametrize(("verb", "by"), [("check", ActuatorError), ("execute", NotSent)])
def test_what_failed_before_anything_was_sent_is_over_and_needs_no_taking_back(verb, by):
    site = Site()
    fail(site, verb, "undo", by=by)
    assert [(fact.phase, fact.attempt) for fact in site.all("action-failed")] == [("check", n) for n in (1, 2, 3)]
    [undone] = site.all("action-undone")
    assert (undone.reason, undone.evidence) == ("failure", "nothing had been sent, so there was nothing to take back")
    assert site.wall.count("undo") == 0
    assert site.agent.mind.state.live == {}
    name = str(site.responses()[0])[:8]
    assert site.agent.faults() == [f"response {name}: failed, and its incident is not contained"]
    incident = uid("incident a")
    site.record(f"incident/{incident}", IncidentResolved(incident=incident, reason="by hand"), "operator:x")
    site.work()
    assert site.agent.faults() == []


def test_what_was_never_sent_takes_no_place_in_the_blast_radius():
    site = Site(gate(max_targets=1, max_targets_window=1))
    fail(site, "check")
    site.wall.broken = set()
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_what_nobody_knows_the_end_of_is_taken_back_even_if_a_later_attempt_was_not_sent():
    site = Site()
    site.wall.broken = {"execute"}
    site.incident("a")
    site.work()
    site.wall.broken = {"check"}
    for _ in range(6):
        site.later(10 * SECOND)
    assert [fact.phase for fact in site.all("action-failed")] == ["execute", "check", "check"]
    assert site.wall.count("undo") == 1


def test_a_stop_ends_at_once_what_was_not_sent_yet():
    site = Site()
    site.wall.broken = {"check", "undo"}
    site.incident("a")
    site.work()
    site.mode("observe")
    site.work()
    assert [fact.reason for fact in site.all("action-undone")] == ["stop"]
    assert site.agent.mind.state.live == {}


def test_after_a_restart_a_failure_that_sent_nothing_is_still_known_to_have_sent_nothing():
    site = Site()
    site.wall.broken = {"check", "effect", "undo"}
    site.incident("a")
    site.work()
    site.start()
    site.mode("observe")
    site.work()
    assert [fact.reason for fact in site.all("action-undone")] == ["stop"]
    assert site.wall.count("undo") == site.wall.count("effect") == 0


def test_a_further_attempt_is_recorded_before_it_is_made_so_that_a_kill_in_it_leaves_a_doubt():
    site = Site()
    site.wall.broken = {"check"}
    site.incident("a")
    site.work()
    site.wall.broken = set()
    site.agent._outbox.offer = lambda *_, **__: True  # the process dies after the record, before the effect
    site.now += 10 * SECOND
    site.agent.catch_up()
    assert [fact.attempt for fact in site.all("action-retried")] == [2]
    site.start()
    site.work()
    assert site.wall.calls[1][0] == "effect"
    assert len(site.all("incident-contained")) == 1


def test_after_a_restart_what_cannot_be_looked_at_is_taken_back():
    site = Site()
    site.incident("a")
    site.agent._hand_out = lambda: None
    site.agent.catch_up()
    site.wall.broken = {"effect", "undo"}
    site.start()
    for _ in range(6):
        site.later(10 * SECOND)
    assert site.agent.faults()
    site.wall.broken = set()
    site.later(MINUTE)
    assert site.wall.count("undo") > 1
    assert site.agent.mind.state.live == {}


def test_an_effect_that_is_not_seen_is_not_believed():
    site = Site()
    site.wall.execute = lambda action, until: "sure"
    site.incident("a")
    site.work()
    assert [fact.in_force for fact in site.all("action-verified")] == [False]
    assert site.all("incident-contained") == []


def test_what_was_started_without_a_result_is_looked_at_after_a_restart_and_done_under_the_same_id():
    site = Site()
    site.incident("a")
    # the process dies after the record, before the effect: its hands do nothing
    site.agent._hand_out = lambda: None
    site.agent.catch_up()
    assert site.wall.calls == []
    site.start()
    site.work()
    [started] = site.all("action-started")
    assert site.wall.calls[0] == ("effect", started.action)
    assert ("execute", started.action) in site.wall.calls
    assert len(site.all("incident-contained")) == 1


def test_what_took_effect_just_before_a_kill_is_found_and_not_done_twice():
    site = Site()
    site.incident("a")
    site.agent._collect = lambda: 0  # the process dies before it records the outcome
    site.agent.catch_up()
    while site.wall.calls[-1:] != [("effect", site.all("action-started")[0].action)]:
        time.sleep(0.001)
    site.agent.close()
    assert site.wall.count("execute") == 1
    site.start()
    site.work()
    assert site.wall.count("execute") == 1
    assert site.all("action-succeeded")[0].receipt == "found in force"


def test_what_ran_out_while_nobody_was_there_is_taken_back_at_the_start():
    site = Site()
    site.incident("a")
    site.work()
    site.now += HOUR
    site.start()
    site.work()
    assert site.wall.blocked == {}


def test_a_stop_that_was_read_but_not_acted_on_before_a_kill_is_acted_on():
    site = Site()
    site.incident("a")
    site.mode("observe")
    site.mode("act")
    site.agent._hand_out = lambda: None
    site.agent.catch_up()  # both read in one batch: begun, and to be taken back
    site.start()
    site.work()
    assert [(fact.action, fact.reason) for fact in site.all("action-undone")] == [
        (site.all("action-started")[0].action, "stop")
    ]
    assert len(site.responses()) == 2  # the mode is act again, and the incident open
