"""Learning from few verdicts: which rows are asked about, what is made of them, and that no other label counts."""

from __future__ import annotations

import numpy as np
import pytest

from bench.feedback import ASKED, learn_along
from engine.models.commonness import Commonness, keys_of
from engine.models.supervised import SEEN, Supervised
from engine.verdict.asking import alike, chances, draw

DRAW = np.random.default_rng(3)
ROWS = DRAW.normal(size=(600, 4)).astype(np.float32)
ROWS[300:, 3] = 0.125  # a value that repeats, and says "harmless"
ATTACK = np.arange(600) < 300
ONE_EACH = np.ones(500, int)
DISTANCE, NOVELTY = DRAW.normal(scale=4.0, size=500), DRAW.random(500)


@pytest.fixture(scope="module")
def model():
    some = np.arange(0, 600, 3)
    return Supervised.fit(ROWS[some], ATTACK[some], 7, seen=ROWS)


def test_every_row_may_be_asked_about_and_the_chances_add_up_to_the_questions():
    chance = chances(DISTANCE, NOVELTY, ONE_EACH, 40)
    assert chance.min() > 0
    assert chance.max() <= 1
    assert chance.sum() == pytest.approx(40)


def test_rows_are_drawn_as_often_as_their_chance_says_and_never_fewer_than_asked_for():
    chance = chances(DISTANCE, NOVELTY, ONE_EACH, 40)
    random, times = np.random.default_rng(1), np.zeros(500)
    for _ in range(2_000):
        asked = draw(random, chance)
        assert len(asked) == 40
        times[asked] += 1
    assert np.abs(times / 2_000 - chance).max() < 0.05


def test_the_least_certain_rows_and_the_most_novel_ones_called_normal_are_asked_about_most():
    chance = chances(DISTANCE, NOVELTY, ONE_EACH, 40)
    sure = np.abs(DISTANCE) > 4
    novel = (DISTANCE < 0) & (NOVELTY < 0.05)
    assert chance[np.abs(DISTANCE) < 0.5].min() > 5 * np.median(chance[sure])
    assert chance[sure & novel].min() > 2 * np.median(chance[sure & (DISTANCE > 0)])


def test_a_model_that_is_too_sure_asks_the_same_questions():
    surer = chances(10.0 * DISTANCE, NOVELTY, ONE_EACH, 40)
    assert surer.tobytes() == chances(DISTANCE, NOVELTY, ONE_EACH, 40).tobytes()


def test_rows_that_are_alike_share_the_chance_of_one():
    repeated = ONE_EACH.copy()
    near = int(np.abs(DISTANCE).argmin())
    repeated[near] = 9
    assert chances(DISTANCE, NOVELTY, repeated, 40)[near] < chances(DISTANCE, NOVELTY, ONE_EACH, 40)[near] / 3


def test_more_questions_than_uncertain_rows_ask_these_for_certain():
    chance = chances(np.where(np.arange(100) < 5, 0.0, 50.0), np.ones(100), np.ones(100, int), 30)
    assert chance[:5].tolist() == [1.0] * 5
    assert chance.sum() == pytest.approx(30)


def test_what_a_block_repeats_is_counted_in_it_and_among_the_judged():
    keys = keys_of(np.array([[1, 2], [1, 2], [0.0, 5], [-0.0, 5], [2, 1]], np.float32))
    assert alike(keys, keys[[0, 4, 4]]).tolist() == [3, 3, 2, 2, 3]


def test_commonness_counts_values_and_whole_rows_by_the_thousand():
    seen = np.repeat(np.arange(20, dtype=np.float32)[:, None], 2, axis=1)
    seen = np.concatenate([seen, seen[:10], seen[:10]])
    made = np.expm1(Commonness.of(seen).apply(np.array([[3, 3], [3, 4], [15, 15]], np.float32)))
    assert made.round().tolist() == [[75, 75, 75], [75, 75, 0], [0, 0, 0]]


def test_a_score_does_not_depend_on_the_rows_scored_with_it(model):
    together = model.score(ROWS)
    for size in (1, 7, 599):
        parts = [model.score(ROWS[at : at + size]) for at in range(0, 60 if size == 1 else 600, size)]
        assert np.concatenate(parts).tobytes() == together[: 60 if size == 1 else 600].tobytes()


def test_the_same_verdicts_and_the_same_rows_give_the_same_scores(model):
    some = np.arange(0, 600, 3)
    earlier = np.full((SEEN, 4), 9.0, np.float32)
    # what lies before the last rows that are counted changes nothing
    padded = np.concatenate([earlier, np.resize(ROWS, (SEEN, 4))])
    again = Supervised.fit(ROWS[some], ATTACK[some], 7, seen=padded[-SEEN:])
    assert Supervised.fit(ROWS[some], ATTACK[some], 7, seen=padded).score(ROWS).tobytes() == again.score(ROWS).tobytes()
    assert Supervised.fit(ROWS[some], ATTACK[some], 7, seen=ROWS).score(ROWS).tobytes() == model.score(ROWS).tobytes()


def test_rows_without_verdicts_teach_what_is_common(model):
    # 0.125 came in half of the rows seen; a value beside it, on the same side of every cut between others, came never
    common, strange = np.zeros((2, 4), np.float32)
    common[3], strange[3] = 0.125, 0.1249
    scores = model.score(np.array([common, strange]))
    assert scores[1] > scores[0] + 1


def test_no_verdict_but_those_asked_for_has_a_part_in_what_is_decided():
    rows = np.tile(ROWS, (2, 1))[np.random.default_rng(2).permutation(1_200)]
    truth = rows[:, 3] != 0.125
    asked = _Noted(truth)
    first = learn_along(rows, np.full(1_200, 0.5), asked, promise=0.01, block=300, seed=5)
    told = np.unique(asked.looked_up)
    other = ~truth
    other[told] = truth[told]
    second = learn_along(rows, np.full(1_200, 0.5), other, promise=0.01, block=300, seed=5)
    assert first.verdicts == len(told) == round(ASKED * 1_200)
    assert first.flagged.tobytes() == second.flagged.tobytes()
    assert np.mean(first.flagged[600:] == truth[600:]) > 0.9


class _Noted:
    """Verdicts that note which of them were looked up."""

    def __init__(self, truth):
        self._truth, self.looked_up = truth, []

    def __getitem__(self, rows):
        self.looked_up.extend(np.asarray(rows).tolist())
        return self._truth[rows]
