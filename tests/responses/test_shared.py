"""Several responses deny one address: in the kernel it is denied as long as the log says so, and not longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.act.dry_run import DryRun
from adapters.act.nftables import Nftables
from config.actuators import NftablesSettings
from tests.act.acting import action
from tests.act.test_nftables import later, said
from tests.act.world import ATTACKER, Wire, needs_kernel, wired
from tests.responses.world import ACT, HOUR, T0, Site


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    needs_kernel()
    with wired() as made:
        yield made


@pytest.fixture
def nft(wire: Wire) -> Iterator[Nftables]:
    yield Nftables("wall", NftablesSettings(netns=wire.inside))
    said(wire, "delete", "table", "inet", "myrmidon")


def shared(nft: Nftables) -> Site:
    """Three responses whose actions deny the attacker's address in the kernel."""
    gate = replace(ACT.gate, local_networks=("10.0.0.0/16",))
    site = Site(replace(ACT, gate=gate))
    site.wall = Nftables("wall", nft._options, lambda: site.now)
    site.start()
    for name in ("a", "b", "c"):
        site.incident(name, peers=(ATTACKER,))
        site.work()
    assert [fact.in_force for fact in site.all("action-verified")] == [True, True, True]
    return site


def denied(wire: Wire) -> str:
    return said(wire, "list", "set", "inet", "myrmidon", "deny4")


def test_nothing_is_left_in_the_kernel_when_all_that_deny_an_address_were_undone(wire, nft):
    site = shared(nft)
    assert wire.cut()
    for left, response in zip((2, 1, 0), site.responses(), strict=True):
        assert wire.cut()
        site.undo(response)
        site.work()
        assert denied(wire).count("@") == left
    assert ATTACKER not in denied(wire)
    assert wire.reaches()
    undone = site.all("action-undone")
    assert len(undone) == 3
    assert "for other actions" in undone[0].evidence
    assert undone[2].evidence == f"{ATTACKER} is not in myrmidon deny4"


def test_a_stop_of_all_leaves_nothing_in_the_kernel(wire, nft):
    site = shared(nft)
    site.mode("observe")
    site.work()
    assert ATTACKER not in denied(wire)
    assert len(site.all("action-undone")) == 3


def test_each_action_on_an_address_keeps_its_own_end(wire, nft):
    first, second = action(f"{ATTACKER}/32"), action(f"{ATTACKER}/32", number=2)
    nft.execute(first, later(7200))
    nft.execute(second, later(600))
    seen = nft.let_go(first, [second.action])
    assert not seen.in_force
    assert second.action.hex[:8] in seen.evidence
    listed = denied(wire)
    assert "timeout 10m" in listed or "timeout 9m" in listed
    assert wire.cut()


def test_a_holder_that_no_record_knows_goes_with_the_last_one_that_is_known(wire, nft):
    forgotten, known = action(f"{ATTACKER}/32"), action(f"{ATTACKER}/32", number=2)
    nft.execute(forgotten, later())
    nft.execute(known, later())
    assert not nft.let_go(known, []).in_force
    assert wire.reaches()


def test_a_dry_run_strikes_out_one_of_several_that_would_hold_a_target(tmp_path):
    dry = DryRun("wall", tmp_path / "wall.json", lambda: T0)
    first, second = action(), action(number=2)
    dry.execute(first, T0 + HOUR)
    dry.execute(second, T0 + HOUR)
    assert "1 other" in dry.let_go(first, [second.action]).evidence
    assert not dry.effect(first).in_force
    assert dry.effect(second).in_force
