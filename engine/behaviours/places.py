"""Where an address is: inside (one of our networks), outside, or nowhere (a group, a broadcast, not an address)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

OUTSIDE: Final = 0
INSIDE: Final = 1
NOWHERE: Final = 2

KEPT: Final = 200_000
"""Answers remembered; a full memory is dropped whole (it is a pure function, so nothing depends on it)."""


class Places(dict[str, int]):
    """A remembered function from address text to place.

    >>> places = Places(["10.0.0.0/8"])
    >>> places["10.1.2.3"], places["9.9.9.9"], places["224.0.0.1"], places["10.0.0.255"], places[""]
    (1, 0, 2, 2, 2)
    """

    def __init__(self, networks: Sequence[str]) -> None:
        super().__init__()
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text, strict=False) for text in networks]

    def __missing__(self, text: str) -> int:
        if len(self) >= KEPT:
            self.clear()
        place = self[text] = self._look(text)
        return place

    def _look(self, text: str) -> int:
        try:
            address = ip_address(text)
        except ValueError:
            return NOWHERE
        if address.is_multicast or address.is_unspecified or text.endswith(".255"):
            return NOWHERE
        inside = any(address in network for network in self._networks if network.version == address.version)
        return INSIDE if inside else OUTSIDE
