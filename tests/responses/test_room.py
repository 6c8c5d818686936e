"""What was approved and finds no room says so, waits, and is over in time; another mode asks a person after all."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from adapters.views import Views
from agents.responder.respond_policy import ResponsePolicy
from tests.responses.chosen import BLOCK
from tests.responses.test_end_to_end import home, myrmidon, threaten
from tests.responses.world import ACT, HOUR, MINUTE, Site, kinds


def full(policy: ResponsePolicy = ACT, ttl: int = 2 * HOUR) -> Site:
    """A site with room for one target: the first response is in force, the second waits."""
    steps = tuple(replace(step, ttl=ttl) for step in BLOCK.steps)
    site = Site(replace(policy, gate=replace(policy.gate, max_targets=1)), replace(BLOCK, steps=steps))
    site.incident("a")
    site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
    site.work()
    return site


def test_what_finds_no_room_says_once_which_limit_holds_it_up():
    site = full()
    [deferred] = site.all("response-deferred")
    assert (deferred.response, deferred.check, deferred.asks) == (site.responses()[1], "blast-radius", False)
    assert deferred.reason == "2 targets would be in force at once; at most 1 may be"
    site.start()
    assert site.later(MINUTE) == []
    site.undo(site.responses()[0])
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_what_finds_no_room_in_time_expires_and_the_view_says_why(tmp_path):
    site = full()
    assert kinds(site.later(HOUR)) == ["response-expired"]
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        views.catch_up(site.journal)
        [expired] = views.list_responses(status="expired")
        assert expired["reason"].startswith("it found no room in time (blast-radius: 2 targets")
        [rate] = views.playbook_rates()
        assert (rate["proposed"], rate["begun"]) == (2, 1)
    site.start()
    assert site.work() == []


def test_when_the_mode_becomes_suggest_what_waits_for_room_waits_for_an_answer(tmp_path):
    site = full()
    site.now += HOUR // 2
    site.mode("suggest")
    [deferred] = [fact for fact in site.work() if fact.kind == "response-deferred"]
    assert (deferred.check, deferred.asks) == ("mode", True)
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        views.catch_up(site.journal)
        [waiting] = views.list_responses(status="proposed")
        assert (waiting["waits_for"], waiting["decided_by"]) == ("", None)
    site.start()
    assert site.later(HOUR - MINUTE) == []  # whoever is asked has the whole time
    site.undo(site.responses()[0])
    site.work()
    assert site.wall.blocked == {}
    site.approve(site.responses()[1])
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_what_an_operator_approved_needs_no_second_answer_in_another_mode():
    site = full(replace(ACT, gate=replace(ACT.gate, mode="suggest")))
    for response in site.responses():
        site.approve(response)
    site.work()
    assert [fact.asks for fact in site.all("response-deferred")] == [False]
    site.undo(site.responses()[0])
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.20/32"}


def test_an_exception_or_a_stop_ends_what_waits_for_room():
    site = full()
    site.mode("observe")
    site.work()
    [rejected] = site.all("response-rejected")
    assert rejected.response == site.responses()[1]
    site.mode("act")
    site.work()
    assert len(site.responses()) == 4


def flat(text: str) -> str:
    return " ".join(text.split())


def two(tmp_path: Path, more: str) -> Path:
    place = home(tmp_path, more=more)
    threaten(place)
    threaten(place, "u", "203.0.113.77")
    assert myrmidon(place, "responses", "mode", "act").code == 0
    return place


def test_operators_are_told_which_limit_a_response_waits_for_and_what_to_do(tmp_path):
    place = two(tmp_path, "max_targets = 1")
    [waits] = myrmidon(place, "responses", "list", "--status", "approved").json
    assert waits["waits_for"] == "blast-radius: 2 targets would be in force at once; at most 1 may be"
    listed = myrmidon(place, "responses", "list", "--status", "approved", as_json=False).out
    assert "waits for room (blast-radius: 2 targets would be in force at once; at most 1 may be) until" in listed
    shown = flat(myrmidon(place, "responses", "show", waits["id"][:8], as_json=False).out)
    assert "undo another, or raise max_targets" in shown
    assert "no responder is running" in shown
    assert "1 approved response waits for room" in myrmidon(place, "status", as_json=False).out
    late = myrmidon(place, "responses", "reject", waits["id"][:8])
    assert f"`myrmidon responses undo {waits['id'][:8]}` withdraws it" in late.err
    undone = myrmidon(place, "responses", "undo", waits["id"][:8], as_json=False)
    assert (undone.code, undone.out) == (0, f"response {waits['id'][:8]} was withdrawn before it began\n")


def test_without_a_responder_a_proposal_whose_time_is_over_says_so(tmp_path):
    place = home(tmp_path, mode="suggest", more="approval_timeout = 0.5")
    threaten(place)
    myrmidon(place, "responses", "mode", "suggest")
    time.sleep(0.6)
    listed = myrmidon(place, "responses", "list", as_json=False).out
    assert "in vain: it is over, with no action when `myrmidon run` is started" in listed
    assert "1 response waits for an answer (1 for too long" in flat(myrmidon(place, "status", as_json=False).out)
    [waiting] = myrmidon(place, "responses", "list").json
    assert waiting["overdue"]
    late = myrmidon(place, "responses", "approve", waiting["id"][:8])
    assert (late.code, "was not answered in time" in late.err) == (1, True)


def test_what_waits_for_room_when_the_settings_only_observe_is_proposed_again_when_they_let_it():
    site = full()
    policy = site.policy
    site.policy = replace(policy, gate=replace(policy.gate, mode="observe"))
    site.start()
    [rejected] = site.work()
    assert (rejected.kind, rejected.response) == ("response-rejected", site.responses()[1])
    site.policy = policy
    site.start()
    assert kinds(site.work()) == ["response-proposed", "response-approved", "response-deferred"]


def test_an_approval_while_the_settings_only_observe_fails_and_says_why(tmp_path):
    place = home(tmp_path, mode="suggest")
    threaten(place)
    myrmidon(place, "responses", "mode", "suggest")
    [waiting] = myrmidon(place, "responses", "list").json
    config = place / "config.toml"
    config.write_text(config.read_text().replace('"suggest"', '"observe"'))
    answer = myrmidon(place, "responses", "approve", waiting["id"][:8], as_json=False)
    assert answer.code == 1
    assert "approved; it is rejected (mode: the mode is observe" in flat(answer.out)
