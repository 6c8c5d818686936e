"""Captures for the engine's tests, read through the real feeds."""

from __future__ import annotations

from adapters.feeds import open_telemetry, parse_spec
from engine.frame import COLUMNS, Frame


def read(spec: str) -> Frame:
    """All rows of one feed (`KIND:PATH`) as one frame."""
    feeds = open_telemetry([parse_spec(spec)], follow=False, batch_rows=100_000)
    try:
        frames = [frame for pulse in feeds.pulses() for frame in pulse.frames.values()]
    finally:
        feeds.close()
    return Frame(**{name: [value for frame in frames for value in getattr(frame, name)] for name in COLUMNS})
