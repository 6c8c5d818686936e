"""From an incident in the log to effects in the world, and back."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from agents.responder.playbook import Playbook
from agents.responder.ports import ActuatorError, NotSent
from agents.responder.respond_policy import ResponsePolicy
from domain.facts.incident import IncidentMerged, IncidentResolved
from domain.gate import GatePolicy
from tests.responses.chosen import BLOCK
from tests.responses.world import ACT, HOUR, LOCAL, MINUTE, SECOND, T0, Site, asking, kinds, on_entity, uid


def gate(**changes: object) -> ResponsePolicy:
    return replace(ACT, gate=replace(ACT.gate, **changes))


def test_a_grave_incident_is_contained_and_says_so():
    site = Site()
    incident = site.incident("a")
    assert kinds(site.work()) == [
        "response-proposed", "response-approved", "action-started", "action-succeeded", "action-verified",
        "incident-contained",
    ]  # fmt: skip
    assert site.wall.blocked == {"203.0.113.9/32": T0 + 10 * MINUTE}
    [contained] = site.all("incident-contained")
    assert contained.incident == incident


def test_a_dry_run_contains_nothing():
    site = Site(rehearsed=frozenset({"wall"}))
    site.incident("a")
    assert kinds(site.work())[-1] == "action-verified"
    assert site.all("incident-contained") == []


def test_of_the_other_side_of_a_threat_only_what_lies_outside_is_blocked():
    site = Site()
    site.incident("a", entity="203.0.113.1", peers=("10.0.0.41", "203.0.113.9", "0.0.0.0/0"))
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    site.incident("b", entity="203.0.113.1", peers=("10.0.0.41",))
    assert kinds(site.work()) == ["response-proposed", "response-rejected"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda site: site.later(10 * MINUTE), "ttl"),
        (lambda site: site.undo(site.responses()[0]), "operator"),
        (lambda site: site.verdict("a", "incorrect"), "verdict"),
        (lambda site: site.mode("observe"), "stop"),
    ],
)
def test_an_incident_is_released_when_all_that_contained_it_was_taken_back_whatever_for(end, reason):
    site = Site()
    incident = site.incident("a", peers=("203.0.113.9", "203.0.113.10"))
    site.work()
    end(site)
    site.work()
    [released] = site.all("incident-released")
    assert (released.incident, released.response, released.reason) == (incident, site.responses()[0], reason)


def test_an_incident_is_not_released_while_another_response_still_contains_it():
    site = Site()
    incident = site.incident("a")
    site.work()
    site.now += 5 * MINUTE
    site.threat("b", peers=("203.0.113.10",))
    site.link(incident, "b")
    site.work()
    assert len(site.all("incident-contained")) == 2
    assert "incident-released" not in kinds(site.later(6 * MINUTE))
    site.start()
    assert kinds(site.later(5 * MINUTE)) == ["action-undone", "incident-released"]


def test_an_incident_that_was_merged_away_is_released_no_more():
    site = Site()
    older, younger = site.incident("a"), site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    site.record(f"incident/{younger}", IncidentMerged(incident=younger, into=older), "responder")
    site.later(HOUR)
    assert [fact.incident for fact in site.all("incident-released")] == [older]


def test_an_incident_below_the_level_of_the_policy_is_left_alone():
    site = Site()
    site.incident("a", risk=6.0)
    assert site.work() == []


def test_by_default_it_observes_and_touches_nothing():
    site = Site(ResponsePolicy())
    site.incident("a")
    assert kinds(site.work()) == ["response-proposed", "response-rejected"]
    assert site.all("response-rejected")[0].reason.startswith("mode: the mode is observe")
    assert site.wall.calls == []


def test_in_suggest_nothing_happens_until_an_operator_approves():
    site = Site(gate(mode="suggest"))
    site.incident("a")
    assert kinds(site.work()) == ["response-proposed"]
    assert site.wall.calls == []
    site.approve(site.responses()[0])
    assert "incident-contained" in kinds(site.work())


def test_what_was_approved_and_finds_no_room_waits_for_it():
    site = Site(gate(mode="suggest", max_targets=1))
    site.incident("a")
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    first, second = site.responses()
    site.approve(first)
    site.approve(second)
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    assert site.all("action-failed") == []
    site.start()
    site.undo(first)
    site.work()
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_what_was_approved_and_finds_no_room_in_time_is_refused():
    site = Site(gate(mode="suggest", max_targets=1), long(2 * HOUR))
    site.incident("a")
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    for response in site.responses():
        site.approve(response)
    site.work()
    [refused] = site.later(HOUR)
    assert (refused.response, refused.phase) == (site.responses()[1], "gate")
    assert refused.error.startswith("blast-radius")


def long(ttl: int) -> Playbook:
    return replace(BLOCK, steps=tuple(replace(step, ttl=ttl) for step in BLOCK.steps))


def test_an_answer_that_does_not_come_means_no_action():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    assert kinds(site.later(HOUR)) == ["response-expired"]
    site.approve(site.responses()[0])
    assert site.work() == []
    assert site.wall.calls == []


def test_an_answer_that_came_just_before_the_time_ran_out_counts():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.approve(site.responses()[0])
    assert "action-started" in kinds(site.later(2 * HOUR))
    assert site.all("response-expired") == []


def test_what_an_operator_rejects_is_not_done():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.reject(site.responses()[0])
    assert site.work() == []
    assert site.wall.calls == []


def test_a_rejection_that_comes_too_late_changes_nothing_of_what_is_under_way():
    site = Site()
    site.incident("a")
    site.agent.catch_up()
    site.reject(site.responses()[0])
    site.work()
    assert "action-verified" in kinds(site.all("action-verified"))
    site.later(HOUR)
    assert site.wall.blocked == {}


def test_an_action_is_taken_back_when_its_time_is_over():
    site = Site()
    site.incident("a")
    site.work()
    assert site.later(9 * MINUTE) == []
    assert kinds(site.later(MINUTE)) == ["action-undone", "incident-released"]
    assert site.all("action-undone")[0].reason == "ttl"
    assert site.wall.blocked == {}


def test_an_operator_takes_a_response_back():
    site = Site()
    site.incident("a")
    site.work()
    site.undo(site.responses()[0])
    site.work()
    assert site.wall.blocked == {}
    assert site.all("action-undone")[0].reason == "operator"


def test_a_verdict_of_incorrect_takes_back_all_that_the_threat_caused():
    site = Site()
    site.incident("a", peers=("203.0.113.9", "203.0.113.10"))
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    assert len(site.wall.blocked) == 3
    site.verdict("a", "incorrect")
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}
    assert {fact.reason for fact in site.all("action-undone")} == {"verdict"}


def test_a_verdict_of_incorrect_withdraws_what_still_waits_for_an_answer():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.verdict("a", "incorrect")
    assert kinds(site.work()) == ["response-rejected"]


def test_a_stop_takes_everything_back_and_begins_nothing_new():
    site = Site()
    site.incident("a")
    site.work()
    site.mode("observe")
    site.work()
    assert site.wall.blocked == {}
    assert site.all("action-undone")[0].reason == "stop"
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.77",))
    site.work()
    assert site.wall.blocked == {}
    site.mode("act")
    site.incident("c", entity="10.0.0.7", peers=("203.0.113.78",))
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.78/32"}


def test_operators_cannot_make_the_mode_less_careful_than_the_settings():
    site = Site(gate(mode="suggest"))
    site.mode("act")
    site.incident("a")
    assert kinds(site.work()) == ["response-proposed"]


def test_a_second_block_of_a_target_makes_the_first_last_longer():
    site = Site()
    site.incident("a")
    site.work()
    site.now += 5 * MINUTE
    site.incident("b", entity="10.0.0.6")
    site.work()
    assert site.wall.blocked == {"203.0.113.9/32": T0 + 15 * MINUTE}
    site.later(6 * MINUTE)
    assert site.wall.blocked, "the second one still holds it"
    site.later(5 * MINUTE)
    assert site.wall.blocked == {}


def test_an_undo_of_one_of_two_responses_keeps_the_block_of_the_other():
    site = Site()
    site.incident("a")
    site.incident("b", entity="10.0.0.6")
    site.work()
    first, second = site.responses()
    site.undo(first)
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    site.undo(second)
    site.work()
    assert site.wall.blocked == {}


def test_two_actions_on_a_target_that_end_together_both_let_it_go():
    site = Site()
    site.incident("a")
    site.incident("b", entity="10.0.0.6")
    site.work()
    site.later(HOUR)
    assert site.wall.blocked == {}
    assert len(site.all("action-undone")) == 2


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
    assert site.agent.faults() == [f"response {name}: failed, and nothing holds its incident back"]
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
    assert site.wall.blocked == {}
    assert [fact.reason for fact in site.all("action-undone")] == ["stop"]


@pytest.mark.parametrize(
    ("policy", "check"),
    [
        (gate(max_targets=2), "blast-radius"),
        (gate(max_targets_window=2), "blast-radius"),
        (gate(rate=2), "rate"),
    ],
)
def test_beyond_a_limit_the_rest_is_refused(policy, check):
    site = Site(policy)
    site.incident("a", peers=tuple(f"203.0.113.{n}" for n in range(1, 6)))
    site.work()
    assert len(site.wall.blocked) == 2
    assert {fact.error.partition(":")[0] for fact in site.all("action-failed")} == {check}
    assert {fact.phase for fact in site.all("action-failed")} == {"gate"}
    assert site.all("incident-contained") == []


def test_one_host_of_ours_may_be_acted_on_and_no_second_while_nobody_knows_how_many_there_are():
    site = Site(gate(max_share=0.05), on_entity())
    site.incident("a", entity="10.0.0.5")
    site.incident("b", entity="10.0.0.6")
    site.work()
    assert set(site.wall.blocked) == {"10.0.0.5/32"}
    assert site.all("response-rejected")[0].reason.startswith("blast-radius")


def test_a_target_of_the_never_block_list_is_refused_and_the_others_are_not():
    site = Site()
    site.incident("a", peers=("203.0.113.9", "198.51.100.7", "127.0.0.1"))
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    assert {fact.error.partition(":")[0] for fact in site.all("action-failed")} == {"never-block"}


def test_a_target_that_became_untouchable_after_it_was_begun_is_refused_just_before_the_effect():
    site = Site()
    site.incident("a")
    site.agent._hand_out = lambda: None
    site.agent.catch_up()
    site.policy = gate(never_block=("203.0.113.0/24",))
    site.start()
    site.work()
    [failed] = site.all("action-failed")
    assert (failed.phase, site.wall.count("execute")) == ("gate", 0)
    assert [fact.reason for fact in site.all("action-undone")] == ["failure"]


def test_what_cannot_be_taken_back_is_not_begun():
    site = Site()
    site.wall.undoes = {}
    site.incident("a")
    site.work()
    assert site.all("response-rejected")[0].reason.startswith("reversibility")


def test_a_threat_that_no_playbook_answers_is_recorded_once_a_level_and_tried_again_with_the_next():
    site = Site(playbook=replace(BLOCK, kinds=("exfiltration",)))
    incident = site.incident("a")
    [unavailable] = site.work()
    assert (unavailable.kind, unavailable.incident, unavailable.threat) == ("response-unavailable", incident, uid("a"))
    assert unavailable.reason == "no playbook against beacon"
    assert site.said == [("beacon", "no playbook against beacon")]
    site.link(incident, "a")
    assert site.work() == []
    site.playbook = BLOCK
    site.start()
    site.link(incident, "a")
    assert "incident-contained" in kinds(site.work())


def test_an_incident_is_answered_once_a_level():
    site = Site()
    site.incident("a")
    site.work()
    site.incident("a")
    assert site.work() == []


def test_two_restarts_give_the_same_state():
    site = Site(gate(local_networks=LOCAL))
    site.incident("a", peers=("203.0.113.9", "203.0.113.10"))
    site.work()
    site.undo(site.responses()[0])
    site.agent._hand_out = lambda: None
    site.agent.catch_up()
    site.agent.settle()
    before = site.agent.mind.state
    assert site.start().mind.state == before


def test_a_gate_policy_observes_unless_told_otherwise():
    assert GatePolicy().mode == "observe"
