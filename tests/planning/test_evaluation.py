"""What another policy would have achieved."""

from __future__ import annotations

import numpy as np
import pytest

from bench.response import compared, run
from engine.planning.evaluation import Log, doubly_robust, inverse_propensity, predict

TRUTH = np.array([[0.8, 0.3, 0.5], [0.2, 0.6, 0.4]])
LOGGED = np.array([[0.6, 0.2, 0.2], [0.6, 0.3, 0.1]])
WANTED = np.array([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])


def recorded(seed: int, count: int = 600) -> tuple[Log, np.ndarray]:
    draw = np.random.default_rng(seed)
    kinds = draw.integers(2, size=count)
    chosen = np.array([draw.choice(3, p=LOGGED[kind]) for kind in kinds])
    reward = (draw.random(count) < TRUTH[kinds, chosen]).astype(float)
    return Log(chosen=chosen, propensity=LOGGED[kinds, chosen], reward=reward, target=WANTED[kinds]), kinds


def test_both_intervals_hold_the_truth_and_the_doubly_robust_one_is_narrower():
    truth = float((WANTED * TRUTH).sum() / 2)
    held, wide = [], []
    for seed in range(30):
        log, kinds = recorded(seed)
        robust = doubly_robust(log, predict(kinds, np.zeros_like(kinds), log))
        plain = inverse_propensity(log)
        held.append([robust.low <= truth <= robust.high, plain.low <= truth <= plain.high])
        wide.append([robust.high - robust.low, plain.high - plain.low])
    assert (np.mean(held, axis=0) >= 0.85).all()
    assert np.mean(wide, axis=0)[0] < np.mean(wide, axis=0)[1]


def test_right_predictions_make_up_for_wrong_propensities():
    log, kinds = recorded(1, 4_000)
    wrong = Log(chosen=log.chosen, propensity=np.full(4_000, 0.9), reward=log.reward, target=log.target)
    truth = float((WANTED * TRUTH).sum() / 2)
    assert doubly_robust(wrong, TRUTH[kinds]).value == pytest.approx(truth, abs=0.03)
    assert abs(inverse_propensity(wrong).value - truth) > 0.1


def test_right_propensities_make_up_for_wrong_predictions():
    log, _ = recorded(2, 4_000)
    truth = float((WANTED * TRUTH).sum() / 2)
    assert doubly_robust(log, np.full((4_000, 3), 0.95)).value == pytest.approx(truth, abs=0.06)


def test_a_prediction_never_looks_at_its_own_outcome():
    log, kinds = recorded(3, 50)
    turned = Log(
        chosen=log.chosen, propensity=log.propensity, reward=np.append(log.reward[:-1], 1 - log.reward[-1]),
        target=log.target,
    )  # fmt: skip
    np.testing.assert_array_equal(predict(kinds, kinds, log), predict(kinds, kinds, turned))


def test_the_policy_that_wrote_the_log_rests_on_every_record():
    log, kinds = recorded(4)
    same = Log(chosen=log.chosen, propensity=log.propensity, reward=log.reward, target=LOGGED[kinds])
    assert inverse_propensity(same).value == pytest.approx(log.reward.mean(), abs=1e-6)
    assert inverse_propensity(same).effective == 600.0


@pytest.mark.parametrize("propensity", [np.array([0.5, 0.0]), np.array([0.5])])
def test_a_log_that_says_nothing_is_refused(propensity):
    count = len(propensity)
    with pytest.raises(ValueError, match="propensity above 0"):
        Log(chosen=np.zeros(count, int), propensity=propensity, reward=np.ones(count), target=np.ones((count, 1)))


def test_the_benchmark_repeats_itself_and_the_oracle_bounds_it():
    first, again = run(1001, 0.4, 120), run(1001, 0.4, 120)
    np.testing.assert_array_equal(first.chosen, again.chosen)
    assert (first.got <= first.oracle).all()
    assert compared([first], "poor")["poor_headroom_percent"] > 0
