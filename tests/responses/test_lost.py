"""What is in force is looked at again: what somebody took away before its time is recorded, and done again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.act.nftables import Nftables
from cli.response_words import why_of
from cli.troubles import unsettled
from config.actuators import NftablesSettings
from config.settings import load_settings
from scheduler.crew import response_policy
from tests.act.test_nftables import said
from tests.act.world import ATTACKER, needs_kernel, wired
from tests.responses.world import ACT, MINUTE, SECOND, Site, kinds

LOOKING = replace(ACT, verify_every=3 * MINUTE)


@pytest.fixture
def site() -> Site:
    """A response in force, by a responder that looks at it every three minutes."""
    made = Site(LOOKING)
    made.incident("a")
    made.work()
    assert made.wall.blocked
    return made


def test_what_is_still_in_force_is_looked_at_and_nothing_is_recorded(site):
    before = site.wall.count("effect")
    assert site.later(2 * MINUTE) == []
    assert site.wall.count("effect") == before
    assert site.later(1 * MINUTE) == []
    assert site.wall.count("effect") == before + 1
    assert site.wall.count("execute") == 1


def test_what_is_gone_before_its_time_is_recorded_and_carried_out_again(site):
    ends = dict(site.wall.blocked)
    site.wall.blocked.clear()
    gone, _ = site.later(3 * MINUTE)
    assert (gone.kind, gone.in_force) == ("action-verified", False)
    assert kinds(site.later(2 * SECOND))[:2] == ["action-succeeded", "action-verified"]
    assert site.wall.blocked == ends
    site.later(10 * MINUTE)
    assert site.wall.blocked == {}
    assert [fact.reason for fact in site.all("action-undone")] == ["ttl"]


def test_what_is_gone_releases_its_incident_until_it_is_in_force_again(site):
    site.wall.blocked.clear()
    gone, released = site.later(3 * MINUTE)
    assert (gone.kind, released.kind, released.reason) == ("action-verified", "incident-released", "lost")
    assert ["was found missing" in fault for fault in site.agent.faults()] == [True]
    assert kinds(site.later(2 * SECOND)) == [
        "action-succeeded",
        "action-verified",
        "incident-contained",
    ]
    assert site.agent.faults() == []


def test_a_run_that_ends_waits_for_the_next_try_of_what_was_found_missing(site, monkeypatch):
    site.wall.blocked.clear()
    site.start(patient=True)
    monkeypatch.setattr(site.agent._came, "wait", lambda seconds: setattr(site, "now", site.now + int(seconds * 1e6)))
    site.agent.finish(30.0)
    assert site.wall.blocked
    assert kinds(site.all("incident-contained")) == ["incident-contained"] * 2


def test_what_is_missing_is_said_with_the_next_step():
    row = {
        "id": "ab" * 16, "status": "failing", "reason": "the policy asks for no approval", "tended": False,
        "incident": "contained", "updated_at": 0,
        "actions": [{"state": "not in force", "evidence": "nothing there", "error": ""}],
    }  # fmt: skip
    assert why_of(row) == "verify: found missing: nothing there: it is tried again when `myrmidon run` is started"
    acting = [{**row, "actions": json.dumps(row["actions"])}]
    [(grave, said)] = unsettled(acting, [], 0, tended=False)
    assert grave == "degraded"
    assert "nothing there" in said
    assert "`myrmidon run`" in said


def test_what_is_lost_again_and_again_is_done_again_until_its_time_is_over(site):
    site.agent = Site.start(site)
    for _ in range(LOOKING.tries + 1):
        site.wall.blocked.clear()
        site.start()
        site.work()
        site.later(2 * SECOND)
        assert site.wall.blocked
    assert site.all("action-undone") == []


def test_a_run_that_begins_looks_at_once(site):
    site.wall.blocked.clear()
    site.start()
    assert kinds(site.work()) == ["action-verified", "incident-released"]
    site.later(2 * SECOND)
    assert site.wall.blocked


def test_a_look_that_fails_takes_nothing_back_and_is_told(site):
    site.wall.broken = {"effect"}
    for _ in range(LOOKING.tries + 1):
        assert site.later(MINUTE) == []
        site.start()
        assert site.work() == []
    assert site.wall.blocked
    assert ["nobody knows whether deny 203.0.113.9/32 is still in force" in fault for fault in site.agent.faults()] == [
        True
    ]
    site.wall.broken = set()
    site.later(3 * MINUTE)
    assert site.agent.faults() == []


def test_who_is_not_asked_to_look_does_not(site):
    site.policy = ACT
    site.start()
    before = site.wall.count("effect")
    site.later(9 * MINUTE)
    assert site.wall.count("effect") == before


def test_the_settings_say_how_often(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("[response]\nverify_every = 60")
    assert response_policy(load_settings(file)).verify_every == 60 * SECOND
    file.write_text("")
    assert response_policy(load_settings(file)).verify_every == 300 * SECOND


def test_a_table_that_somebody_flushed_denies_again():
    needs_kernel()
    with wired() as wire:
        site = Site(replace(LOOKING, gate=replace(LOOKING.gate, local_networks=("10.0.0.0/16",))))
        site.wall = Nftables("wall", NftablesSettings(netns=wire.inside), lambda: site.now)
        site.start()
        site.incident("a", peers=(ATTACKER,))
        site.work()
        assert wire.cut()
        said(wire, "flush", "ruleset")
        assert wire.reaches()
        site.later(3 * MINUTE)
        site.later(2 * SECOND)
        assert wire.cut()
