import math

import pytest

from domain.anomaly_limits import AnomalyLimits
from domain.values import DAY, SECOND
from engine.features.table import FEATURES
from engine.features.windows import ClosedWindow, HostWindows
from engine.frame import Frame
from tests.anomaly.stream import LOCAL, START, frames, office, row

WIDTH = 300 * SECOND
BASE = START - START % WIDTH


def windows_of(rows: list[tuple[object, ...]], size: int = 1000, **limits: int) -> list[ClosedWindow]:
    windows = HostWindows(AnomalyLimits(**limits), LOCAL)
    return [window for frame in frames(rows, size) for window in windows.feed(frame)]


def named(window: ClosedWindow) -> dict[str, float]:
    return {f.name: f.shown(entry) for f, entry in zip(FEATURES, window.vector, strict=True)}


def end(number: int, after: int = 600, **values: object) -> tuple[object, ...]:
    """A row that moves the clock `after` seconds on from the base."""
    return row(number, BASE + after * SECOND, src_ip="10.9.9.9", **values)


def test_the_features_of_a_window_are_those_counted_by_hand() -> None:
    times, peers = (0, 10, 20, 40), ("8.8.8.8", "8.8.8.8", "9.9.9.9", "10.0.0.7")
    rows = [
        row(
            i + 1, BASE + t * SECOND, src_ip="10.0.0.5", dst_ip=peer, dst_port=53 if i < 3 else 22, src_bytes=300,
            dst_bytes=100, src_pkts=3, duration=2.0, proto="udp" if i < 3 else "tcp",
            conn_state="S0" if i == 3 else "SF",
        )
        for i, (t, peer) in enumerate(zip(times, peers, strict=True))
    ]  # fmt: skip
    rows += [row(5, BASE + 50 * SECOND, src_ip="8.8.8.8", dst_ip="10.0.0.5"), end(6)]
    [window] = windows_of(rows)
    mean, turn = 40 / 3, 2 * math.pi * ((BASE + WIDTH // 2) // SECOND % 86_400) / 86_400
    assert named(window) == pytest.approx(
        {
            "flows": 4, "gap_mean": mean, "gap_cv": math.sqrt((100 + 100 + 400) / 3 - mean**2) / mean,
            "steady_share": 0.5, "busiest_share": 0.5, "duration_mean": 2,
            "day_sine": math.sin(turn), "day_cosine": math.cos(turn),
            "new_peers_share": 1, "new_ports_share": 1, "failed_share": 0.25, "flows_growth": 0,
            "bytes_out_growth": 0, "peers_growth": 0, "service_shift": 0, "service_growth": 0, "unusual_hour": 0,
            "bytes_out": 1200, "bytes_in": 400, "out_share": 0.75, "packets_out": 12, "packets_in": 12,
            "packet_size": 100, "packet_size_in": 100 / 3, "empty_share": 0,
            "peer_entropy": 1.5, "port_entropy": -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)),
            "size_entropy": 0, "size_median": 2**8.375, "size_p90": 2**8.875, "udp_share": 0.75,
            "top_peer_share": 0.5,
            "peers": 3, "ports": 2, "inside_share": 0.25, "received_flows": 1, "callers": 1, "rare_peers_share": 1,
            "reach": 3, "core": 1, "core_growth": 0,
        },
        rel=1e-3,
    )  # fmt: skip


def test_a_window_closes_at_the_first_row_whose_clock_reaches_its_end_and_the_grace() -> None:
    rows = [row(1, BASE), end(2, 599), end(3, 600), end(4, 601)]
    [window] = windows_of(rows)
    assert (window.row, window.at, window.window.host) == (3, BASE + 600 * SECOND, "10.0.0.1")


def test_a_record_that_is_no_flow_moves_the_clock_and_an_unreadable_row_does_not() -> None:
    rows = [row(1, BASE), end(2, status="malformed: cut"), end(3, log="dns"), end(4)]
    assert [window.row for window in windows_of(rows)] == [3]


def test_windows_that_close_at_one_row_come_ordered_by_start_and_host() -> None:
    rows = [
        row(1, BASE + 310 * SECOND, src_ip="10.0.0.2"),
        row(2, BASE, BASE + 310 * SECOND, src_ip="10.0.0.9"),
        row(3, BASE + 1, BASE + 310 * SECOND, src_ip="10.0.0.3"),
        end(4, 5000),
    ]
    assert [(w.window.start - BASE, w.window.host) for w in windows_of(rows)] == [
        (0, "10.0.0.3"),
        (0, "10.0.0.9"),
        (WIDTH, "10.0.0.2"),
    ]


