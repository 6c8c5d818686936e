"""Ports with the time each was last seen, oldest first, packed: very many entries of memories hold one or two.

>>> ports = seen(seen(seen(b"", 80, 5), 443, 6), 80, 7)
>>> count(ports), time_of(ports, 80), time_of(ports, 22), count(pruned(ports, 7, 9)), count(pruned(ports, 0, 1))
(2, 7, None, 1, 1)
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


def time_of(ports: bytes, port: int) -> Micros | None:
    """When a port was last seen; None: it is not there."""
    at = _place(ports, port)
    return None if at < 0 else _time_at(ports, at)


def seen(ports: bytes, port: int, ts: Micros) -> bytes:
    """With a port that was seen now: it comes last."""
    at = _place(ports, port)
    others = ports if at < 0 else ports[:at] + ports[at + SIZE :]
    return others + PORTED.pack(port, ts)


def noted(ports: bytes, port: int, ts: Micros, cap: int) -> bytes:
    """The same, but a port that is there stays in its place; above `cap` the first one goes."""
    at = _place(ports, port)
    if at < 0:
        return (ports + PORTED.pack(port, ts))[-cap * SIZE :]
    return ports[:at] + PORTED.pack(port, ts) + ports[at + SIZE :]


def pruned(ports: bytes, horizon: Micros, cap: int) -> bytes:
    """Without what was last seen before `horizon`, oldest first, and all above `cap`."""
    at = max(0, len(ports) - cap * SIZE)
    while at < len(ports) and _time_at(ports, at) < horizon:
        at += SIZE
    return ports[at:] if at else ports


def _time_at(ports: bytes, at: int) -> Micros:
    time: Micros = PORTED.unpack_from(ports, at)[1]
    return time


def _place(ports: bytes, port: int) -> int:
    """Where a port stands; -1: nowhere."""
    sought = port.to_bytes(4, "little")
    at = ports.find(sought)
    while at >= 0 and at % SIZE:  # the same bytes, by chance
        at = ports.find(sought, at + 1)
    return at
