"""What hosts are worth: the value (0-10) and class that operators gave to addresses and networks.

Rules:
    1. Of several entries that hold an address, the narrowest network wins.
    2. What is in no entry has the default value and no class; it is worth neither more nor less than others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

CLASSES: Final[dict[str, float]] = {
    "domain-controller": 9.0,
    "database": 8.0,
    "server": 7.0,
    "network-device": 7.0,
    "workstation": 5.0,
    "phone": 4.0,
    "printer": 3.0,
    "guest": 2.0,
}
"""Classes of assets and the value of one of which nothing else was said."""

ORDINARY: Final = 5.0
"""Value of a host of which nothing was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What is known of a host.

    Attributes:
        place: the address or network of the entry.
        value: 0-10.
        label: its class (server, printer ...); empty when nothing was said.
    """

    place: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All entries, to be looked up by address.

    >>> assets = Assets.of([Asset(place="10.0.0.0/8", value=5.0, label="workstation"),
    ...                     Asset(place="10.0.0.10", value=9.0, label="domain-controller")])
    >>> assets.find("10.0.0.10").label, assets.find("10.0.0.11").label, assets.find("192.0.2.1")
    ('domain-controller', 'workstation', None)
    """

    networks: tuple[tuple[Network, Asset], ...] = ()
    hosts: dict[str, Asset] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Iterable[Asset]) -> Assets:
        """The entries, the narrowest networks first.

        Raises:
            ValueError: a place is neither an address nor a network.
        """
        networks: list[tuple[Network, Asset]] = []
        hosts: dict[str, Asset] = {}
        for asset in known:
            network = ip_network(asset.place)
            if network.prefixlen == network.max_prefixlen:
                hosts[str(network.network_address)] = asset
            else:
                networks.append((network, asset))
        networks.sort(key=lambda pair: (-pair[0].prefixlen, str(pair[0])))
        return cls(tuple(networks), hosts)

    def find(self, address: str) -> Asset | None:
        """The entry that holds an address; None for an unknown one, and for names."""
        found = self.hosts.get(address)
        if found is not None or not self.networks:
            return found
        try:
            parsed = ip_address(address)
        except ValueError:
            return None
        return next((asset for network, asset in self.networks if parsed in network), None)

    def at_stake(self, entity: str, peers: Iterable[str]) -> tuple[str, Asset] | None:
        """What a threat endangers: its entity, if it is known, else the most valuable known host on the other side."""
        found = self.find(entity)
        if found is not None:
            return entity, found
        others = [(peer, asset) for peer in peers if (asset := self.find(peer)) is not None]
        return max(others, key=lambda pair: (pair[1].value, pair[0]), default=None)
