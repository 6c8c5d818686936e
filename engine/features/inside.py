"""Which addresses are ours: membership in the local networks, remembered per address."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton

REMEMBERED = 100_000
"""Addresses whose answer is kept; beyond that the memory starts anew (the answers stay the same)."""


class Inside(dict[str, bool]):
    """Tells whether an address lies in one of the local networks: `inside[address]`.

    >>> inside = Inside(["10.0.0.0/8", "fd00::/8"])
    >>> inside["10.1.2.3"], inside["8.8.8.8"], inside["fd00::1"], inside["not an address"]
    (True, False, True, False)
    """

    def __init__(self, networks: Iterable[str]) -> None:
        super().__init__()
        parsed = [ip_network(network, strict=False) for network in networks]
        self._ranges = {
            length: [(int(n.network_address), int(n.netmask)) for n in parsed if n.max_prefixlen == length * 8]
            for length in (4, 16)
        }

    def ranges(self, length: int) -> list[tuple[int, int]]:
        """The networks of addresses of `length` bytes, as numbers: (base, mask)."""
        return list(self._ranges[length])

    def __missing__(self, address: str) -> bool:
        if len(self) >= REMEMBERED:
            self.clear()
        answer = self[address] = self._look_up(address)
        return answer

    def _look_up(self, address: str) -> bool:
        try:
            packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        except (OSError, ValueError):
            return False
        number = int.from_bytes(packed)
        return any(number & mask == base for base, mask in self._ranges[len(packed)])
