"""Rows on their way: what no loaded detection reads is not scored, and says why."""

from __future__ import annotations

from engine.frame import COLUMNS, Frame
from scheduler.rows import skip_unread


def frame(*logs: str) -> Frame:
    rows = len(logs)
    columns = {name: [None] * rows for name in COLUMNS}
    return Frame(**columns | {"log": list(logs), "status": [""] * rows, "late": [True] * rows})


def test_rows_of_a_log_that_no_detection_reads_are_skipped_with_the_reason():
    mixed = frame("conn", "stats", "dns")
    mixed.status[2] = "malformed: bad time"
    skip_unread(mixed, frozenset({"conn"}))
    assert mixed.status == ["", "skipped: no detection reads stats", "malformed: bad time"]


def test_a_row_that_is_not_scored_is_not_late():
    mixed = frame("conn", "stats")
    skip_unread(mixed, frozenset({"conn"}))
    assert mixed.late == [True, False]


def test_rows_that_are_all_read_stay_as_they_are():
    whole = frame("conn", "conn")
    status = whole.status
    skip_unread(whole, frozenset({"conn", "dns"}))
    assert whole.status is status
