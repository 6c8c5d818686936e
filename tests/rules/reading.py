"""Captures for the rules' tests, read through the real feeds."""

from __future__ import annotations

from adapters.feeds import open_telemetry, parse_spec
from engine.frame import COLUMNS, Frame
from scheduler.rows import skip_unread


def read(spec: str, reads: frozenset[str]) -> Frame:
    """The rows of one feed (`KIND:PATH`) that are to be scored, as one frame."""
    feeds = open_telemetry([parse_spec(spec)], follow=False, batch_rows=100_000)
    try:
        frames = [frame for pulse in feeds.pulses() for frame in pulse.frames.values()]
    finally:
        feeds.close()
    whole = Frame(**{name: [value for frame in frames for value in getattr(frame, name)] for name in COLUMNS})
    skip_unread(whole, reads)
    return whole.scored()
