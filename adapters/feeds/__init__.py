"""Feeds: real telemetry in, canonical rows out, in one order, from any recorded position on."""

from __future__ import annotations

from adapters.feeds.ahead import Read, ReadAhead
from adapters.feeds.errors import FeedError, Problem, UsageError
from adapters.feeds.spec import FeedSpec, check_names, parse_spec
from adapters.feeds.telemetry import Pulse, Telemetry, open_telemetry

__all__ = [
    "parse_spec", "check_names", "open_telemetry", "FeedSpec", "Telemetry", "Read", "ReadAhead", "Pulse", "Problem",
    "FeedError", "UsageError",
]  # fmt: skip