def test_rows_for_a_closed_window_or_ahead_of_the_clock_change_nothing_and_are_counted() -> None:
    windows = HostWindows(AnomalyLimits(), LOCAL)
    first = [row(1, BASE), end(2)]
    stray = [
        row(3, BASE + 1, BASE + 600 * SECOND),
        row(4, BASE + 500 * SECOND, BASE + 600 * SECOND, late=True),
        row(5, BASE + 9 * DAY, BASE + 600 * SECOND),
    ]
    windows.feed(Frame.of(first))
    before = windows.dump()
    assert windows.feed(Frame.of(stray)) == []
    assert (windows.counters["late_for_window"], windows.counters["ahead_of_clock"]) == (2, 1)
    assert len(windows.dump()) == len(before)


def test_once_an_inside_host_was_seen_only_inside_hosts_have_windows() -> None:
    outside = [row(i, BASE + i, src_ip=f"93.0.0.{i}", dst_ip="8.8.8.8") for i in (1, 2)]
    assert {w.window.host for w in windows_of([*outside, end(3)])} == {"93.0.0.1", "93.0.0.2"}
    inside_first = [row(1, BASE), row(2, BASE + 2, src_ip="93.0.0.1"), end(3)]
    assert {w.window.host for w in windows_of(inside_first)} == {"10.0.0.1"}


def test_a_peer_is_new_once() -> None:
    rows = [
        row(1, BASE, dst_ip="8.8.8.8"),
        row(2, BASE + WIDTH, dst_ip="8.8.8.8"),
        row(3, BASE + WIDTH + 1, dst_ip="9.9.9.9"),
        end(4, 5000),
    ]
    assert [named(w)["new_peers_share"] for w in windows_of(rows)] == [1.0, 0.5]


def test_hosts_beyond_the_limit_are_left_out_and_counted() -> None:
    windows = HostWindows(AnomalyLimits(max_hosts=2), LOCAL)
    closed = windows.feed(Frame.of([*(row(i, BASE + i, src_ip=f"10.0.0.{i}") for i in (1, 2, 3)), end(4)]))
    assert [w.window.host for w in closed] == ["10.0.0.1", "10.0.0.2"]
    assert windows.counters["hosts_over_limit"] == 1


def test_peers_and_ports_beyond_the_limit_are_counted_by_a_sketch() -> None:
    rows = [row(i, BASE + i, dst_ip=f"8.8.8.{i}", dst_port=i) for i in range(1, 10)]
    [window] = windows_of([*rows, end(10)], max_distinct=4)
    assert window.window.peers == {"8.8.8.1": 1, "8.8.8.2": 1, "8.8.8.3": 1, "8.8.8.4": 1}
    assert (named(window)["peers"], named(window)["ports"]) == (9, 9)
    assert named(window)["peer_entropy"] == pytest.approx(math.log2(9), abs=1e-4)


def test_the_coldest_hosts_peers_are_forgotten_first() -> None:
    rows = [
        *(row(i, BASE + i, src_ip="10.0.0.1", dst_ip=f"8.8.8.{i}") for i in (1, 2, 3)),
        row(4, BASE + WIDTH, src_ip="10.0.0.2", dst_ip="8.8.8.8"),
        row(5, BASE + 10 * WIDTH, src_ip="10.0.0.1", dst_ip="8.8.8.1"),
        row(6, BASE + 10 * WIDTH + 1, src_ip="10.0.0.2", dst_ip="8.8.8.8"),
        end(7, 9000),
    ]
    last = {w.window.host: named(w)["new_peers_share"] for w in windows_of(rows, max_known_peers=3)}
    assert last == {"10.0.0.1": 1.0, "10.0.0.2": 0.0}


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_windows_are_the_same_however_the_stream_is_cut(size: int) -> None:
    rows = office(5000)
    whole = windows_of(rows, 5000)
    assert len(whole) > 300
    assert windows_of(rows, size) == whole


@pytest.mark.parametrize("stop", [1, 777, 2500, 4999])
def test_windows_are_the_same_after_dump_and_load_anywhere(stop: int) -> None:
    rows = office(5000)
    before, after = HostWindows(AnomalyLimits(), LOCAL), HostWindows(AnomalyLimits(), LOCAL)
    closed = before.feed(Frame.of(rows[:stop]))
    after.load(before.dump())
    assert closed + after.feed(Frame.of(rows[stop:])) == windows_of(rows)
    before.feed(Frame.of(rows[stop:]))
    assert after.dump() == before.dump()


def test_every_entry_is_finite_even_for_numbers_that_make_no_sense() -> None:
    odd = {"duration": float("inf"), "src_bytes": -5, "dst_bytes": 2**62, "src_pkts": -1, "dst_port": -1}
    [window] = windows_of([row(1, BASE, **odd), row(2, BASE - 1, BASE, duration=float("nan")), end(3, 290), end(4)])[:1]
    assert all(map(math.isfinite, window.vector))
