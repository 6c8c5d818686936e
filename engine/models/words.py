"""The features of a host window in an analyst's words: what a threat and its title say instead of a column's name."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "flows": "connections it opened",
    "gap_mean": "mean time between its connections",
    "gap_cv": "irregularity of its connections (0 is a steady beat)",
    "steady_share": "share of its connections at a steady beat",
    "busiest_share": "share of its connections in one burst",
    "duration_mean": "mean duration of its connections",
    "new_peers_share": "share of hosts it never called before",
    "new_ports_share": "share of ports it never called before",
    "failed_share": "share of connections that nobody answered",
    "flows_growth": "connections against its usual number",
    "bytes_out_growth": "data sent against its usual amount",
    "peers_growth": "hosts called against its usual number",
    "service_shift": "share of connections to services it rarely uses",
    "service_growth": "connections of one service against their usual number",
    "unusual_hour": "active at an hour at which it never was (1 is yes)",
    "core_growth": "growth of the closest group it talks in",
    "bytes_out": "data sent",
    "bytes_in": "data received",
    "out_share": "share of the data that it sent",
    "packets_out": "packets sent",
    "packets_in": "packets received",
    "packet_size": "mean size of packets sent",
    "packet_size_in": "mean size of packets received",
    "empty_share": "share of connections without data",
    "peer_entropy": "spread of its connections over hosts",
    "port_entropy": "spread of its connections over ports",
    "size_entropy": "variety of the sizes of its connections",
    "size_median": "median data of a connection",
    "size_p90": "data of its larger connections (90 % quantile)",
    "udp_share": "share of UDP connections",
    "top_peer_share": "share of connections to its most frequent peer",
    "peers": "different hosts called",
    "ports": "different ports called",
    "inside_share": "share of connections to inside hosts",
    "received_flows": "connections opened to it",
    "callers": "hosts that called it",
    "rare_peers_share": "share of hosts that nobody else here called",
    "reach": "hosts within two steps of it",
    "core": "size of the closest group it talks in",
}

PROFILES: Final = {"day": "working days", "night": "nights", "weekend": "weekends"}
"""The profiles of working time, in words."""
