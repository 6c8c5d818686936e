"""An action is taken back by the actuator that began it, or not at all, whatever is bound to its name since."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.act.dry_run import DryRun
from adapters.act.nftables import Nftables
from adapters.act.openc2 import OpenC2
from adapters.act.options import binding
from adapters.log.codec import decode
from agents.responder.ports import ActuatorError
from config.actuators import NftablesSettings, OpenC2Settings
from tests.act.acting import action
from tests.act.world import needs_kernel
from tests.responses.world import MINUTE, Site, uid


def dry(site: Site, folder: Path) -> DryRun:
    return DryRun("wall", folder / "wall.json", lambda: site.now)


def test_who_began_an_action_stands_in_the_log(tmp_path):
    site = Site()
    site.wall = dry(site, tmp_path)
    site.start()
    site.incident("a")
    site.work()
    assert [fact.by for fact in site.all("action-started")] == ["dry-run"]


@pytest.mark.parametrize("end", [lambda site: site.mode("observe"), lambda site: site.later(10 * MINUTE)])
def test_a_dry_run_takes_nothing_back_that_a_real_actuator_began(end, tmp_path):
    site = Site()
    site.incident("a")
    site.work()
    real, site.wall = site.wall, dry(site, tmp_path)
    site.start()
    end(site)
    site.work()
    assert real.blocked, "the block stands"
    assert site.all("action-undone") == []
    assert "'Wall' began it, and 'dry-run' is bound here now" in site.all("action-failed")[0].error
    assert any("cannot be taken back" in fault for fault in site.agent.faults())
    site.wall = real
    site.start()
    site.later(10 * MINUTE)
    assert real.blocked == {}
    assert len(site.all("action-undone")) == 1


def test_what_nobody_wrote_down_is_not_taken_back_by_a_dry_run_that_does_not_know_it(tmp_path):
    site = Site()
    site.incident("a")
    site.work()
    site.wall = dry(site, tmp_path)
    for held in site.start().mind.state.live.values():
        held.by = ""  # as a fact of before has it
    site.mode("observe")
    site.work()
    assert site.all("action-undone") == []
    assert "not in its record" in site.all("action-failed")[0].error


def test_an_action_that_another_actuator_began_is_not_tried_again_by_this_one(tmp_path):
    site = Site()
    site.wall.broken = {"execute"}
    site.incident("a")
    site.work()
    site.wall = dry(site, tmp_path)
    site.start()
    site.later(MINUTE)
    assert site.all("action-verified") == []
    assert not site.wall.remembers(site.all("response-proposed")[0].actions[0])


def test_a_start_of_before_names_nobody():
    body = f'{{"response":"{uid(1)}","action":"{uid(2)}","target":"x","expires_at":1}}'
    assert decode("action-started", 1, body.encode()).by == ""


def test_what_an_actuator_works_on_tells_it_from_another():
    def made(**changes: str) -> str:
        return Nftables("firewall", NftablesSettings(**changes)).binding

    assert made() == made(timeout="3") == binding("nftables", "", "myrmidon")
    assert len({made(), made(netns="edge"), made(table="other")}) == 3
    first = OpenC2("firewall", OpenC2Settings(url="http://localhost:1/a"))
    assert first.binding != OpenC2("firewall", OpenC2Settings(url="http://localhost:1/b")).binding


def test_a_namespace_that_is_gone_does_not_show_that_the_block_is_gone():
    needs_kernel()
    nft = Nftables("firewall", NftablesSettings(netns="gone-since"))
    for verb in (lambda: nft.undo(action()), lambda: nft.let_go(action(), []), lambda: nft.effect(action())):
        with pytest.raises(ActuatorError, match="make the network namespace again"):
            verb()
