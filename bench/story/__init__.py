"""A generated office and its day on the wire, written as Zeek logs, with the truth of what is hidden in it.

Everything here is invented, from a seed: no row was ever captured. The same arguments give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from bench.story.attacks import ATTACKS, PLAYS
from bench.story.benign import FLAVOURS
from bench.story.day import START
from bench.story.play import write_day
from bench.story.truth import Attack, Truth

__all__ = ["ATTACKS", "FLAVOURS", "PLAYS", "START", "Attack", "Truth", "write_day", "write_flows"]


def write_flows(path: Path, *, rows: int, seed: int) -> None:
    """Write one big conn.log for measuring throughput; see `bench.story.flows`."""
    from bench.story import flows  # the only part that needs pyarrow

    flows.write_flows(path, rows=rows, seed=seed)
