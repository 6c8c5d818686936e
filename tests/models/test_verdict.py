"""Consensus, levels and severities: the rates that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from engine.verdict.consensus import Calibration, consensus
from engine.verdict.null import THEORETICAL, Null
from engine.verdict.severity import SEVERITIES, severity_of
from engine.verdict.tracker import Threshold, Tracker, weighted_error


def correlated(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Scores of three models that see partly the same."""
    return draw.normal(size=(rows, 1)) + 0.7 * draw.normal(size=(rows, 3))


@pytest.mark.parametrize("bound", [0.01, 0.05])
def test_the_consensus_of_models_that_agree_more_or_less_keeps_the_configured_rate(bound):
    draw = np.random.default_rng(3)
    found = [consensus(rows[1:], rows[0]).p for rows in (correlated(draw, 200) for _ in range(3_000))]
    assert 0.5 * bound < np.mean([p <= bound for p in found]) < 1.5 * bound


def test_two_of_three_make_a_vote_and_one_does_not():
    known = np.random.default_rng(1).normal(size=(199, 3))
    assert consensus(known, np.array([9.0, 9.0, 0.0])).p <= 0.01
    assert consensus(known, np.array([9.0, 0.0, 0.0])).p > 0.2


def test_a_model_that_abstains_has_no_part():
    known = np.random.default_rng(1).normal(size=(199, 3))
    known[:, 2] = np.nan
    found = consensus(known, np.array([9.0, 9.0, np.nan]))
    assert found.votes == (0.005, 0.005, None)
    assert found.p == 0.005
    assert consensus(np.full((199, 2), np.nan), np.full(2, np.nan)).p == 1.0


def test_the_calibration_of_many_rows_keeps_the_rate_on_new_ones():
    draw = np.random.default_rng(5)
    calibration = Calibration.of(correlated(draw, 8_000))
    assert 0.007 < np.mean(calibration.consensus(correlated(draw, 40_000)) <= 0.01) < 0.013


def test_a_consensus_does_not_depend_on_the_rows_judged_with_it():
    draw = np.random.default_rng(5)
    calibration, rows = Calibration.of(correlated(draw, 500)), correlated(draw, 300)
    parts = [calibration.consensus(rows[k : k + 1]) for k in range(300)]
    assert np.concatenate(parts).tobytes() == calibration.consensus(rows).tobytes()


def test_the_tracked_level_brings_false_alarms_to_the_target_under_shift():
    # every level gives three times the false alarms that it promises
    tracker = Tracker.at(0.02)
    for _ in range(200):
        tracker.learn(3.0 * tracker.level)
    assert 3.0 * tracker.level == pytest.approx(0.02, rel=0.05)


def test_the_level_stays_within_its_bounds_whatever_verdicts_say():
    tracker = Tracker.at(0.01)
    for _ in range(50):
        tracker.learn(1.0)
    assert tracker.level == 0.0025
    for _ in range(500):
        tracker.learn(0.0)
    assert tracker.level == 0.02


def test_a_threshold_keeps_the_promised_rate_although_odd_rows_are_asked_about_more_often():
    draw = np.random.default_rng(4)
    threshold, alarms, seen = Threshold(Tracker.at(0.02), first=3.0), 0, 0
    for block in range(60):
        scores = draw.normal(size=1_000)
        if block >= 30:
            alarms, seen = alarms + int((scores >= threshold.value()).sum()), seen + 1_000
        chance = np.where(scores > 1.0, 0.2, 0.02)
        asked = draw.random(1_000) < chance
        threshold.learn(scores[asked].tolist(), (1 / chance[asked]).tolist())
    assert 0.015 < alarms / seen < 0.025


def test_a_threshold_is_as_sure_as_what_lies_beyond_it_however_heavy_the_rows_below():
    def after(heavy: float) -> float:
        threshold = Threshold(Tracker.at(0.01), first=5.0)
        # 40 rows that stand for themselves lie beyond; the 120 below stand for 3,960, evenly or not
        weights = [1.0] * 40 + [heavy] * 60 + [66.0 - heavy] * 60
        threshold.learn([1.0] * 40 + [-1.0] * 120, weights)
        return threshold.value()

    assert after(33.0) == after(6.0) == after(60.0)
    assert 1.0 < after(33.0) < 1.6


def test_weights_undo_what_was_asked_about_too_often():
    assert weighted_error([True, True, False], [1.0, 1.0, 98.0]) == 0.02
    assert weighted_error([], []) == 0.0


def test_a_site_that_changes_as_a_whole_leaves_only_the_odd_one_out():
    evening = [0.01 + 0.002 * k for k in range(20)]
    null = Null.of(evening, least=12)
    assert all(null.adjusted(p) > 0.05 for p in evening)
    assert null.adjusted(0.00001) < 0.01


def test_hosts_as_usual_are_judged_by_the_theoretical_null():
    usual = [(k + 0.5) / 40 for k in range(40)]
    assert Null.of(usual, least=12) == THEORETICAL
    assert Null.of([0.001] * 11, least=12) == THEORETICAL
    assert THEORETICAL.adjusted(0.0123) == 0.0123


def test_severities_begin_where_their_table_says():
    for severity in SEVERITIES:
        assert severity_of(severity.least) == severity
