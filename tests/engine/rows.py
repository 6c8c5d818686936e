"""Rows made by hand: only what a test is about needs to be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from domain.values import HOUR, SECOND
from engine.frame import Frame

CLIENT, SERVER, OUTSIDE = "10.0.0.5", "10.0.0.9", "203.0.113.7"
START = 1_700_000_000 * SECOND


@dataclass
class Rows:
    """A frame in the making, in merged order."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    clock: int = 0

    def add(self, at: float, **values: Any) -> Rows:
        """One row, `at` seconds after the start; a complete TCP connection unless said otherwise."""
        row = {
            "log": "conn", "src_ip": CLIENT, "src_port": 40_000 + len(self.rows) % 20_000, "dst_ip": OUTSIDE,
            "dst_port": 443, "proto": "tcp", "service": "", "duration": 0.5, "src_bytes": 900, "dst_bytes": 4000,
            "src_pkts": 8, "dst_pkts": 9, "conn_state": "SF", "detail": {}, "status": "",
        }  # fmt: skip
        assert values.keys() <= row.keys()
        row |= values
        number, ts = len(self.rows) + 1, START + round(at * SECOND)
        self.clock = max(self.clock, ts)
        names = ("src_ip", "src_port", "dst_ip", "dst_port", "proto", "service", "duration", "src_bytes", "dst_bytes")
        names += ("src_pkts", "dst_pkts", "conn_state", "detail")
        self.rows.append((
            number, number, row["status"], row["log"], 100, self.clock, ts < self.clock - HOUR, row["log"], ts,
            *(row[name] for name in names), f"{number} {sorted(row.items())}".encode(),
        ))  # fmt: skip
        return self

    def fail(self, at: float, **values: Any) -> Rows:
        """A connection attempt that nobody answered."""
        nothing = {"src_bytes": 0, "dst_bytes": 0, "src_pkts": 1, "dst_pkts": 0, "conn_state": "S0", "duration": 0.0}
        return self.add(at, **{**nothing, **values})

    def ask(self, at: float, query: str, rcode: str = "NOERROR", kind: str = "A", **values: Any) -> Rows:
        """A DNS record."""
        detail = {"query": query, "rcode_name": rcode, "qtype_name": kind}
        return self.add(at, log="dns", proto="udp", dst_ip=SERVER, dst_port=53, detail=detail, **values)

    def frame(self) -> Frame:
        """The rows so far."""
        return Frame.of(self.rows)
