"""What actions are about: the pairs of OpenC2 action and target type that we know, and addresses that none may touch.

Rules:
    1. Addresses are single hosts ("203.0.113.7", "203.0.113.7/32"): no action of ours covers a whole network.
    2. Loopback, unspecified, multicast and broadcast addresses are refused here too, whatever the gate let through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network
from types import MappingProxyType
from typing import Final

from domain.facts.response import Action

TICKET: Final = "x-myrmidon:ticket"
"""Our target type of OpenC2 for tickets: OpenC2 has none."""

UNDOES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("deny", "ipv4_net"): "allow",
        ("deny", "ipv6_net"): "allow",
        ("deny", "domain_name"): "allow",
        ("contain", "ipv4_net"): "restore",
        ("contain", "ipv6_net"): "restore",
        ("set", "ipv4_net"): "delete",
        ("set", "ipv6_net"): "delete",
        ("investigate", "ipv4_net"): "cancel",
        ("investigate", "ipv6_net"): "cancel",
        ("redirect", "domain_name"): "restore",
        ("create", TICKET): "delete",
    }
)
"""(OpenC2 action, target type) -> the OpenC2 action that takes it back. A `set` of an address limits its rate of new
connections, `investigate` has its connections logged, `redirect` of a domain name is a sinkhole."""

BROADCAST: Final = IPv4Address("255.255.255.255")


class TargetError(ValueError):
    """A target that cannot or must not be acted on."""


NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
"""A domain name."""


def target_of(action: Action) -> str:
    """The target of an action as its target type wants it: an address, a domain name, or a text.

    Raises:
        TargetError: it is not what its type says, or one that nobody may act on.
    """
    if action.target_type in {"ipv4_net", "ipv6_net"}:
        return str(host_of(action))
    if action.target_type == "domain_name":
        return name_of(action)
    return action.target


def name_of(action: Action) -> str:
    """The domain name that an action is about.

    Raises:
        TargetError: it is none.
    """
    last = action.target.rstrip(".").rsplit(".", 1)[-1]
    if not NAME.fullmatch(action.target) or last.isdigit():
        raise TargetError(f"{action.target!r} is no domain name")
    return action.target


def host_of(action: Action) -> IPv4Address | IPv6Address:
    """The address that an action is about.

    Raises:
        TargetError: it is no single address, not of the family that the target type says, or one that none may touch.
    """
    try:
        network = ip_network(action.target)
    except ValueError:
        raise TargetError(f"{action.target!r} is no address") from None
    host = network.network_address
    if network.num_addresses != 1:
        raise TargetError(f"{action.target} is a whole network; only single addresses are acted on")
    if action.target_type != f"ipv{host.version}_net":
        raise TargetError(f"{action.target} is no {action.target_type}")
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    inner = mapped or host
    if inner.is_loopback or inner.is_unspecified or inner.is_multicast or inner == BROADCAST:
        raise TargetError(f"{action.target} is an address that nobody may act on")
    return host
