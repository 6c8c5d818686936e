"""The table that we keep in the kernel's packet filter, as JSON commands of `nft` (libnftables-json(5)).

Rules:
    1. For each purpose a set of IPv4 and a set of IPv6 addresses whose elements time out; rules that look them up.
    2. Packets in, through and out are looked at a little before everybody else's filter (priority -10).
    3. A contained host may talk to the networks of `reach4` and `reach6` alone, whoever speaks first.
    4. Every rule's comment ends in the fingerprint of all rules, so that another version of them is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_network
from typing import Any, Final, Literal

from config.actuators import NftablesSettings

Json = dict[str, Any]
Chain = Literal["input", "forward", "output"]
Side = Literal["saddr", "daddr"]

CHAINS: Final[tuple[Chain, ...]] = ("input", "forward", "output")
WHERE: Final[tuple[tuple[Chain, Side], ...]] = (
    ("input", "saddr"), ("forward", "saddr"), ("forward", "daddr"), ("output", "daddr"),
)  # fmt: skip
"""Where an address is met: the source of what comes in, either side of what passes, the goal of what leaves."""

FAMILIES: Final[Mapping[int, str]] = {4: "ip", 6: "ip6"}
LARGEST: Final = 65_535
"""Addresses in a set at most."""

NEW: Final[Json] = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}
DROP: Final[tuple[Json, ...]] = ({"counter": None}, {"drop": None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a set of addresses is for."""

    name: str
    sides: tuple[Side, ...] = ("saddr", "daddr")


PURPOSES: Final[Mapping[str, Purpose]] = {
    "investigate": Purpose(name="watch"),
    "deny": Purpose(name="deny"),
    "contain": Purpose(name="contain"),
    "set": Purpose(name="limit", sides=("saddr",)),
}
"""OpenC2 action -> what its sets are for, in the order of the rules."""


def _address(version: int, side: Side, of: str, op: str = "==") -> Json:
    left = {"payload": {"protocol": FAMILIES[version], "field": side}}
    return {"match": {"op": op, "left": left, "right": f"@{of}{version}"}}


def _does(purpose: Purpose, version: int, side: Side, options: NftablesSettings) -> list[Json]:
    """What happens to a packet that has met an address of the purpose."""
    other: Side = "daddr" if side == "saddr" else "saddr"
    table: dict[str, list[Json]] = {
        "watch": [NEW, {"log": {"prefix": f"{options.table} watch: "}}],
        "deny": [*DROP],
        "contain": [_address(version, other, "reach", "!="), *DROP],
        "limit": [
            NEW,
            {"limit": {"rate": options.rate, "per": "second", "burst": options.burst, "inv": True}},
            *DROP,
        ],
    }
    return table[purpose.name]


def _rules(options: NftablesSettings) -> Iterator[tuple[Chain, str, list[Json]]]:
    for purpose in PURPOSES.values():
        for version in FAMILIES:
            for chain, side in WHERE:
                if side in purpose.sides:
                    met = _address(version, side, purpose.name)
                    yield chain, f"{purpose.name}{version} {side}", [met, *_does(purpose, version, side, options)]


def comments(options: NftablesSettings) -> dict[str, list[str]]:
    """The comments of the rules that must stand in each chain, in their order."""
    stamp = _stamp(options)
    return {
        chain: [f"{name} {stamp}" for where, name, _ in _rules(options) if where == chain] for chain in CHAINS
    }  # fmt: skip


def _stamp(options: NftablesSettings) -> str:
    every = [list(_rules(options)), options.reach]
    return sha256(json.dumps(every, sort_keys=True).encode()).hexdigest()[:8]


def setup(options: NftablesSettings) -> list[Json]:
    """Commands that make the table what it must be, whatever it was; the addresses in the sets stay."""
    here = {"family": "inet", "table": options.table}
    stamp = _stamp(options)
    commands: list[Json] = [{"add": {"table": {"family": "inet", "name": options.table}}}]
    for version in FAMILIES:
        of = f"ipv{version}_addr"
        for purpose in PURPOSES.values():
            kept = {**here, "name": f"{purpose.name}{version}", "type": of, "flags": ["timeout"], "size": LARGEST}
            commands.append({"add": {"set": kept}})
        reach = {**here, "name": f"reach{version}"}
        commands += [{"add": {"set": {**reach, "type": of, "flags": ["interval"]}}}, {"flush": {"set": reach}}]
        networks = [network for network in map(ip_network, options.reach) if network.version == version]
        if networks:
            elements = [{"prefix": {"addr": str(n.network_address), "len": n.prefixlen}} for n in networks]
            commands.append({"add": {"element": {**reach, "elem": elements}}})
    for chain in CHAINS:
        hook = {"type": "filter", "hook": chain, "prio": -10, "policy": "accept"}
        commands += [{"add": {"chain": {**here, "name": chain, **hook}}}, {"flush": {"chain": {**here, "name": chain}}}]
    for chain, name, expression in _rules(options):
        rule = {**here, "chain": chain, "comment": f"{name} {stamp}", "expr": expression}
        commands.append({"add": {"rule": rule}})
    return commands


def put(options: NftablesSettings, name: str, host: str, seconds: int, comment: str) -> Json:
    """Command that puts an address into a set for some seconds."""
    element = {"elem": {"val": host, "timeout": seconds, "comment": comment}}
    return {"add": {"element": {"family": "inet", "table": options.table, "name": name, "elem": [element]}}}


def take(options: NftablesSettings, name: str, host: str) -> Json:
    """Command that takes an address out of a set."""
    return {"delete": {"element": {"family": "inet", "table": options.table, "name": name, "elem": [host]}}}
