"""The action gate: check by check, in order, and whatever way an address is written."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.response import ResponseSettings
from domain.facts.response import Action
from domain.gate import (
    ALWAYS_REACHABLE,
    CHECKS,
    ApprovalRule,
    GatePolicy,
    Request,
    Standing,
    admit,
    last_look,
)
from domain.targets import network_of, target_of
from domain.values import DAY, HOUR, MINUTE, SECOND
from tests.projections.story import uid

NOW = 1_790_000_000 * SECOND
POLICY = GatePolicy(mode="act", never_block=("198.51.100.0/24", "dns.corp.example"), local_networks=("10.0.0.0/8",))


def action(
    target: str = "203.0.113.9/32", target_type: str = "ipv4_net", ttl: int = MINUTE, verb: str = "deny"
) -> Action:
    return Action(
        action=uid((target, verb)), step="s", actuator="wall", verb=verb, target_type=target_type, target=target,
        ttl=ttl, undo="allow",
    )  # fmt: skip


def request(what: Action | None = None, **changes: object) -> Request:
    what = what or action()
    base = Request(
        action=what, level="high", asset_class="client", asks=False, consent=False,
        undoes={(what.verb, what.target_type): "allow"}, mode="act", now=NOW,
    )  # fmt: skip
    return replace(base, **changes)


def test_the_checks_stand_in_the_order_of_the_contract():
    assert [check.name for check in CHECKS] == [
        "never-block", "mode", "reversibility", "blast-radius", "rate", "ttl", "approval",
    ]  # fmt: skip


def test_an_action_that_nothing_speaks_against_may_begin():
    assert admit(POLICY, request(), Standing()).outcome == "allow"


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1", "127.0.0.0/8", "127.255.255.254/32", "::1", "169.254.1.1", "fe80::1", "fe80::1%eth0", "224.0.0.1",
        "ff02::1", "0.0.0.0", "0.0.0.0/0", "::", "::/0", "255.255.255.255", "198.51.100.0/24", "198.51.100.77/32",
        "198.51.0.0/16", "198.51.100.1/25", "::ffff:198.51.100.7", "::ffff:127.0.0.1", "::ffff:c633:6407",
        "64:ff9b::198.51.100.7", "2002:c633:6407::1", "::198.51.100.7", "64:ff9b::/90", "0.0.0.0/1", " 127.0.0.1 ",
        "[::1]",
    ],
)  # fmt: skip
def test_what_must_stay_reachable_is_refused_however_it_is_written(target):
    for target_type in ("ipv4_net", "ipv6_net", "device"):
        ruling = admit(POLICY, request(action(target, target_type)), Standing())
        assert (ruling.outcome, ruling.check) == ("refuse", "never-block"), target
        assert last_look(POLICY, action(target, target_type)).outcome == "refuse"


@pytest.mark.parametrize("target", ["2130706433", "0x7f000001", "127.1", "017700000001", "999.1.1.1", "", "  ", "."])
def test_an_address_in_disguise_is_refused(target):
    for target_type in ("ipv4_net", "domain_name", "device"):
        assert admit(POLICY, request(action(target, target_type)), Standing()).check == "never-block"


@pytest.mark.parametrize(
    "name", ["dns.corp.example", "DNS.corp.example.", "corp.example", "a.dns.corp.example", "localhost"]
)
def test_a_name_that_is_or_holds_one_of_the_list_is_refused(name):
    assert admit(POLICY, request(action(name, "domain_name")), Standing()).check == "never-block"


def test_a_name_that_only_ends_alike_passes():
    assert admit(POLICY, request(action("notcorp.example", "domain_name")), Standing()).outcome == "allow"


def test_observe_refuses_and_suggest_asks_until_a_person_consents():
    assert admit(replace(POLICY, mode="observe"), request(consent=True), Standing()).check == "mode"
    assert admit(replace(POLICY, mode="suggest"), request(), Standing()).outcome == "ask"
    assert admit(replace(POLICY, mode="suggest"), request(consent=True), Standing()).outcome == "allow"
    assert admit(POLICY, request(mode="suggest"), Standing()).outcome == "ask"


def test_what_its_actuator_cannot_take_back_is_refused():
    assert admit(POLICY, request(undoes={}), Standing()).check == "reversibility"
    assert admit(POLICY, request(undoes={("deny", "ipv4_net"): "restore"}), Standing()).check == "reversibility"


def test_a_target_too_many_is_refused_but_not_one_that_is_held_already():
    held = frozenset(f"203.0.113.{n}/32" for n in range(100, 120))
    assert admit(POLICY, request(), Standing(targets=held)).check == "blast-radius"
    again = Standing(targets=held - {"203.0.113.100/32"} | {"203.0.113.9/32"})
    assert admit(POLICY, request(), again).outcome == "allow"


def test_a_network_counts_as_many_targets_as_it_has_addresses():
    assert admit(POLICY, request(action("203.0.113.0/28")), Standing()).outcome == "allow"
    assert admit(POLICY, request(action("203.0.113.0/27")), Standing()).check == "blast-radius"
    assert admit(POLICY, request(action("2001:db8::/48", "ipv6_net")), Standing()).check == "blast-radius"


def test_targets_of_the_window_count_though_they_are_let_go():
    started = tuple((NOW - MINUTE, f"203.0.113.{n}/32") for n in range(100, 160))
    assert admit(replace(POLICY, rate=1000), request(), Standing(started=started)).check == "blast-radius"
    old = tuple((NOW - HOUR, target) for _, target in started)
    assert admit(POLICY, request(), Standing(started=old)).outcome == "allow"


def test_a_share_of_our_own_hosts_at_most_is_acted_on():
    ours = frozenset(f"10.0.0.{n}/32" for n in range(5))
    mine = request(action("10.0.0.99/32"))
    assert admit(POLICY, mine, Standing(targets=ours, hosts=100)).check == "blast-radius"
    assert admit(POLICY, mine, Standing(targets=ours, hosts=200)).outcome == "allow"
    assert admit(POLICY, request(), Standing(targets=ours, hosts=100)).outcome == "allow"


def test_names_that_are_denied_are_none_of_our_hosts():
    names = frozenset(f"c2-{n}.example" for n in range(5))
    assert admit(POLICY, request(action("c2-9.example", "domain_name")), Standing(targets=names)).outcome == "allow"


def test_more_actions_an_hour_than_the_rate_are_refused():
    started = tuple((NOW - MINUTE, "203.0.113.9/32") for _ in range(60))
    assert admit(POLICY, request(), Standing(started=started, targets=frozenset({"203.0.113.9/32"}))).check == "rate"


@pytest.mark.parametrize("ttl", [0, -1, DAY + 1])
def test_no_end_or_one_too_far_away_is_refused(ttl):
    assert admit(POLICY, request(action(ttl=ttl)), Standing()).check == "ttl"


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (ApprovalRule(), True),
        (ApprovalRule(verb="deny"), True),
        (ApprovalRule(verb="contain"), False),
        (ApprovalRule(asset_class="client", verb="deny"), True),
        (ApprovalRule(asset_class="server", verb="deny"), False),
        (ApprovalRule(below="critical"), True),
        (ApprovalRule(below="high"), False),
        (ApprovalRule(verb="deny", inside=True), False),
    ],
)
def test_the_policy_asks_where_every_set_field_of_a_rule_fits(rule, asked):
    ruling = admit(replace(POLICY, approvals=(rule,)), request(), Standing())
    assert ruling.outcome == ("ask" if asked else "allow")
    assert admit(replace(POLICY, approvals=(rule,)), request(consent=True), Standing()).outcome == "allow"


@pytest.mark.parametrize("target", ["10.0.0.41", "::ffff:10.0.0.41", "2002:0a00:0029::1", "10.0.0.0/8"])
def test_by_default_a_person_is_asked_before_what_is_ours_is_denied_however_grave_the_threat(target):
    settings = ResponseSettings(mode="act", max_targets=2**33, max_targets_per_hour=2**33, max_share=1.0)
    policy = settings.policy(local_networks=("10.0.0.0/8",)).gate
    asked = request(action(target, "ipv6_net" if ":" in target else "ipv4_net"), level="critical")
    standing = Standing(hosts=2**33)
    ruling = admit(policy, asked, standing)
    assert (ruling.outcome, ruling.check) == ("ask", "approval")
    assert admit(policy, request(action(), level="critical"), standing).outcome == "allow"


def test_a_playbook_that_asks_is_asked_for():
    assert admit(POLICY, request(asks=True), Standing()).check == "approval"


def test_nobody_is_asked_for_what_would_be_refused_anyway():
    asking = request(action(ttl=0), asks=True, mode="suggest")
    assert admit(POLICY, asking, Standing()).outcome == "refuse"


def test_two_spellings_of_a_network_are_one_target():
    assert target_of(action("203.0.113.9")) == target_of(action("::ffff:203.0.113.9/128")) == "203.0.113.9/32"
    assert target_of(action("Evil.example.", "domain_name")) == "evil.example"


V4 = st.integers(0, 2**32 - 1)


@given(
    V4,
    st.integers(0, 32),
    st.sampled_from(["plain", "::ffff:0:0/96", "64:ff9b::/96", "::/96", "2002::/16"]),
    V4,
    st.integers(8, 32),
)
def test_no_network_that_shares_an_address_with_the_list_passes(address, length, written, listed, width):
    entry = ip_network((listed, width), strict=False)
    mine = ip_network((address, length), strict=False)
    policy = replace(POLICY, never_block=(str(entry),), max_targets=2**33, max_targets_window=2**33, local_networks=())
    if written == "plain":
        target = str(mine)
    else:
        prefix = ip_network(written)
        bits = prefix.prefixlen
        target = str(
            ip_network((int(prefix.network_address) | int(mine.network_address) << (96 - bits), bits + length))
        )
    assume(network_of(target) is not None)
    touches = any(mine.overlaps(ip_network(each)) for each in (str(entry), *ALWAYS_REACHABLE) if "." in each)
    ruling = admit(policy, request(action(target, "ipv6_net" if ":" in target else "ipv4_net")), Standing())
    if touches:
        assert ruling.check == "never-block"
        assert last_look(policy, action(target)).outcome == "refuse"
    elif written == "plain":
        assert ruling.outcome == "allow"
