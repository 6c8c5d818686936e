import msgspec
import numpy as np
import pytest

from engine.models.conformal import Ring, p_value


def test_ninety_nine_known_scores_are_the_fewest_that_reach_one_per_cent() -> None:
    assert p_value(1.0, np.zeros(99)) == 0.01
    assert p_value(1.0, np.zeros(98)) > 0.01


def test_a_tie_counts_against_the_new_score() -> None:
    assert p_value(0.5, np.full(99, 0.5)) == 1.0


@pytest.mark.parametrize("bound", [0.01, 0.05, 0.2])
def test_the_share_of_p_values_below_a_bound_is_at_most_the_bound(bound: float) -> None:
    draw = np.random.default_rng(3)
    share = np.mean([p_value(scores[0], scores[1:]) <= bound for scores in draw.normal(size=(20_000, 200))])
    assert 0.7 * bound < share < 1.25 * bound


def test_a_ring_keeps_the_last_rows_also_after_it_was_stored() -> None:
    ring = Ring(size=3, width=2, dtype="<f4")
    for i in range(4):
        ring.add([i, -i])
    ring = msgspec.msgpack.decode(msgspec.msgpack.encode(ring), type=Ring)
    ring.add([4, -4])
    assert sorted(ring.rows()[:, 0].tolist()) == [2, 3, 4]
    assert len(ring) == 3


def test_a_cleared_ring_is_empty() -> None:
    ring = Ring(size=3, width=1, dtype="<f8")
    ring.add([1.0])
    ring.clear()
    assert len(ring) == 0
    assert ring.rows().shape == (0, 1)
