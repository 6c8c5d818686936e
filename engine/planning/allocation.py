"""Who works which incident: limited responders over open incidents.

Rules:
    1. An incident has one responder at most; a responder takes what fits the capacity. Only pairs that are allowed
       (skills) and are worth something count. The sum of the values is what is made as large as possible.
    2. It is a generalised assignment problem, NP-hard, solved exactly by branch and cut within a time limit; the plan
       says whether it is proven to be the best. [Martello, Toth: Knapsack problems, 1990, ch. 7; Huangfu, Hall:
       Parallelizing the dual revised simplex method, 2018, for HiGHS, which `scipy.optimize.milp` calls]
    3. The greedy plan, highest value for its load first, is made in any case: it is what stands when the solver finds
       nothing better in time. So a plan is never worth less than the greedy one.
    4. Ties go to the incident, then the responder, with the smaller index: give both in an order of their own (the
       gravest incident first). A plan depends on the clock only where the time limit was met (`proven` is False).

    >>> value = np.array([[6.0, 5.0], [9.0, 1.0]])               # incidents x responders
    >>> load = np.array([[2.0, 2.0], [2.0, 2.0]])
    >>> greedy(value, load, np.array([2.0, 2.0])).chosen
    (1, 0)
    >>> allocate(value, load, np.array([2.0, 0.0]))
    Plan(chosen=(-1, 0), value=9.0, proven=True, method='milp')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLACK: Final = 1e-6
"""Tolerance of capacities and whole numbers, relative to the capacity: that of the solver."""

NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """An assignment.

    Attributes:
        chosen: for every incident the index of its responder, or -1.
        value: sum of the values.
        proven: whether no assignment is worth more.
        method: who made it.
    """

    chosen: tuple[int, ...]
    value: float
    proven: bool
    method: Literal["milp", "greedy"]


def allocate(value: Floats, load: Floats, capacity: Floats, *, seconds: float = 2.0) -> Plan:
    """The best assignment that is found within the time limit.

    Args:
        value: of each pair, shape (incidents, responders); 0 or less, or not finite: not allowed.
        load: what each pair takes of the capacity, 0 or more, the same shape.
        capacity: of each responder, shape (responders,).
        seconds: wall-clock limit of the solver.

    Raises:
        ValueError: the shapes do not fit each other, or a load or capacity is negative or no number.
    """
    allowed = _allowed(value, load, capacity)
    fallback = greedy(value, load, capacity)
    if not allowed.any():
        return Plan(fallback.chosen, fallback.value, proven=True, method="greedy")
    found, proven = _solve(value, load, capacity, allowed, seconds)
    if found is not None and _fits(found, load, capacity):
        worth = _worth(found, value)
        if worth > fallback.value or (proven and worth >= fallback.value):
            return Plan(found, worth, proven, "milp")
    return Plan(fallback.chosen, fallback.value, proven=False, method="greedy")


def greedy(value: Floats, load: Floats, capacity: Floats) -> Plan:
    """Pairs by value for their load, the best first, each if it still fits. Arguments and errors as of `allocate`."""
    allowed = _allowed(value, load, capacity)
    left = capacity.astype(float)
    chosen = [NOBODY] * len(value)
    pairs = [(incident, responder) for incident, responder in np.argwhere(allowed).tolist()]
    pairs.sort(key=lambda pair: (-_ratio(float(value[pair]), float(load[pair])), -float(value[pair]), pair))
    for incident, responder in pairs:
        if chosen[incident] == NOBODY and load[incident, responder] <= left[responder]:
            chosen[incident] = responder
            left[responder] -= load[incident, responder]
    return Plan(tuple(chosen), _worth(tuple(chosen), value), proven=False, method="greedy")


def _allowed(value: Floats, load: Floats, capacity: Floats) -> NDArray[np.bool_]:
    if value.ndim != 2 or value.shape != load.shape or capacity.shape != value.shape[1:]:
        raise ValueError(
            f"value {value.shape}, load {load.shape} and capacity {capacity.shape} do not fit: give (incidents, "
            "responders) twice and (responders,)"
        )
    if not (np.isfinite(load).all() and np.isfinite(capacity).all() and (load >= 0).all() and (capacity >= 0).all()):
        raise ValueError("loads and capacities are finite numbers of 0 or more")
    return np.asarray(np.isfinite(value) & (value > 0.0) & (load <= capacity))


def _ratio(value: float, load: float) -> float:
    return value / load if load > 0.0 else float("inf")


def _worth(chosen: tuple[int, ...], value: Floats) -> float:
    return float(sum(value[incident, responder] for incident, responder in enumerate(chosen) if responder != NOBODY))


def _fits(chosen: tuple[int, ...], load: Floats, capacity: Floats) -> bool:
    taken = np.zeros(len(capacity))
    for incident, responder in enumerate(chosen):
        if responder != NOBODY:
            taken[responder] += load[incident, responder]
    return bool((taken <= capacity * (1.0 + SLACK)).all())


def _solve(
    value: Floats, load: Floats, capacity: Floats, allowed: NDArray[np.bool_], seconds: float
) -> tuple[tuple[int, ...] | None, bool]:
    """The solver's assignment, if it found one, and whether it is proven to be the best."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    pairs = np.argwhere(allowed)
    columns = np.arange(len(pairs))
    once = csr_array((np.ones(len(pairs)), (pairs[:, 0], columns)), shape=(len(value), len(pairs)))
    within = csr_array((load[allowed], (pairs[:, 1], columns)), shape=(len(capacity), len(pairs)))
    answer = milp(
        -value[allowed],
        integrality=np.ones(len(pairs)),
        bounds=Bounds(0.0, 1.0),
        constraints=[LinearConstraint(once, ub=1.0), LinearConstraint(within, ub=capacity)],
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    if answer.x is None:
        return None, False
    chosen = [NOBODY] * len(value)
    for incident, responder in pairs[answer.x > 0.5].tolist():
        chosen[incident] = responder
    return tuple(chosen), answer.status == 0
