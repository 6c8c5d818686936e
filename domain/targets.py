"""What an action acts on, written one way only: addresses, networks and names, whatever spelling hides them.

IPv6 can write an IPv4 network (mapped, compatible, NAT64, 6to4): what protects the one protects the other.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from domain.facts.response import Action

Network: TypeAlias = IPv4Network | IPv6Network

EMBEDDED: Final[tuple[tuple[IPv6Network, int], ...]] = tuple(
    (IPv6Network(prefix), bits) for prefix, bits in (
        ("::ffff:0:0/96", 96), ("::/96", 96), ("64:ff9b::/96", 96), ("2002::/16", 16),
    )
)  # fmt: skip
"""Where IPv6 writes an IPv4 address (mapped, compatible, NAT64, 6to4), and after how many bits."""


def target_of(action: Action) -> str:
    """What an action acts on, written one way only: the key of its time to live and of the blast radius.

    Two spellings of one network are one target; an IPv4 address inside an IPv6 one is that IPv4 address.
    """
    found = network_of(action.target)
    return name_of(action.target) if found is None else str(found)


def network_of(text: str) -> Network | None:
    """The network that a target names; None when it names something else.

    >>> network_of("203.0.113.7/24"), network_of("::ffff:127.0.0.1"), network_of("server7")
    (IPv4Network('203.0.113.0/24'), IPv4Network('127.0.0.1/32'), None)
    """
    try:
        found = ip_network(text.strip().strip("[]").partition("%")[0], strict=False)
    except ValueError:
        return None
    if isinstance(found, IPv6Network):
        prefix, bits = EMBEDDED[0]
        return _inner(found, prefix, bits) or found if found.prefixlen >= bits else found
    return found


def size(network: Network) -> int:
    """How many targets a network counts as: its addresses, of IPv6 its /64s.

    >>> size(ip_network("10.0.0.0/24")), size(ip_network("2001:db8::/62")), size(ip_network("2001:db8::1/128"))
    (256, 4, 1)
    """
    whole = 32 if isinstance(network, IPv4Network) else 64
    return int(1 << max(0, whole - network.prefixlen))


def inside(local_networks: tuple[str, ...], target: str) -> bool:
    """Whether a target shares an address with our networks. A name does not: what is denied by name lies outside."""
    mine = network_of(target)
    return mine is not None and any(
        overlap(each, ours) for each in spellings(mine) for ours in _networks(local_networks)
    )


def _inner(network: IPv6Network, prefix: IPv6Network, bits: int) -> IPv4Network | None:
    """The IPv4 network that an IPv6 one writes under a prefix; all of IPv4 when it holds the whole prefix."""
    if not network.overlaps(prefix):
        return None
    if network.prefixlen < bits:
        return IPv4Network("0.0.0.0/0")
    address = int(network.network_address) >> (96 - bits) & 0xFFFFFFFF
    return IPv4Network((address, min(32, network.prefixlen - bits)), strict=False)


def spellings(network: Network) -> list[Network]:
    """The network, and every IPv4 network that it writes inside IPv6."""
    if isinstance(network, IPv4Network):
        return [network]
    inner = (_inner(network, prefix, bits) for prefix, bits in EMBEDDED)
    return [network, *(found for found in inner if found is not None)]


def name_of(text: str) -> str:
    """A name as it is compared: without the last dot, in small letters."""
    return text.strip().rstrip(".").casefold()


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks share an address."""
    return one.version == other.version and one.overlaps(other)


@lru_cache(maxsize=8)
def _networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(network for entry in entries if (network := network_of(entry)) is not None)
