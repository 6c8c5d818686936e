"""Sample records as bytes: a trail keeps up to twenty of them, most trails are never told.

Rules:
    1. A record is packed once, when it is kept, and unpacked when somebody is told of it.
    2. Packed records lie one behind the other, each behind its length.

    >>> first, last = (1, "10.0.0.1", 5, "10.0.0.2", 80, "tcp", 1, 2, "SF"), (2, "::1", 6, "::2", 81, "udp", 3, 4, "")
    >>> unpack(after_first(pack_all([first, last]))) == [last]
    True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from engine.frame import Frame

FlowTuple = tuple[int, str, int, str, int, str, int, int, str]
"""Time, source, its port, destination, its port, protocol, bytes out, bytes in, note."""

LENGTH: Final = 4
"""Bytes of the length in front of a record."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(FlowTuple).decode


def flow_at(frame: Frame, i: int, note: str = "") -> FlowTuple:
    """Row `i` as a sample record."""
    return (
        frame.ts[i], frame.src_ip[i], frame.src_port[i], frame.dst_ip[i], frame.dst_port[i], frame.proto[i],
        frame.src_bytes[i], frame.dst_bytes[i], note,
    )  # fmt: skip


def pack(flow: FlowTuple) -> bytes:
    """One record."""
    body = _encode(flow)
    return len(body).to_bytes(LENGTH, "big") + body


def pack_all(flows: Iterable[FlowTuple]) -> bytes:
    """Records one behind the other."""
    return b"".join(map(pack, flows))


def unpack(packed: bytes) -> list[FlowTuple]:
    """The records, in their order."""
    view, at, found = memoryview(packed), 0, []
    while at < len(packed):
        begin = at + LENGTH
        at = begin + int.from_bytes(view[at:begin], "big")
        found.append(_decode(view[begin:at]))
    return found


def after_first(packed: bytes) -> bytes:
    """The records without the first."""
    return packed[LENGTH + int.from_bytes(packed[:LENGTH], "big") :]
