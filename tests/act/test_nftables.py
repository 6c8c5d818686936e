"""The packet filter with real packets: they stop, they flow again, and the kernel lets go by itself."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from adapters.act.dry_run import wall_clock
from adapters.act.nftables import Nftables
from agents.responder.ports import ActuatorError, NotSent
from config.actuators import NftablesSettings
from domain.values import HOUR, SECOND
from tests.act.acting import action
from tests.act.world import ATTACKER, ATTACKER6, FAR, SERVER, SERVER6, Wire, needs_kernel, routed, wired


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    needs_kernel()
    with wired() as made:
        yield made


@pytest.fixture
def nft(wire: Wire) -> Iterator[Nftables]:
    yield Nftables("firewall", NftablesSettings(netns=wire.inside, rate=1, burst=2))
    said(wire, "delete", "table", "inet", "myrmidon")


def said(wire: Wire, *words: str) -> str:
    call = ["ip", "netns", "exec", wire.inside, "nft", *words]
    return subprocess.run(call, capture_output=True, text=True, check=False).stdout


def later(seconds: float = 3600.0) -> int:
    return wall_clock() + round(seconds * SECOND)


def test_packets_stop_with_the_block_and_flow_again_after_the_undo(wire, nft):
    blocked = action(f"{ATTACKER}/32")
    assert wire.reaches()
    nft.check(blocked)
    assert wire.reaches(), "checking has no effect"
    nft.execute(blocked, later())
    assert wire.cut()
    assert nft.effect(blocked).in_force
    nft.undo(blocked)
    assert wire.reaches()
    assert not nft.effect(blocked).in_force


def test_packets_of_the_other_family_flow_on(wire, nft):
    blocked = action(f"{ATTACKER6}/128", target_type="ipv6_net")
    assert wire.reaches(SERVER6)
    nft.execute(blocked, later())
    assert wire.cut(SERVER6)
    assert wire.reaches(SERVER)


def test_the_kernel_lets_go_when_the_time_is_over_without_us(wire, nft):
    blocked = action(f"{ATTACKER}/32")
    nft.execute(blocked, later(1.0))
    assert wire.cut()
    until = time.monotonic() + 10.0
    while wire.cut():
        assert time.monotonic() < until
    assert ATTACKER not in said(wire, "list", "set", "inet", "myrmidon", "deny4")
    assert not nft.effect(blocked).in_force


def test_an_open_connection_is_cut_too(wire, nft):
    code = (
        f"import socket,sys;s=socket.create_connection(('{SERVER}',8099));s.settimeout(0.5)\n"
        "for line in sys.stdin:\n s.send(b'x')\n try: print(s.recv(9)==b'x',flush=True)\n"
        " except OSError: print(False,flush=True)"
    )
    words = ["ip", "netns", "exec", wire.outside, "python3", "-S", "-c", code]
    caller = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        answers = []
        for step in (lambda: None, lambda: nft.execute(action(f"{ATTACKER}/32"), later())):
            step()
            caller.stdin.write("go\n")
            caller.stdin.flush()
            answers.append(caller.stdout.readline().strip())
        assert answers == ["True", "False"]
    finally:
        caller.kill()
        caller.communicate()


def test_a_contained_host_reaches_its_managers_only(wire):
    bound = Nftables("firewall", NftablesSettings(netns=wire.inside, reach=("192.0.2.0/24",)))
    contained = action(f"{ATTACKER}/32", verb="contain", undo="restore")
    bound.execute(contained, later())
    assert wire.cut()
    managers = Nftables("firewall", NftablesSettings(netns=wire.inside, reach=(f"{SERVER}/32",)))
    managers.execute(contained, later())
    assert wire.reaches(), "the table was made anew for the changed settings, the address stayed contained"
    assert managers.effect(contained).in_force
    managers.undo(contained)
    said(wire, "delete", "table", "inet", "myrmidon")


def test_a_slowed_address_has_few_new_connections(wire, nft):
    slowed = action(f"{ATTACKER}/32", verb="set", undo="delete")
    nft.execute(slowed, later())
    tries = [wire.reaches(patience=0.3) for _ in range(6)]
    assert any(tries)
    assert not all(tries)
    nft.undo(slowed)
    assert all(wire.reaches() for _ in range(4))


def test_a_watched_address_is_let_through(wire, nft):
    watched = action(f"{ATTACKER}/32", verb="investigate", undo="cancel")
    nft.execute(watched, later())
    assert nft.effect(watched).in_force
    assert wire.reaches()


def test_an_address_is_let_go_when_the_last_action_on_it_is_undone(wire, nft):
    first, second = action(f"{ATTACKER}/32"), action(f"{ATTACKER}/32", number=2)
    nft.execute(first, later(600))
    nft.execute(second, later(7200))
    nft.undo(second)
    assert wire.cut(), "the first still holds it"
    assert nft.effect(first).in_force
    assert not nft.effect(second).in_force
    assert re.search(r"timeout (9m|10m)", said(wire, "list", "set", "inet", "myrmidon", "deny4"))
    nft.undo(first)
    assert wire.reaches()


def test_executing_twice_leaves_one_element(wire, nft):
    blocked, until = action(f"{ATTACKER}/32"), later()
    assert nft.execute(blocked, until) == nft.execute(blocked, until)
    assert said(wire, "list", "set", "inet", "myrmidon", "deny4").count(ATTACKER) == 1


def test_a_table_that_somebody_flushed_is_seen_and_made_anew(wire, nft):
    blocked, until = action(f"{ATTACKER}/32"), later()
    nft.execute(blocked, until)
    said(wire, "flush", "table", "inet", "myrmidon")
    assert wire.reaches()
    effect = nft.effect(blocked)
    assert not effect.in_force
    assert "rules" in effect.evidence
    nft.execute(blocked, until)
    assert wire.cut()


def test_what_somebody_else_put_there_is_left_alone(wire, nft):
    nft.execute(action("198.51.100.9/32"), later())
    said(wire, "add", "element", "inet", "myrmidon", "deny4", "{", ATTACKER, "}")
    with pytest.raises(ActuatorError, match="somebody else"):
        nft.execute(action(f"{ATTACKER}/32"), later())
    assert wire.cut()


def test_a_router_denies_who_calls_and_who_is_called_and_contains_a_host():
    needs_kernel()
    with routed() as wire:
        router = Nftables("firewall", NftablesSettings(netns=wire.inside))
        assert wire.reaches()
        for denied in (FAR, SERVER):
            router.execute(action(f"{denied}/32"), later())
            assert wire.cut()
            router.undo(action(f"{denied}/32"))
            assert wire.reaches()
        contained = action(f"{FAR}/32", verb="contain", undo="restore")
        router.execute(contained, later())
        assert wire.cut()
        Nftables("firewall", NftablesSettings(netns=wire.inside, reach=(f"{SERVER}/32",))).execute(contained, later())
        assert wire.reaches()


def test_whatever_is_done_and_undone_in_any_order_the_kernel_holds_what_is_not_over(wire, nft):
    dice = random.Random(4)
    actions = [action(f"198.51.100.{host}/32", number=number) for host in (1, 2) for number in range(3)]
    held: dict[str, set[int]] = {}
    for _ in range(24):
        number = dice.randrange(len(actions))
        one = actions[number]
        holders = held.setdefault(one.target.removesuffix("/32"), set())
        if dice.random() < 0.5:
            nft.execute(one, later())
            holders.add(number)
        else:
            nft.undo(one)
            holders.discard(number)
    listed = said(wire, "list", "set", "inet", "myrmidon", "deny4")
    assert {host: host in listed for host in held} == {host: bool(holders) for host, holders in held.items()}
    for number, one in enumerate(actions):
        assert nft.effect(one).in_force == (number in held[one.target.removesuffix("/32")])


@pytest.mark.parametrize("target", ["127.0.0.1/32", "0.0.0.0/32", "224.0.0.1/32", "10.77.0.0/24", "not an address"])
def test_addresses_that_nobody_may_act_on_are_refused(target, nft):
    with pytest.raises(ActuatorError):
        nft.check(action(target))
    with pytest.raises(ActuatorError):
        nft.execute(action(target), later())


def test_what_was_over_before_it_began_is_not_begun(nft, wire):
    with pytest.raises(ActuatorError, match="over before"):
        nft.execute(action(f"{ATTACKER}/32"), wall_clock() - HOUR)
    assert wire.reaches()


def test_a_namespace_that_is_not_there_is_a_clear_error():
    needs_kernel()
    nft = Nftables("firewall", NftablesSettings(netns="nowhere"))
    for verb in (lambda: nft.check(action()), lambda: nft.execute(action(), wall_clock() + HOUR), nft.probe):
        with pytest.raises(NotSent, match="namespace"):
            verb()


def test_a_program_that_is_not_there_is_a_clear_error():
    nft = Nftables("firewall", NftablesSettings(program="nft-that-is-not-there"))
    for verb in (lambda: nft.check(action()), nft.probe):
        with pytest.raises(NotSent, match="install nftables"):
            verb()


def test_a_probe_changes_nothing(wire, nft):
    nft.probe()
    assert wire.reaches()
