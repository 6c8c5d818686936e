"""The kernels against the rules in plain Python, row for row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.story import write_flows
from domain.anomaly_limits import AnomalyLimits
from engine.features.table import FEATURES
from engine.features.windows import ClosedWindow, HostWindows
from engine.frame import COLUMNS, Frame
from tests.anomaly.stream import frames, office
from tests.engine.reader import read
from tests.features.reference import Reference
from tests.features.stream import LOCAL, mixed

LIMITS = AnomalyLimits()
TIGHT = AnomalyLimits(window_s=120, grace_s=400, max_hosts=7, max_host_peers=9, max_known_peers=40)


def counted(rows: list[tuple[object, ...]], size: int, limits: AnomalyLimits) -> tuple[list[ClosedWindow], HostWindows]:
    windows = HostWindows(limits, LOCAL)
    return [window for frame in frames(rows, size) for window in windows.feed(frame)], windows


def expect_equal(rows: list[tuple[object, ...]], limits: AnomalyLimits) -> int:
    reference = Reference(limits, LOCAL)
    reference.feed(rows)
    closed, windows = counted(rows, 1000, limits)
    assert {name: count for name, count in windows.counters.items() if count} == dict(reference.counters)
    assert len(closed) == len(reference.closed)
    for found, expected in zip(closed, reference.closed, strict=True):
        shown = found.window
        assert (found.row, found.at, found.host) == (expected["row"], expected["at"], expected["host"])
        for name in ("host", "start", "evidence", "first", "last", "flows", "sample", "letters"):
            assert getattr(shown, name) == expected[name], name
        assert found.letters == expected["letters"]
        assert list(shown.peers.items()) == list(expected["peers"].items())
        values = {f.name: f.shown(entry) for f, entry in zip(FEATURES, found.vector, strict=True)}
        assert values == pytest.approx(expected["values"], rel=1e-6, abs=1e-3)
    return len(closed)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_kernels_equal_the_rules_in_plain_python(seed: int) -> None:
    assert expect_equal(mixed(6_000, seed), LIMITS) > 300


def test_they_equal_them_over_days_at_all_hours_by_the_clock_of_the_site() -> None:
    limits = AnomalyLimits(utc_offset_minutes=-210, day_begins=9, day_ends=17)
    assert expect_equal(mixed(4_000, 3, gap_s=30.0, jump_every=150), limits) > 500


def test_they_equal_them_where_every_limit_on_hosts_and_memory_is_met() -> None:
    assert expect_equal(mixed(5_000, 4, hosts=20), TIGHT) > 500


def test_they_equal_them_in_a_quiet_office() -> None:
    assert expect_equal(office(4_000), LIMITS) > 200


def test_they_equal_them_on_a_generated_network(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    write_flows(path, rows=20_000, seed=5)
    frame = read(f"zeek:{path}")
    rows = list(zip(*(getattr(frame, name) for name in COLUMNS), strict=True))
    assert expect_equal(rows, LIMITS) > 1_000


@pytest.mark.parametrize("limits", [LIMITS, TIGHT])
@pytest.mark.parametrize("size", [1, 7, 333])
def test_windows_and_state_are_the_same_however_the_stream_is_cut(limits: AnomalyLimits, size: int) -> None:
    rows = mixed(3_000, 6)
    whole, state = counted(rows, len(rows), limits)
    cut, other = counted(rows, size, limits)
    assert cut == whole
    assert other.dump() == state.dump()


@pytest.mark.parametrize("limits", [LIMITS, TIGHT])
@pytest.mark.parametrize("stop", [0, 1, 500, 1_499, 2_999])
def test_windows_and_state_are_the_same_after_dump_and_load_anywhere(limits: AnomalyLimits, stop: int) -> None:
    rows = mixed(3_000, 7, jump_every=900)
    whole, state = counted(rows, 1000, limits)
    closed, before = counted(rows[:stop], 1000, limits)
    after = HostWindows(limits, LOCAL)
    after.load(before.dump())
    assert closed + after.feed(Frame.of(rows[stop:])) == whole
    assert after.dump() == state.dump()
    assert after.counters == state.counters
