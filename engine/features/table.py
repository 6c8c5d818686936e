"""The features of a host window: one table, from which the vector's order, the explanations and the docs are drawn.

Rules:
    1. A vector holds one finite number per row of `FEATURES`, in that order. Models take it in single precision, which
       also levels the last bits of another machine's logarithm.
    2. A feature marked `log` stands in the vector as log(1 + value): sizes matter by their order of magnitude. What an
       analyst is shown is the value itself.
    3. Everything is measured on the flows that the host opened, except `received_flows` and `callers`.
    4. `measures` gives the values family by family, in the order of this table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

VERSION: Final = 4
"""Of the features and of the state behind them: raised when a value may differ or a dump is laid out differently."""

Family = Literal["temporal", "behavioural", "packet/byte", "statistical", "topology"]


@dataclass(frozen=True, slots=True)
class FeatureRule:
    """One measurement of a host window."""

    name: str
    unit: str
    family: Family
    log: bool
    columns: tuple[str, ...]
    says: str

    def shown(self, entry: float) -> float:
        """The value, in its unit, of this feature's entry in a vector."""
        return round(math.expm1(entry) if self.log else entry, 4)


FEATURES: Final = (
    FeatureRule("flows", "flows", "temporal", True, ("src_ip",), "flows it opened"),
    FeatureRule("gap_mean", "s", "temporal", True, ("ts",), "mean time between two of its flows"),
    FeatureRule("gap_cv", "", "temporal", False, ("ts",), "deviation of that time over its mean: 0 is a steady beat"),
    FeatureRule("steady_share", "", "temporal", False, ("ts",),
                "share of the times between two flows that equal the one before within a quarter"),
    FeatureRule("busiest_share", "", "temporal", False, ("ts",),
                "share of its flows in the busiest sixteenth of the window: 1 is one burst"),
    FeatureRule("duration_mean", "s", "temporal", True, ("duration",), "mean duration of its flows"),
    FeatureRule("day_sine", "", "temporal", False, ("ts",),
                "time of day at the site, as the sine of the hour hand on a dial of 24 hours"),
    FeatureRule("day_cosine", "", "temporal", False, ("ts",), "time of day at the site, as the cosine of the same"),
    FeatureRule("new_peers_share", "", "behavioural", False, ("dst_ip",), "share of its peers that are new to it"),
    FeatureRule("new_ports_share", "", "behavioural", False, ("dst_port",),
                "share of its destination ports that are new to it"),
    FeatureRule("failed_share", "", "behavioural", False, ("conn_state",), "share of its flows nobody answered"),
    FeatureRule("flows_growth", "doublings", "behavioural", False, ("ts",),
                "its flows against its own mean at working time or outside of it: 1 is twice as many"),
    FeatureRule("bytes_out_growth", "doublings", "behavioural", False, ("src_bytes",),
                "the bytes it sent against its own mean, in the same way"),
    FeatureRule("peers_growth", "doublings", "behavioural", False, ("dst_ip",),
                "its peers against their own mean, in the same way"),
    FeatureRule("service_shift", "", "behavioural", False, ("dst_port", "service"),
                "share of its flows that go to other services than usual"),
    FeatureRule("service_growth", "doublings", "behavioural", False, ("dst_port", "service"),
                "flows of the service that grew most, against that service's own mean"),
    FeatureRule("unusual_hour", "", "behavioural", False, ("ts",),
                "1 at an hour of the day at which it never was active, 0 at a usual one; 0 during its first day"),
    FeatureRule("core_growth", "edges", "behavioural", False, ("src_ip", "dst_ip"),
                "its core number (below) less its own mean"),
    FeatureRule("bytes_out", "bytes", "packet/byte", True, ("src_bytes",), "bytes it sent"),
    FeatureRule("bytes_in", "bytes", "packet/byte", True, ("dst_bytes",), "bytes it was sent back"),
    FeatureRule("out_share", "", "packet/byte", False, ("src_bytes", "dst_bytes"), "share of the bytes that it sent"),
    FeatureRule("packets_out", "packets", "packet/byte", True, ("src_pkts",), "packets it sent"),
    FeatureRule("packets_in", "packets", "packet/byte", True, ("dst_pkts",), "packets it was sent back"),
    FeatureRule("packet_size", "bytes", "packet/byte", True, ("src_bytes", "src_pkts"), "mean bytes of its packets"),
    FeatureRule("packet_size_in", "bytes", "packet/byte", True, ("dst_bytes", "dst_pkts"),
                "mean bytes of the packets it was sent back"),
    FeatureRule("empty_share", "", "packet/byte", False, ("src_bytes", "dst_bytes"),
                "share of its flows without a byte"),
    FeatureRule("peer_entropy", "bit", "statistical", False, ("dst_ip",), "how evenly its flows spread over peers"),
    FeatureRule("port_entropy", "bit", "statistical", False, ("dst_port",), "how evenly they spread over ports"),
    FeatureRule("size_entropy", "bit", "statistical", False, ("src_bytes", "dst_bytes"),
                "how evenly they spread over sizes, by powers of two"),
    FeatureRule("size_median", "bytes", "statistical", True, ("src_bytes", "dst_bytes"),
                "median of the bytes of a flow, within its power of two"),
    FeatureRule("size_p90", "bytes", "statistical", True, ("src_bytes", "dst_bytes"), "90 % quantile of the same"),
    FeatureRule("udp_share", "", "statistical", False, ("proto",), "share of its flows that are UDP"),
    FeatureRule("top_peer_share", "", "statistical", False, ("dst_ip",),
                "share of its flows to its most frequent peer"),
    FeatureRule("peers", "hosts", "topology", True, ("dst_ip",), "distinct peers: its out-degree"),
    FeatureRule("ports", "ports", "topology", True, ("dst_port",), "distinct destination ports"),
    FeatureRule("inside_share", "", "topology", False, ("dst_ip",), "share of its flows to inside hosts"),
    FeatureRule("received_flows", "flows", "topology", True, ("dst_ip",), "flows others opened to it"),
    FeatureRule("callers", "hosts", "topology", True, ("src_ip", "dst_ip"),
                "distinct hosts that opened them: its in-degree"),
    FeatureRule("rare_peers_share", "", "topology", False, ("src_ip", "dst_ip"),
                "share of its peers that no other host of ours called in this window"),
    FeatureRule("reach", "hosts", "topology", True, ("src_ip", "dst_ip"),
                "hosts within two steps along the flows of the window"),
    FeatureRule("core", "edges", "topology", True, ("src_ip", "dst_ip"),
                "core number in the graph of the window: edges of each in the densest group it is in"),
)  # fmt: skip
