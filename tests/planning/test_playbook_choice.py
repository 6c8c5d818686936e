"""Which playbook is proposed, with which chance, and what an outcome teaches."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.planning import playbook_choice
from engine.planning.playbook_choice import Candidate, Policy, State, best, choose, expect, learn

BLOCK = Candidate(playbook="block", success=0.7, duration=60.0, cost=2.0)
ISOLATE = Candidate(playbook="isolate", success=0.6, duration=300.0, cost=6.0)
WIPE = Candidate(playbook="wipe", success=0.5, duration=900.0, cost=9.0, reversible=False)
THREE = [BLOCK, ISOLATE, WIPE]

outcomes = st.tuples(
    st.sampled_from(["beacon", "flood"]),
    st.sampled_from(["server", "client"]),
    st.sampled_from(["block", "isolate", "wipe"]),
    st.booleans(),
)


def taught(*told: tuple[str, str, str, bool], times: int = 1) -> State:
    state = State()
    for kind, asset_class, playbook, success in told * times:
        state = learn(state, kind, asset_class, playbook, success=success, seconds=10.0, cost=1.0)
    return state


USUAL = Policy()


def shares(state: State, policy: Policy = USUAL) -> tuple[float, ...]:
    return choose(state, "beacon", "server", THREE, 0, policy=policy).shares


@settings(max_examples=30, deadline=None)
@given(st.lists(outcomes, max_size=40), st.integers(0, 2**40))
def test_chances_sum_to_one_and_the_propensity_is_the_chance_of_the_choice(told, seed):
    choice = choose(taught(*told), "beacon", "server", THREE, seed)
    assert sum(choice.shares) == pytest.approx(1.0, abs=1e-5)
    assert choice.propensity == choice.shares[[each.playbook for each in THREE].index(choice.playbook)] > 0


@settings(max_examples=20, deadline=None)
@given(st.lists(outcomes, max_size=playbook_choice.FIRST), st.randoms(use_true_random=False))
def test_the_order_of_outcomes_between_two_weighings_decides_nothing(told, shuffle):
    other = list(told)
    shuffle.shuffle(other)
    first = choose(taught(*told), "beacon", "server", THREE, 3)
    assert choose(taught(*other), "beacon", "server", THREE, 3) == first


def test_choices_come_as_often_as_their_chances_say():
    state = taught(("beacon", "server", "block", False), ("beacon", "server", "isolate", True), times=2)
    seen = [choose(state, "beacon", "server", THREE, seed).playbook for seed in range(400)]
    counted = [seen.count(each.playbook) / 400 for each in THREE]
    assert counted == pytest.approx(shares(state), abs=0.07)


def test_before_anything_is_learned_the_expert_is_followed_but_for_exploration():
    choice = choose(State(), "beacon", "server", THREE, 1)
    assert choice.expert == "block"
    assert choice.shares[0] >= 1 - Policy().explore
    assert min(choice.shares[:2]) > 0


def test_a_playbook_that_cannot_be_taken_back_is_never_explored():
    assert shares(State())[2] == 0.0


def test_the_expert_is_left_when_another_is_better_with_enough_probability():
    state = taught(("beacon", "server", "block", False), ("beacon", "server", "isolate", True), times=20)
    assert shares(state)[1] > 0.9
    assert best(state, "beacon", "server", THREE) == "isolate"


def test_the_guard_keeps_the_expert_where_better_is_not_sure_enough():
    state = taught(("beacon", "server", "block", False), ("beacon", "server", "isolate", True), times=2)
    bold, careful = (shares(state, Policy(guard=guard, explore=0.0, temper=0.0)) for guard in (0.5, 0.9999))
    assert bold == (0.0, 1.0, 0.0)
    assert careful == (1.0, 0.0, 0.0)


def test_an_irreversible_playbook_may_be_chosen_only_on_evidence():
    state = taught(("beacon", "server", "wipe", True), ("beacon", "server", "block", False), times=25)
    assert shares(state)[2] > 0.5


def test_what_a_playbook_does_to_one_kind_is_expected_a_little_of_others():
    state = taught(("flood", "server", "block", False), times=30)
    before, there = expect(State(), "beacon", "server", BLOCK)[0], expect(state, "flood", "server", BLOCK)[0]
    here = expect(state, "beacon", "server", BLOCK)[0]
    assert there.mean < here.mean < before.mean


def test_intervals_narrow_with_what_is_learned_and_hold_the_mean():
    state = taught(("beacon", "server", "block", True), ("beacon", "server", "block", False), times=40)
    for first, later in zip(
        expect(State(), "beacon", "server", BLOCK), expect(state, "beacon", "server", BLOCK), strict=True
    ):
        assert later.high - later.low < first.high - first.low
        assert later.low <= later.mean <= later.high


def test_a_table_that_proves_wrong_is_believed_less_where_nothing_was_seen():
    sure = Candidate(playbook="new", success=0.95, duration=1.0, cost=1.0)
    state = State()
    for name in ("a", "b", "c", "d"):
        for _ in range(20):
            state = learn(
                state, "flood", "server", name, success=False, seconds=1.0, cost=1.0,
                documented=Candidate(playbook=name, success=0.95, duration=1.0, cost=1.0),
            )  # fmt: skip
    assert expect(state, "beacon", "client", sure)[0].mean < expect(State(), "beacon", "client", sure)[0].mean - 0.05


def test_the_less_there_is_to_be_learned_the_less_is_explored():
    known = taught(("beacon", "server", "block", True), times=300)
    known = learn_all(known, ("beacon", "server", "isolate", False), times=300)
    policy = Policy(explore=0.5, worth=0.06, uniform=0.1)
    early, late = shares(State(), policy), shares(known, policy)
    assert late[1] < 0.1 * early[1]
    assert late[1] > 0.0


def test_the_experts_choice_keeps_a_chance_however_bad_it_looks():
    state = taught(("beacon", "server", "block", False), ("beacon", "server", "isolate", True), times=200)
    policy = Policy(explore=0.2, uniform=0.1)
    assert shares(state, policy)[0] >= 0.2 * 0.1 / 2


def test_what_is_believed_of_classes_is_given_up_where_they_do_not_matter_and_kept_where_they_do():
    kinds, classes = "abcd", ("server", "client", "printer")
    same = taught(
        *((kind, held, "block", won) for kind in kinds for held in classes for won in (True, False)), times=40
    )
    differ = taught(*((kind, held, "block", held == "server") for kind in kinds for held in classes), times=80)
    assert same.factors[1] < 0.3
    assert differ.factors[1] == 1.0


def test_documents_that_prove_right_are_believed_more_closely_than_those_that_prove_wrong():
    def learned(rates: dict[str, float]) -> State:
        state = State()
        for kind, rate in rates.items():
            for number in range(200):
                documented = Candidate(playbook="block", success=0.6, duration=1.0, cost=1.0)
                state = learn(
                    state, kind, "server", "block", success=number % 10 < 10 * rate, seconds=1.0, cost=1.0,
                    documented=documented,
                )  # fmt: skip
        return state

    right, wrong = learned(dict.fromkeys("abcdef", 0.6)), learned(dict(zip("abcdef", (0.1, 0.9) * 3, strict=True)))
    assert right.factors[0] < 0.6 < wrong.factors[0]


def learn_all(state: State, told: tuple[str, str, str, bool], times: int) -> State:
    kind, asset_class, playbook, success = told
    for _ in range(times):
        state = learn(state, kind, asset_class, playbook, success=success, seconds=10.0, cost=1.0)
    return state


def test_a_state_that_was_dumped_and_loaded_goes_on_as_before():
    state = taught(("beacon", "server", "block", True), ("flood", "client", "wipe", False), times=3)
    loaded = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    assert choose(loaded, "beacon", "server", THREE, 5) == choose(state, "beacon", "server", THREE, 5)
    again = [
        learn(each, "beacon", "server", "isolate", success=True, seconds=3.0, cost=0.0) for each in (state, loaded)
    ]
    assert again[0] == again[1]


def test_a_state_is_bounded_and_forgets_the_cell_with_the_fewest_outcomes(monkeypatch):
    monkeypatch.setattr(playbook_choice, "CELLS", 3)
    state = taught(("k", "a", "often", True), times=5)
    for name in ("x", "y", "z"):
        state = learn(state, "k", "a", name, success=True, seconds=1.0, cost=1.0)
    assert set(state.cells) == {("k", "a", "often"), ("k", "a", "y"), ("k", "a", "z")}


def test_without_candidates_there_is_nothing_to_choose():
    with pytest.raises(ValueError, match="no playbook"):
        choose(State(), "beacon", "server", [], 1)


def test_the_posterior_agrees_with_one_solved_over_all_cells_at_once():
    """The small systems by playbook give what one dense system over every cell gives."""
    from engine.planning.posterior import STANDARD, UNDOCUMENTED, Cell, believe, logit, priors

    draw = random.Random(4)
    places = [(kind, held) for kind in "ab" for held in "xy"]
    cells = {
        (*place, name): Cell(documented=draw.uniform(0.2, 0.9), trials=n, successes=draw.randint(0, n))
        for place in places
        for name, n in (("p", draw.randint(1, 9)), ("q", draw.randint(1, 9)))
    }
    first = {name: cells["a", "x", name].documented for name in ("p", "q")}
    belief = believe(cells, ("a", "x"), first, STANDARD)
    keys = [(place, name) for name in ("p", "q") for place in places]
    told = [cells[*place, name] for place, name in keys]
    own, shared = priors(places, STANDARD)
    prior = np.array([each.documented for each in told])
    trials, successes = (np.array([getattr(each, what) for each in told], float) for what in ("trials", "successes"))
    trust = logit(prior) - logit(np.array(UNDOCUMENTED))
    loads = np.column_stack([np.tile(np.eye(4), (2, 1)), np.ones(8), trust])
    covariance = np.kron(np.eye(2), own) + loads @ shared @ loads.T
    rate = (successes + 4 * prior) / (trials + 4)
    weight = trials * rate * (1 - rate)
    response = logit(rate) - logit(prior) + (successes - trials * rate) / weight
    gain = covariance @ np.linalg.inv(covariance + np.diag(1 / weight))
    mean, left = logit(prior) + gain @ response, covariance - gain @ covariance
    here = [keys.index((("a", "x"), name)) for name in ("p", "q")]
    np.testing.assert_allclose(belief.mean, mean[here], rtol=1e-9)
    np.testing.assert_allclose(belief.covariance, left[np.ix_(here, here)], rtol=1e-9)
