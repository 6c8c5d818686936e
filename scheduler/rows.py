"""Rows on their way from a feed to the senses and the ledger."""

from __future__ import annotations

from agents.detector.ledger import Rows
from domain.sighting import Sighting
from engine.frame import Frame
from engine.sensed import Notice, Sensed


def skip_unread(frame: Frame, reads: frozenset[str]) -> None:
    """Rows of log types that no loaded detection reads are not scored, and say why."""
    if set(frame.log) <= reads:
        return
    frame.status = [
        status or ("" if log in reads else f"skipped: no detection reads {log}")
        for status, log in zip(frame.status, frame.log, strict=True)
    ]
    frame.late = [late and not status for late, status in zip(frame.late, frame.status, strict=True)]


def in_row_order(sensed: Sensed) -> list[Notice | Sighting]:
    """Notices before the sightings of the same row, which may already rest on what was noticed."""
    items: list[Notice | Sighting] = [*sensed.notices, *sensed.sightings]
    return sorted(items, key=lambda item: item.row)


def ledger_rows(frame: Frame) -> Rows:
    """The columns of a frame that the ledger counts."""
    return Rows(
        clock=frame.clock,
        status=frame.status,
        source=frame.source,
        size=frame.size,
        late=frame.late,
        log=frame.log,
        row=frame.row,
        raw=frame.raw,
    )
