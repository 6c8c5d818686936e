"""What is put on the never-block list while it is in force is taken back."""

from __future__ import annotations

from dataclasses import replace

from tests.responses.world import ACT, HOUR, Site


def test_what_is_never_to_be_blocked_any_more_is_taken_back_at_the_next_start_and_said():
    site = Site(ACT)
    site.incident("a")
    site.work()
    [target] = site.wall.blocked
    site.policy = replace(ACT, gate=replace(ACT.gate, never_block=("203.0.113.0/24",)))
    site.start()
    site.work()
    assert site.wall.blocked == {}
    assert [fact.reason for fact in site.all("action-undone")] == ["never-block"]
    assert [f"{target} is on the never-block list now" in line for _, line in site.said] == [True]
    site.later(2 * HOUR)
    assert len(site.responses()) == 1


def test_what_may_be_blocked_stays_at_the_next_start():
    site = Site(ACT)
    site.incident("a")
    site.work()
    site.start()
    site.work()
    assert site.wall.blocked
    assert site.all("undo-requested") == []
