"""Ports with the time each was last seen, oldest first, packed: very many entries of memories hold one or two.

>>> ports = seen(seen(seen(b"", 80, 5), 443, 6), 80, 7)
>>> count(ports), time_at(ports, place(ports, 80)), place(ports, 22), count(pruned(ports, 7, 9))
(2, 7, -1, 1)
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from domain.values import Micros

PORTED: Final = Struct("<Iq")
"""A port and a time."""

SIZE: Final = PORTED.size


def count(ports: bytes) -> int:
    """How many there are."""
    return len(ports) // SIZE


def place(ports: bytes, port: int) -> int:
    """Where a port stands; -1: nowhere."""
    sought = port.to_bytes(4, "little")
    at = ports.find(sought)
    while at > 0 and at % SIZE:  # the same bytes, by chance
        at = ports.find(sought, at + 1)
    return at


def time_at(ports: bytes, at: int) -> Micros:
    """When the port at a place was last seen."""
    time: Micros = PORTED.unpack_from(ports, at)[1]
    return time


def seen(ports: bytes, port: int, ts: Micros) -> bytes:
    """With a port that was seen now: it comes last."""
    at = place(ports, port)
    others = ports if at < 0 else ports[:at] + ports[at + SIZE :]
    return others + PORTED.pack(port, ts)


def noted(ports: bytes, at: int, port: int, ts: Micros, cap: int) -> bytes:
    """The same, but a port that is there (at the place `at`) stays in it; above `cap` the first one goes."""
    if at < 0:
        return (ports + PORTED.pack(port, ts))[-cap * SIZE :]
    return ports[:at] + PORTED.pack(port, ts) + ports[at + SIZE :]


def pruned(ports: bytes, horizon: Micros, cap: int) -> bytes:
    """Without what was last seen before `horizon`, oldest first, and all above `cap`."""
    at = max(0, len(ports) - cap * SIZE)
    while at < len(ports) and time_at(ports, at) < horizon:
        at += SIZE
    return ports[at:] if at else ports
