"""Bring the hunt of a feed to the recorded cursor: snapshot, rows read again, and what the log knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.feeds import FeedSpec
from adapters.feeds.again import read_in_order, read_merged
from engine.frame import Frame
from scheduler.hunt import Hunt
from scheduler.recovery import History, Recorded, Snapshot, load_order, load_snapshot, order_path


def restore(hunt: Hunt, spec: FeedSpec, file: Path, recorded: Recorded, history: History) -> int:
    """The hunt as it stood at the recorded cursor; returns how many rows of the stretch are gone.

    Args:
        hunt: a new one.
        spec: the feed, wherever its files are now.
        file: the feed's snapshot.
        recorded: the feed's cursor in the log.
        history: what the log says of the feed.
    """
    hunt.expect(history)
    snapshot = load_snapshot(file) or Snapshot()
    if snapshot.rows > recorded.rows or not (snapshot.state and hunt.load(snapshot.state)):
        snapshot = Snapshot()
    if snapshot.rows < recorded.rows:
        for frame in _again(spec, file, snapshot, recorded, hunt):
            hunt.take(frame, lambda: 0)
    missing = recorded.rows - hunt.rows
    hunt.adopt(recorded, history)
    return missing


def _again(spec: FeedSpec, file: Path, snapshot: Snapshot, recorded: Recorded, hunt: Hunt) -> Iterator[Frame]:
    order = load_order(order_path(file), snapshot.rows, recorded.rows)
    if order is not None and sum(rows for _, rows in order) == recorded.rows - snapshot.rows:
        return read_in_order(spec, resume=snapshot.resume, order=order, recorded=recorded.resume)
    return read_merged(
        spec,
        resume=snapshot.resume,
        consumed={source: rows for source, (rows, _) in recorded.consumed.items()},
        seen={source: rows for source, (rows, _) in hunt.ledger.cursor.items()},
        recorded=recorded.resume,
    )
