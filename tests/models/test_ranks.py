"""Ranked once or ranked anew, alone or many together: the consensus is the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from engine.verdict.consensus import consensus
from engine.verdict.ranks import Ranks

ROOM = 160
PLACES = 5


@pytest.mark.parametrize("models", [1, 2, 3, 4])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("abstain", [0.0, 0.15])
def test_the_consensus_is_that_of_ranking_everything_anew(models: int, ties: bool, abstain: float) -> None:
    draw = np.random.default_rng(models)

    def row() -> np.ndarray:
        scores = draw.integers(0, 6, models).astype(float) if ties else draw.normal(size=models)
        scores[draw.random(models) < abstain] = np.nan
        return scores.astype(np.float32).astype(float)

    ranks, known = Ranks(models, ROOM), {place: np.empty((0, models)) for place in range(PLACES)}
    for turn in range(ROOM):
        places = np.array([place for place in known if draw.random() < 0.9 and len(known[place]) < ROOM])
        new = np.array([row() for _ in places])
        if turn > 20:
            found = ranks.consensus(places, new)
            expected = [consensus(known[place], new[k]) for k, place in enumerate(places)]
            assert [(p, found.votes(k)) for k, p in enumerate(found.p)] == expected
        ranks.add(places, new)
        for k, place in enumerate(places):
            known[place] = np.vstack([known[place], new[k]])
        if turn == 100:
            ranks.put(2, known[2][:50], 50)  # a baseline that a verdict changed
            known[2] = known[2][:50]
    assert all(np.array_equal(ranks.rows(place), known[place], equal_nan=True) for place in known)


def test_a_row_that_every_model_abstained_on_is_no_surprise() -> None:
    ranks = Ranks(2, 99)
    ranks.put(0, np.zeros((99, 2)), 0)
    assert ranks.consensus(np.array([0]), np.array([[np.nan, np.nan]])).p == [1.0]


def test_a_model_that_leaves_takes_its_votes_along() -> None:
    draw = np.random.default_rng(1)
    rows, new, places = draw.normal(size=(120, 3)).astype(np.float32), draw.normal(size=(1, 3)), np.array([0])
    ranks = Ranks(3, 200)
    for row in rows:
        ranks.add(places, row.reshape(1, -1))
    ranks.drop(1)
    rest = [0, 2]
    assert ranks.consensus(places, new[:, rest]).p == [consensus(rows[:, rest].astype(float), new[0, rest]).p]
