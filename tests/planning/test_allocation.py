"""Who works which incident."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.planning import allocation
from engine.planning.allocation import NOBODY, Plan, allocate, greedy


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    incidents, responders = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    size = incidents * responders
    values = draw(st.lists(st.integers(-2, 20), min_size=size, max_size=size))
    loads = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    capacity = draw(st.lists(st.integers(0, 10), min_size=responders, max_size=responders))
    shape = (incidents, responders)
    return np.array(values, float).reshape(shape), np.array(loads, float).reshape(shape), np.array(capacity, float)


def fits(plan: Plan, value: np.ndarray, load: np.ndarray, capacity: np.ndarray) -> bool:
    taken = np.zeros(len(capacity))
    for incident, responder in enumerate(plan.chosen):
        if responder != NOBODY:
            assert value[incident, responder] > 0
            taken[responder] += load[incident, responder]
    return bool((taken <= capacity * (1 + 1e-6)).all())


def brute_force(value: np.ndarray, load: np.ndarray, capacity: np.ndarray) -> float:
    best = 0.0
    for chosen in product(range(-1, len(capacity)), repeat=len(value)):
        taken, worth = np.zeros(len(capacity)), 0.0
        for incident, responder in enumerate(chosen):
            if responder != NOBODY:
                taken[responder] += load[incident, responder]
                worth += value[incident, responder]
        if (taken <= capacity).all():
            best = max(best, worth)
    return best


@settings(max_examples=20, deadline=None)
@given(problems())
def test_a_small_plan_is_worth_what_trying_all_assignments_finds(problem):
    plan = allocate(*problem)
    assert fits(plan, *problem)
    assert plan.proven
    assert plan.value == pytest.approx(brute_force(*problem))


def a_large_problem(seed: int, incidents: int = 30, responders: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (incidents, responders)
    value = random.uniform(1, 10, shape) * (random.random(shape) < 0.7)
    return value, random.uniform(0.5, 3, shape), random.uniform(2, 6, responders)


@pytest.mark.parametrize("seed", range(4))
def test_a_plan_fits_and_is_never_worth_less_than_the_greedy_one(seed):
    problem = a_large_problem(seed)
    plan, first = allocate(*problem, seconds=0.3), greedy(*problem)
    assert fits(plan, *problem)
    assert fits(first, *problem)
    assert plan.value >= first.value


def test_the_greedy_plan_stands_when_there_is_no_time():
    problem = a_large_problem(7, 200, 20)
    plan = allocate(*problem, seconds=0.0)
    assert plan == greedy(*problem)
    assert (plan.method, plan.proven) == ("greedy", False)


def test_the_greedy_plan_stands_when_the_solver_is_worse(monkeypatch):
    problem = a_large_problem(3)
    monkeypatch.setattr(allocation, "_solve", lambda value, *_: ((NOBODY,) * len(value), False))
    assert allocate(*problem) == greedy(*problem)


def test_the_same_problem_gives_the_same_plan():
    value, load, capacity = np.ones((6, 3)), np.ones((6, 3)), np.full(3, 2.0)
    assert allocate(value, load, capacity) == allocate(value, load, capacity)
    assert greedy(value, load, capacity).chosen == (0, 0, 1, 1, 2, 2)


def test_nothing_is_assigned_where_nothing_is_allowed():
    plan = allocate(np.array([[0.0, np.nan], [-1.0, 5.0]]), np.full((2, 2), 3.0), np.array([9.0, 2.0]))
    assert plan == Plan((NOBODY, NOBODY), 0.0, proven=True, method="greedy")


@pytest.mark.parametrize(
    ("load", "capacity"),
    [(np.ones((1, 2)), np.ones(1)), (np.array([[-1.0]]), np.ones(1)), (np.ones((1, 1)), -np.ones(1))],
)
def test_what_does_not_fit_together_is_refused(load, capacity):
    with pytest.raises(ValueError, match="capacit"):
        allocate(np.ones((1, 1)), load, capacity)
