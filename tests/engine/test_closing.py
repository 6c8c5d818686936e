"""A threat that is over is told once more, with its totals; one log-in that two logs hold is one attempt."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from domain.sighting import Sighting
from domain.thresholds import LimitThresholds, Thresholds
from engine.behaviours import all_behaviours
from engine.behaviours.password_guessing import PasswordGuessing
from engine.behaviours.places import Places
from engine.frame import Frame
from engine.pipeline import Pipeline
from tests.engine.rows import CLIENT, OUTSIDE, SERVER, START, Rows
from tests.engine.test_behaviours import login, outside, sense

MINUTE = 60_000_000


def scan(rows: Rows, hosts: int, at: float = 0.0) -> Rows:
    for n in range(hosts):
        rows.fail(at + n, dst_ip=outside(n), dst_port=445)
    return rows


def test_the_first_row_after_five_quiet_minutes_brings_the_totals():
    rows = scan(Rows(), 100).add(398.9).add(399.0).add(399.1)
    last = sense(rows.frame())[-1]
    assert (last.row, last.at, last.flow_count) == (102, START + 399_000_000, 100)
    assert (last.score, last.last_seen) == (10.0, START + 99_000_000)
    assert last.features[0].value == 100


def test_a_closing_report_is_made_before_its_row_counts_and_only_once():
    rows = scan(scan(Rows(), 25), 25, at=1000).add(5000).add(9000)
    found = sense(rows.frame())
    assert [(s.row, s.flow_count) for s in found] == [(5, 5), (10, 10), (20, 20), (26, 25), (51, 50)]


def test_what_was_told_already_needs_no_closing_report():
    assert [s.flow_count for s in sense(scan(Rows(), 20).add(5000).frame())] == [5, 10, 20]


def test_candidates_have_no_closing_report():
    assert [s.score for s in sense(scan(Rows(), 8).add(5000).frame())] == [0.5]


def test_the_time_of_quiet_is_a_setting():
    rows = scan(Rows(), 25).add(90)
    short = Thresholds(limits=LimitThresholds(closing_seconds=60))
    assert sense(rows.frame(), short)[-1].flow_count == 25
    assert sense(rows.frame())[-1].flow_count == 20


def mixed() -> Frame:
    """Two scanners, a guesser and a lull, then more."""
    rows = Rows()
    for begin in (0, 2000, 2500):
        for n in range(70):
            at = begin + n * 1.5
            rows.fail(at, dst_ip=outside(n), dst_port=445).fail(at, src_ip=SERVER, dst_ip=outside(n), dst_port=23)
            login(rows, at, src_port=5000 + n)
            detail = {"auth_success": False, "auth_attempts": 2}
            login(rows, at + 0.02, log="ssh", src_port=5000 + n, proto="", src_bytes=0, detail=detail)
        rows.add(begin + 450)
    return rows.frame()


def behave(pipeline: Pipeline, frames: list[Frame]) -> list[Sighting]:
    return [s for frame in frames for s in pipeline.sense(frame).sightings]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_closing_reports_depend_on_no_cut_and_outlive_a_restart(size: int):
    frame, pipeline, cut = mixed(), Pipeline(Thresholds()), []
    whole = Pipeline(Thresholds())
    expected = [*behave(whole, [frame]), *whole.finish(len(frame), frame.clock[-1])]
    for start in range(0, len(frame), size):
        cut += behave(pipeline, [frame.slice(start, start + size)])
        state, pipeline = pipeline.dump(), Pipeline(Thresholds())
        pipeline.load(state)
    assert [*cut, *pipeline.finish(len(frame), frame.clock[-1])] == expected
    single = [s for b in all_behaviours(Thresholds()) for s in b.sense(frame)]
    assert sorted(single, key=lambda s: s.row) == behave(Pipeline(Thresholds()), [frame])


def test_the_end_of_a_feed_tells_what_is_pending_once_and_the_feed_can_go_on():
    rows, pipeline = scan(Rows(), 25), Pipeline(Thresholds())
    pipeline.sense(rows.frame())
    told = pipeline.finish(25, rows.clock)
    assert [(s.row, s.at, s.flow_count, s.score) for s in told] == [(25, rows.clock, 25, 2.5)]
    assert pipeline.finish(25, rows.clock) == []
    more = scan(rows, 30, at=100).frame().slice(25, 55)
    assert pipeline.sense(more).sightings == []
    assert [(s.evidence, s.flow_count) for s in pipeline.finish(55, rows.clock)] == [(told[0].evidence, 55)]


def test_what_trickles_in_below_the_threshold_is_not_told():
    rows = Rows()
    for n in range(3000):
        rows.fail(n * 0.02, src_ip=OUTSIDE, dst_ip=SERVER, dst_port=80, src_port=1024 + n)
    rows.fail(250, src_ip=CLIENT, dst_ip=SERVER, dst_port=80).add(400)
    last = [s for s in sense(rows.frame()) if s.kind == "flood"][-1]
    assert (last.flow_count, last.last_seen) == (3000, START + round(2999 * 0.02 * 1_000_000))


def test_samples_stand_in_time_order():
    rows = scan(Rows(), 12)
    rows.fail(5.5, dst_ip=outside(12), dst_port=445)
    scan(rows, 60, at=20)
    assert all(a.ts <= b.ts for s in sense(rows.frame()) for a, b in pairwise(s.flows))


# --------------------------------------------------------------------------------------------- password guessing


def guess(rows: Rows, n: int, order: str, success: bool = False) -> None:
    """Attempt `n` in the logs named by `order`: c the connection, r its record."""
    for step, log in enumerate(order):
        values: dict[str, Any] = {"src_port": 20_000 + n}
        if log == "r":
            detail = {"auth_success": success, "auth_attempts": 1}
            values |= {"log": "ssh", "proto": "", "src_bytes": 0, "dst_bytes": 0, "detail": detail}
        login(rows, n * 2 + step * 0.02, **values)


def guessed(order: str, attempts: int = 455, success: bool = True) -> Sighting:
    rows = Rows()
    for n in range(attempts):
        guess(rows, n, order, success and n == attempts - 1)
    thresholds = Thresholds()
    behaviour = PasswordGuessing(thresholds, Places(thresholds.local_networks))
    found = [*behaviour.sense(rows.frame()), *behaviour.finish(len(rows.rows), rows.clock)]
    assert {s.kind for s in found} == {"password-guessing"}
    return found[-1]


@pytest.mark.parametrize("order", ["cr", "rc", "c", "r"])
def test_an_attempt_counts_once_in_whichever_logs_it_stands(order: str):
    seen = guessed(order)
    assert seen.flow_count == 455
    values = {feature.name: feature.value for feature in seen.features}
    assert values["log-in attempts"] == 455
    assert values["attempts that failed on record"] == (454 if "r" in order else 0)
    assert seen.score >= 10
    assert {flow.proto for flow in seen.flows} == {"tcp"}
    assert {flow.bytes_out for flow in seen.flows} == ({1900} if "c" in order else {0})


def test_a_success_after_failures_is_the_first_feature():
    assert guessed("cr").features[0].name == "successes on record"
    assert "successes on record" not in {feature.name for feature in guessed("cr", success=False).features}
    assert guessed("cr").score == 2 * guessed("cr", success=False).score


def test_ports_that_are_used_again_are_attempts_of_their_own():
    rows = Rows()
    for n in range(60):
        for order in ("c", "c", "r", "r"):
            guess(rows, n, order)
    last = [s for s in sense(rows.add(900).frame()) if s.kind == "password-guessing"][-1]
    assert last.flow_count == 120
