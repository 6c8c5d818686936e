"""From an incident in the log to effects in the world, and back."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from agents.responder.playbook import Playbook
from agents.responder.respond import NotPossible
from agents.responder.respond_commands import Approve
from agents.responder.respond_policy import Circumstances, ResponsePolicy
from domain.facts.assessment import ThreatAssessed, ThreatSuppressed
from domain.facts.incident import IncidentMerged, IncidentResolved, ThreatLinked
from domain.facts.threat import ThreatContinued
from domain.gate import GatePolicy
from scheduler.answers import work_response
from tests.projections.story import totals
from tests.responses.chosen import BLOCK
from tests.responses.world import ACT, HOUR, LOCAL, MINUTE, T0, Site, asking, kinds, on_entity, uid


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


def test_what_was_approved_and_finds_no_room_in_time_expires():
    site = Site(gate(mode="suggest", max_targets=1), long(2 * HOUR))
    site.incident("a")
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    for response in site.responses():
        site.approve(response)
    site.work()
    [expired] = site.later(HOUR)
    assert (expired.kind, expired.response) == ("response-expired", site.responses()[1])
    assert site.all("action-failed") == []


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
    assert set(site.wall.blocked) == {"203.0.113.9/32", "203.0.113.77/32", "203.0.113.78/32"}  # they are open still


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
    assert [len(site.all(f"action-{what}")) for what in ("started", "failed")] == [1, 0]  # the second waits


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


@pytest.mark.parametrize("playbook", [BLOCK, asking()])
def test_what_is_proposed_without_room_waits_for_it_as_what_was_approved_does(playbook):
    site = Site(gate(max_targets=1), playbook)
    site.incident("a")
    site.work()
    if playbook is not BLOCK:
        site.approve(site.responses()[0])
        site.work()
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    assert site.all("response-rejected") == []
    site.undo(site.responses()[0])
    site.work()
    if playbook is not BLOCK:
        assert site.wall.blocked == {}
        site.approve(site.responses()[1])
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_what_will_never_find_room_is_rejected_at_once():
    site = Site(gate(max_targets=1))
    site.incident("a", peers=("203.0.113.0/28",))
    assert kinds(site.work()) == ["response-proposed", "response-rejected"]


def test_an_approval_after_the_time_for_an_answer_is_refused():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.now += HOUR
    with pytest.raises(NotPossible, match="not answered in time"):
        command(site, Approve(response=site.responses()[0], reason="yes"))


def command(site: Site, said: Approve) -> list[int]:
    around = Circumstances(now=site.now, undoes={"wall": site.wall.undoes})
    return work_response(
        site.journal, said, policy=site.policy, around=around, cause=uid(("said", site.now)), now=site.now,
        actor="operator:x",
    )  # fmt: skip


def graver(site: Site, incident: UUID, name: str, peer: str, risk: float = 9.5) -> None:
    """A graver threat joins an incident."""
    site.threat(name, peers=(peer,))
    site.record(
        f"assessment/{uid(name)}", ThreatAssessed(threat=uid(name), risk=risk, level="critical", contributions=())
    )
    site.link(incident, name)


def test_an_incident_whose_gravest_threat_is_not_held_back_is_not_contained():
    site = Site(playbook=asking())
    incident = site.incident("a")
    site.work()
    graver(site, incident, "b", "203.0.113.10")
    site.work()
    lesser, gravest = site.responses()
    site.approve(lesser)
    site.work()
    assert site.all("action-verified") != []
    assert site.all("incident-contained") == []
    site.approve(gravest)
    site.work()
    assert [fact.response for fact in site.all("incident-contained")] == [gravest]


def test_a_contained_incident_is_released_when_a_graver_threat_joins_it():
    site = Site(playbook=asking())
    incident = site.incident("a")
    site.work()
    site.approve(site.responses()[0])
    site.work()
    graver(site, incident, "b", "203.0.113.10")
    assert kinds(site.work())[-2:] == ["response-proposed", "incident-released"]
    assert site.all("incident-released")[0].reason == "graver"


def test_a_verdict_that_is_taken_back_leaves_no_incident_contained():
    site = Site(playbook=asking())
    incident = site.incident("a")
    graver(site, incident, "b", "203.0.113.10")
    site.work()
    site.verdict("b", "incorrect")
    site.approve(site.responses()[0])
    site.work()
    assert len(site.all("incident-contained")) == 1
    site.verdict("b", "correct")
    site.work()
    assert [fact.reason for fact in site.all("incident-released")] == ["verdict"]
    before = (site.agent.mind.state.contained, site.agent.mind.state.answered)
    assert before == (site.start().mind.state.contained, site.agent.mind.state.answered)


def test_a_threat_that_was_answered_is_not_answered_again_in_the_incident_that_it_is_merged_into():
    site = Site()
    older, younger = site.incident("a"), site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    site.record(
        f"incident/{older}",
        ThreatLinked(
            incident=older, threat=uid("b"), reason="merged", title="t", level="high", risk=8.0, entity="10.0.0.6"
        ),
        "responder",
    )
    site.record(f"incident/{younger}", IncidentMerged(incident=younger, into=older), "responder")
    site.work()
    assert len(site.responses()) == 2
    site.now += MINUTE
    site.undo(site.responses()[0])
    assert "incident-released" not in kinds(site.work())
    site.undo(site.responses()[1])
    site.work()
    assert [fact.incident for fact in site.all("incident-released")] == [older]


def goes_on(site: Site, name: str, seen: int) -> list[str]:
    """The threat continues, with evidence up to `seen`; returns the kinds of what follows."""
    site.record(f"threat/{uid(name)}", ThreatContinued(**{**totals(name), "last_seen": seen}), workflow=uid(name))
    return kinds(site.work())


def resolve(site: Site, incident: UUID) -> None:
    site.record(f"incident/{incident}", IncidentResolved(incident=incident, reason="done"), "operator:x")


def suppress(site: Site, name: str) -> None:
    site.record(f"assessment/{uid(name)}", ThreatSuppressed(threat=uid(name), suppression=uid("s"), reason="known"))


def after_observe_by_an_operator() -> Site:
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.mode("observe")
    site.work()
    site.mode("act")
    return site


def after_observe_by_the_settings() -> Site:
    site = Site(ResponsePolicy())
    site.incident("a")
    site.work()
    site.policy, site.playbook = ACT, asking()
    site.start()
    return site


@pytest.mark.parametrize("changed", [after_observe_by_an_operator, after_observe_by_the_settings])
def test_what_the_mode_observe_kept_back_is_proposed_again_when_the_mode_changes(changed):
    site = changed()
    assert kinds(site.work())[-1:] == ["response-proposed"]
    first, second = site.responses()
    assert first != second
    site.start()
    assert site.work() == []
    site.approve(second)
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}


def test_what_an_operator_rejected_is_not_proposed_again_when_the_mode_changes():
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    site.reject(site.responses()[0])
    site.mode("observe")
    site.work()
    site.mode("act")
    assert kinds(site.work()) == []


def test_what_is_over_is_not_proposed_again_when_the_mode_changes():
    site = Site(ResponsePolicy())
    incident = site.incident("a")
    site.work()
    resolve(site, incident)
    site.policy = ACT
    site.start()
    assert site.work() == []


def test_a_threat_that_outlives_its_block_is_blocked_again():
    site = Site()
    site.incident("a")
    site.work()
    site.later(10 * MINUTE)
    assert goes_on(site, "a", site.now) == []  # what was seen until then may be what the block ended
    site.later(MINUTE)
    assert goes_on(site, "a", site.now)[:1] == ["response-proposed"]
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    assert len(set(site.responses())) == 2
    site.start()
    assert goes_on(site, "a", site.now) == []


def test_a_threat_that_outlives_what_an_operator_took_back_is_left_to_them():
    site = Site()
    site.incident("a")
    site.work()
    site.undo(site.responses()[0])
    site.work()
    assert goes_on(site, "a", site.now + HOUR) == []


@pytest.mark.parametrize("ends", [lambda site: resolve(site, uid("incident a")), lambda site: suppress(site, "a")])
def test_what_waits_for_an_answer_ends_with_its_incident_or_by_an_exception(ends):
    site = Site(playbook=asking())
    site.incident("a")
    site.work()
    ends(site)
    with pytest.raises(NotPossible, match="nothing to act against"):
        command(site, Approve(response=site.responses()[0], reason="yes"))
    assert kinds(site.work()) == ["response-rejected"]
    site.approve(site.responses()[0])
    site.start()
    assert site.work() == []
    assert site.wall.calls == []


def test_what_waits_for_room_is_not_begun_when_its_incident_is_over():
    site = Site(gate(max_targets=1))
    site.incident("a")
    second = site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    resolve(site, second)
    [rejected] = site.work()
    assert (rejected.kind, rejected.reason) == ("response-rejected", "its incident was resolved")


def test_an_exception_takes_back_what_is_in_force_against_its_threats():
    site = Site()
    site.incident("a")
    site.work()
    suppress(site, "a")
    site.work()
    assert site.wall.blocked == {}
    assert [fact.reason for fact in site.all("incident-released")] == ["exception"]


def test_a_verdict_that_is_taken_back_brings_the_response_back():
    site = Site()
    site.incident("a")
    site.work()
    site.verdict("a", "incorrect")
    site.work()
    assert site.wall.blocked == {}
    site.verdict("a", "correct")
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
