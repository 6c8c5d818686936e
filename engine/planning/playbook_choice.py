"""Which playbook to propose for an incident: guarded, warm-started, hierarchical Thompson sampling.

Rules:
    1. What is documented of a playbook is where learning begins; `Spread` says how far the truth may lie from it. The
       expert's choice is the candidate with the highest documented success (ties: the one named first).
    2. Success is learned by kind of threat, class of asset and playbook; an outcome also teaches, less, about the same
       playbook elsewhere and about how hard this kind is on this class (`engine.planning.posterior`).
    3. Most of the time (1 - `explore`) the best-looking playbook is chosen, but another than the expert's only if it is
       better with a probability above `guard`. Which one looks best is drawn from what is believed (Thompson sampling),
       with its deviations times `temper`: below 1 it is bolder in using what it knows.
    4. With probability `explore` the draw is free of the guard, but only among reversible playbooks. It is less when
       there is less to be learned: in proportion to what knowing the truth would be worth, where that is below `worth`.
       A share, `uniform`, does not depend on what is believed: half of it goes to the expert's choice, half is even
       among the reversible playbooks. So each keeps a chance that is not zero, and the documents can always be judged.
    5. The chances of all candidates are computed first (`Choice.shares`), and the choice is drawn from exactly these by
       the passed seed: the recorded propensity is no estimate. It is what off-policy evaluation divides by.
    6. How much kinds and classes matter at all is weighed anew from time to time (`engine.planning.scales`).
    7. An outcome changes one cell of counts. Between two weighings the state does not depend on the order of outcomes.
       It holds at most `CELLS` cells; beyond that the cell with the fewest outcomes makes room.

Thompson: On the likelihood that one unknown probability exceeds another in view of the evidence of two samples,
Biometrika 1933. Agrawal, Goyal: Thompson sampling for contextual bandits with linear payoffs, ICML 2013. Russo et al.:
A tutorial on Thompson sampling, Foundations and Trends in Machine Learning 2018. Hong et al.: Hierarchical Bayesian
bandits, AISTATS 2022. Kazerouni et al.: Conservative contextual linear bandits, NeurIPS 2017 (a baseline that is left
only on evidence; our guard is a probability, not their bound on the summed loss).

    >>> block = Candidate(playbook="block", success=0.7, duration=60.0, cost=2.0)
    >>> isolate = Candidate(playbook="isolate", success=0.6, duration=300.0, cost=6.0)
    >>> first = choose(State(), "beacon", "server", [block, isolate], seed=1)
    >>> first.expert, round(first.success.mean, 2)
    ('block', 0.65)
    >>> state = State()
    >>> for _ in range(40):
    ...     state = learn(state, "beacon", "server", "block", success=False, seconds=70.0, cost=2.0)
    ...     state = learn(state, "beacon", "server", "isolate", success=True, seconds=200.0, cost=6.0)
    >>> later = choose(state, "beacon", "server", [block, isolate], seed=1)
    >>> later.playbook, later.propensity > 0.9
    ('isolate', True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.facts.response import Estimate
from engine.planning.amounts import expected
from engine.planning.posterior import STANDARD, UNDOCUMENTED, Belief, Cell, Spread, believe, expit
from engine.planning.scales import scaled, weigh

CELLS: Final = 600
"""Cells (kind, asset class, playbook) that a state holds at most."""

DRAWS: Final = 1_000
"""Fixed draws from the standard normal by which the chances are computed: the same for every choice."""


FIRST: Final = 30
"""Outcomes before which there is nothing to weigh."""

EVERY: Final = 10
"""Outcomes after which the factors are weighed anew; where there are many, a twentieth of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A playbook that fits the threat, with what is documented of it.

    Attributes:
        success: documented probability that it contains a threat of this kind (0-1).
        duration: documented seconds until it does.
        cost: documented cost in its own units (disturbance of the business, 0-10).
        reversible: whether all of its steps can be taken back; others are never explored.
    """

    playbook: str
    success: float = UNDOCUMENTED
    duration: float
    cost: float
    reversible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How bold the choice is.

    Attributes:
        guard: probability of being better above which a playbook may take the expert's place.
        explore: share of choices that are free of the guard, at most.
        worth: how much more success the truth would have to bring (0-1) for that much exploration.
        uniform: a share of as much of `explore` that does not depend on what is believed.
        temper: factor on the deviations of the guarded draw (0: the best expected, 1: plain Thompson sampling).
        spread: how far the truth may lie from the documents, by term.
    """

    guard: float = 0.65
    explore: float = 0.15
    worth: float = 0.06
    uniform: float = 0.1
    temper: float = 0.3
    spread: Spread = STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The playbook chosen, and what is expected of it.

    Attributes:
        propensity: probability with which it was chosen, exactly (rounded to six digits).
        shares: the same of all candidates, in their order.
        expert: the playbook that the documents alone would have chosen.
        success, duration, cost: expectations with 90% intervals.
    """

    playbook: str
    propensity: float
    shares: tuple[float, ...]
    expert: str
    success: Estimate
    duration: Estimate
    cost: Estimate


class State(msgspec.Struct, array_like=True):
    """What was learned.

    Attributes:
        cells: counts by (kind of threat, class of asset, playbook).
        outcomes: how many.
        weigh_at: the number of outcomes at which the factors are weighed anew.
        factors: what the policy's spread is multiplied by, by kind and by class.
    """

    cells: dict[tuple[str, str, str], Cell] = {}
    outcomes: int = 0
    weigh_at: int = FIRST
    factors: tuple[float, float] = (1.0, 1.0)


def choose(
    state: State,
    kind: str,
    asset_class: str,
    candidates: Sequence[Candidate],
    seed: int,
    *,
    policy: Policy = Policy(),
) -> Choice:
    """Choose a playbook.

    Args:
        state: what was learned.
        kind: of the threat.
        asset_class: of the entity, in the operator's words; "" when it has none.
        candidates: playbooks that fit, of different names; the order decides ties and nothing else.
        seed: of this one choice: the same seed, state and candidates give the same choice.
        policy: how bold the choice is.

    Raises:
        ValueError: there is no candidate.
    """
    if not candidates:
        raise ValueError("there is no playbook to choose from: ask for the candidates of the kind first")
    belief = _belief(state, kind, asset_class, candidates, policy)
    shares = _shares(belief, candidates, policy)
    picked = min(int(np.searchsorted(np.cumsum(shares), np.random.default_rng(seed).random())), len(candidates) - 1)
    chosen = candidates[picked]
    duration, cost = _amounts(state, (kind, asset_class, chosen.playbook), chosen)
    return Choice(
        playbook=chosen.playbook,
        propensity=round(float(shares[picked]), 6),
        shares=tuple(round(float(share), 6) for share in shares),
        expert=candidates[_expert(candidates)].playbook,
        success=belief.estimate(picked),
        duration=duration,
        cost=cost,
    )


def learn(
    state: State,
    kind: str,
    asset_class: str,
    playbook: str,
    *,
    success: bool,
    seconds: float,
    cost: float,
    documented: Candidate | None = None,
) -> State:
    """Take in what came of a response; changes and returns `state`.

    Args:
        state: what was learned before.
        kind: of the threat.
        asset_class: of the entity.
        playbook: what was chosen, by the machine or by a person.
        success: whether the threat was contained.
        seconds: until it was, or until the response was given up.
        cost: what it cost, in the units of the documented cost.
        documented: what was documented of the playbook then; it is what the outcome is held against.
    """
    key = (kind, asset_class, playbook)
    if key not in state.cells and len(state.cells) >= CELLS:
        del state.cells[min(state.cells, key=lambda held: (state.cells[held].trials, held))]
    cell = state.cells.setdefault(key, Cell(documented=UNDOCUMENTED))
    if documented is not None:
        cell.documented = documented.success
    cell.trials += 1
    cell.successes += bool(success)
    cell.seconds.add(seconds)
    cell.cost.add(cost)
    state.outcomes += 1
    if state.outcomes >= state.weigh_at:
        state.weigh_at = state.outcomes + max(EVERY, state.outcomes // 20)
        state.factors = weigh(state.cells, STANDARD)
    return state


def best(
    state: State, kind: str, asset_class: str, candidates: Sequence[Candidate], *, policy: Policy = Policy()
) -> str:
    """The playbook of which most is expected, without guard or exploration; ties go to the one named first."""
    belief = _belief(state, kind, asset_class, candidates, policy)
    return candidates[int(np.argmax(belief.mean))].playbook


def expect(
    state: State, kind: str, asset_class: str, candidate: Candidate, *, policy: Policy = Policy()
) -> tuple[Estimate, Estimate, Estimate]:
    """What is expected of a playbook that somebody else chose: success, seconds and cost."""
    success = _belief(state, kind, asset_class, [candidate], policy).estimate(0)
    return success, *_amounts(state, (kind, asset_class, candidate.playbook), candidate)


def _expert(candidates: Sequence[Candidate]) -> int:
    return max(range(len(candidates)), key=lambda i: (candidates[i].success, -i))


def _belief(state: State, kind: str, asset_class: str, candidates: Sequence[Candidate], policy: Policy) -> Belief:
    documented = {each.playbook: each.success for each in candidates}
    return believe(state.cells, (kind, asset_class), documented, scaled(policy.spread, *state.factors))


def _shares(belief: Belief, candidates: Sequence[Candidate], policy: Policy) -> NDArray[np.float64]:
    """The chance of every candidate; they sum to one."""
    count = len(candidates)
    expert = _expert(candidates)
    draws = belief.draws(_normals(count))
    tempered = belief.mean + policy.temper * (draws - belief.mean)
    allowed = np.asarray(belief.better_than(expert) > policy.guard)
    allowed[expert] = True
    guarded = _best_shares(tempered, allowed)
    free = np.array([each.reversible for each in candidates])
    if not free.any():
        return guarded
    share = policy.explore * min(1.0, _worth_knowing(draws, free) / policy.worth)
    kept = policy.explore * policy.uniform
    even = 0.5 * (free / free.sum() + np.eye(count)[expert])
    return np.asarray((1.0 - share - kept) * guarded + share * _best_shares(draws, free) + kept * even)


def _worth_knowing(draws: NDArray[np.float64], among: NDArray[np.bool_]) -> float:
    """How much more often the threat would be contained if the truth were known (0-1)."""
    success = expit(draws[:, among])
    return float(success.max(axis=1).mean() - success.mean(axis=0).max())


def _best_shares(draws: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How often each candidate is the best of those allowed."""
    winners = np.argmax(np.where(among, draws, -np.inf), axis=1)
    return np.asarray(np.bincount(winners, minlength=draws.shape[1]) / len(draws))


@lru_cache(maxsize=64)
def _normals(count: int) -> NDArray[np.float64]:
    half = np.random.default_rng(0).standard_normal((DRAWS // 2, count))
    return np.concatenate([half, -half])


def _amounts(state: State, place: tuple[str, str, str], candidate: Candidate) -> tuple[Estimate, Estimate]:
    """Expected seconds and cost of a playbook, from what was measured in its cell and everywhere else."""
    here, elsewhere = Cell(documented=UNDOCUMENTED), Cell(documented=UNDOCUMENTED)
    for key, cell in state.cells.items():
        if key[2] == place[2]:
            group = here if key == place else elsewhere
            group.seconds.join(cell.seconds)
            group.cost.join(cell.cost)
    return (
        expected(here.seconds, elsewhere.seconds, candidate.duration),
        expected(here.cost, elsewhere.cost, candidate.cost),
    )
