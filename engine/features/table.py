"""The features of a host window: one table, from which the vector's order, the explanations and the docs are drawn.

Rules:
    1. A vector holds one finite number per row of `FEATURES`, in that order. Models take it in single precision, which
       also levels the last bits of another machine's logarithm.
    2. A feature marked `log` stands in the vector as log(1 + value): sizes matter by their order of magnitude. What an
       analyst is shown is the value itself.
    3. Everything is measured on the flows that the host opened, except `received_flows`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

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
    FeatureRule("duration_mean", "s", "temporal", True, ("duration",), "mean duration of its flows"),
    FeatureRule("new_peers_share", "", "behavioural", False, ("dst_ip",), "share of its peers that are new to it"),
    FeatureRule("failed_share", "", "behavioural", False, ("conn_state",), "share of its flows nobody answered"),
    FeatureRule("bytes_out", "bytes", "packet/byte", True, ("src_bytes",), "bytes it sent"),
    FeatureRule("bytes_in", "bytes", "packet/byte", True, ("dst_bytes",), "bytes it was sent back"),
    FeatureRule("out_share", "", "packet/byte", False, ("src_bytes", "dst_bytes"), "share of the bytes that it sent"),
    FeatureRule("packet_size", "bytes", "packet/byte", True, ("src_bytes", "src_pkts"), "mean bytes of its packets"),
    FeatureRule("peer_entropy", "bit", "statistical", False, ("dst_ip",), "how evenly its flows spread over peers"),
    FeatureRule("port_entropy", "bit", "statistical", False, ("dst_port",), "how evenly they spread over ports"),
    FeatureRule("udp_share", "", "statistical", False, ("proto",), "share of its flows that are UDP"),
    FeatureRule("peers", "hosts", "topology", True, ("dst_ip",), "distinct peers"),
    FeatureRule("ports", "ports", "topology", True, ("dst_port",), "distinct destination ports"),
    FeatureRule("inside_share", "", "topology", False, ("dst_ip",), "share of its flows to inside hosts"),
    FeatureRule("received_flows", "flows", "topology", True, ("dst_ip",), "flows others opened to it"),
)


LOGARITHMIC: Final = tuple(feature.log for feature in FEATURES)


def features_table() -> str:
    """The table as the page `docs/features.md`."""
    head = [
        "# Features of a host window",
        "",
        "Drawn from `engine/features/table.py` (`features_table()`). One vector per inside host and window of event",
        "time; features on a log scale enter the models as log(1 + value).",
        "",
        "| feature | family | unit | scale | columns | what it measures |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {f.name} | {f.family} | {f.unit or '-'} | {'log' if f.log else 'linear'} "
        f"| {', '.join(f.columns)} | {f.says} |"
        for f in FEATURES
    ]
    return "\n".join([*head, *rows]) + "\n"
