"""What became of a connection: answered, failed, or neither (middle of a stream, a reply, another protocol)."""

from __future__ import annotations

from typing import Final

from engine.frame import Frame

ANSWERED: Final = 1
FAILED: Final = -1
NEITHER: Final = 0

TCP_FAILED: Final = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH"})
TCP_OPENED: Final = frozenset({"SF", "S1", "S2", "S3", "RSTO", "RSTR"})
SERVICE_PORTS: Final = 1024
"""A flow from below this port to above it is the answer of a service, seen without its question."""

REPLY_PORTS: Final = frozenset({1900, 3702, 5353, 5355})
"""Discovery services above the service ports that answer to high ports."""

TRACEROUTE: Final = range(33434, 33535)
ECHO_TYPES: Final = frozenset({0, 8, 128})
"""ICMP types (Zeek's source port) of an echo request; 0 where the feed names none."""


def tcp(state: str, src_bytes: int, dst_bytes: int, src_pkts: int, dst_pkts: int) -> int:
    """Outcome of a TCP connection; one that was opened and closed without a byte is a probe, so it failed.

    >>> tcp("S0", 0, 0, 1, 0), tcp("SF", 80, 500, 5, 5), tcp("RSTO", 0, 0, 2, 1), tcp("OTH", 0, 0, 0, 0)
    (-1, 1, -1, 0)
    """
    if state in TCP_FAILED:
        return FAILED
    if state == "":
        return ANSWERED if dst_bytes or dst_pkts else FAILED
    if state not in TCP_OPENED:
        return NEITHER
    return FAILED if 0 < src_pkts <= 4 and not src_bytes and not dst_bytes else ANSWERED


def udp(state: str, src_port: int, dst_port: int, dst_bytes: int, dst_pkts: int) -> int:
    """Outcome of a UDP exchange.

    >>> udp("S0", 9999, 53, 0, 0), udp("SF", 9999, 53, 80, 1), udp("OTH", 9999, 53, 0, 0)
    (-1, 1, 0)
    """
    if dst_bytes or dst_pkts:
        return ANSWERED
    return NEITHER if state == "OTH" or src_port in REPLY_PORTS or dst_port in TRACEROUTE else FAILED


def outcome_at(frame: Frame, i: int) -> int:
    """Outcome of the flow in row `i`, whatever its protocol."""
    proto, src_port, dst_port = frame.proto[i], frame.src_port[i], frame.dst_port[i]
    src_bytes, dst_bytes, dst_pkts = frame.src_bytes[i], frame.dst_bytes[i], frame.dst_pkts[i]
    if proto == "icmp":
        if src_port not in ECHO_TYPES:
            return NEITHER
        return ANSWERED if dst_bytes or dst_pkts else FAILED
    if 0 < src_port < SERVICE_PORTS <= dst_port:
        return NEITHER
    if proto == "tcp":
        return tcp(frame.conn_state[i], src_bytes, dst_bytes, frame.src_pkts[i], dst_pkts)
    return udp(frame.conn_state[i], src_port, dst_port, dst_bytes, dst_pkts) if proto == "udp" else NEITHER
