"""Ranked once or ranked anew: the consensus is the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from engine.verdict.consensus import consensus
from engine.verdict.ranks import Ranks


@pytest.mark.parametrize("models", [1, 2, 3, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_the_consensus_is_that_of_ranking_everything_anew(models: int, ties: bool) -> None:
    draw = np.random.default_rng(models)

    def row() -> np.ndarray:
        scores = draw.integers(0, 6, models).astype(float) if ties else draw.normal(size=models)
        scores[draw.random(models) < 0.15] = np.nan
        return scores

    known = np.array([row() for _ in range(99)])
    ranks = Ranks(known, 160)
    for _ in range(60):
        new = row()
        assert ranks.consensus(new) == consensus(known, new)
        ranks.add(new)
        known = np.vstack([known, new])
    assert len(ranks) == 159


def test_a_row_that_every_model_abstained_on_is_no_surprise() -> None:
    ranks = Ranks(np.zeros((99, 2)), 99)
    assert ranks.consensus(np.array([np.nan, np.nan])).p == 1.0
