"""How well playbooks are chosen: against fixed tables, in worlds whose truth is known (`bench.incidents`).

Rules:
    1. The baseline is the table's own choice in the same incidents; the oracle is the best playbook of every context.
       What counts is the true probability of what was chosen, summed over all incidents: learning is paid for.
    2. Improvement is relative to the table's sum, a mean over the seeds; headroom closed is gained over possible, both
       summed over the seeds. The worst seed is the one with the smallest improvement.
    3. Priors and boldness were tuned on seeds 1000 and up; the seeds that are reported, from 0, were not looked at.
    4. Off-policy: from the log that the learner wrote, the success rate of the table, and of what was learned by the
       middle of the log (judged on the second half), against the truth. A repetition is one log of one seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench import incidents
from bench.incidents import ALONE, CLASSES, GOOD, KINDS, PLAYBOOKS, POOR, SHAPE, STRENGTH, Floats, World
from engine.planning.evaluation import Log, Worth, doubly_robust, inverse_propensity, predict
from engine.planning.playbook_choice import Candidate, Choice, State, best, choose, learn

INCIDENTS: Final = 2_000
SEEDS: Final = tuple(range(25))
FEW: Final = tuple(range(5))
"""Seeds of the sweep."""

TABLES: Final = {"good": GOOD, "poor": POOR}

SWEEP: Final[dict[str, tuple[float, float]]] = {
    "no_interaction": (0.0, ALONE),
    "strength_0.1": (0.1, ALONE),
    "strength_0.3": (0.3, ALONE),
    "alone_0": (STRENGTH, 0.0),
    "alone_0.5": (STRENGTH, 0.5),
    "alone_1": (STRENGTH, 1.0),
}
"""How the worlds are varied: how much the class of asset matters, and how much of that no two cells share."""

NAMES: Final = tuple(
    tuple(f"{word}-{i}" for i in range(count)) for word, count in zip(("kind", "class", "book"), SHAPE, strict=True)
)

PROTOCOL: Final = (
    f"{INCIDENTS} incidents a run; worlds of {KINDS} kinds x {CLASSES} classes x {PLAYBOOKS} playbooks, truth on the "
    f"scale of probabilities, strength {incidents.STRENGTH}, alone {incidents.ALONE}; baseline: a table's highest "
    "entry by kind, blind to classes; its entries are the true means over the classes plus normal noise of sd "
    f"{GOOD} (good) or {POOR} (poor); improvement: summed true success of the choices over the table's; headroom: the "
    "oracle's over the table's; tuned on seeds >= 1000, reported on seeds from 0; off-policy: doubly robust, 95% "
    "interval, from the learner's log, pooled over both tables"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one world: true success of each choice, the table's and the oracle's, and the log.

    Attributes:
        covered: of the intervals for seconds, costs and success whether the truth lay inside, shape (incidents, 3).
        frozen: the best-looking playbook by kind and class after half of the incidents.
    """

    world: World
    got: Floats
    table: Floats
    oracle: Floats
    kinds: NDArray[np.int64]
    classes: NDArray[np.int64]
    chosen: NDArray[np.int64]
    propensity: Floats
    reward: Floats
    covered: NDArray[np.bool_]
    frozen: NDArray[np.int64]


def run(seed: int, noise: float, count: int = INCIDENTS, *, strength: float = STRENGTH, alone: float = ALONE) -> Run:
    """Let the learner work through the incidents of a world."""
    world = incidents.draw(seed, noise, strength=strength, alone=alone)
    happened = incidents.happen(world, count, seed)
    state, offered = State(), _candidates(world)
    chosen, propensity = np.zeros(count, np.int64), np.zeros(count)
    reward, covered = np.zeros(count), np.zeros((count, 3), bool)
    frozen = np.zeros((KINDS, CLASSES), np.int64)
    seeds = np.random.default_rng([seed, 2]).integers(2**63, size=count).tolist()
    for row, (kind, held) in enumerate(zip(happened.kinds.tolist(), happened.classes.tolist(), strict=True)):
        if row == count // 2:
            frozen = _best(state, offered)
        names = NAMES[0][kind], NAMES[1][held]
        choice = choose(state, *names, offered[kind], seeds[row])
        book = chosen[row] = NAMES[2].index(choice.playbook)
        truth = [float(each[kind, held, book]) for each in (world.seconds, world.cost, world.success)]
        covered[row], propensity[row] = _covers(choice, truth), choice.propensity
        reward[row] = happened.luck[row] < truth[2]
        seconds, cost = (happened.scatter[:, row] * truth[:2]).tolist()
        documented = offered[kind][book]
        outcome = {"success": bool(reward[row]), "seconds": seconds, "cost": cost, "documented": documented}
        state = learn(state, *names, choice.playbook, **outcome)
    here, rows = world.success[happened.kinds, happened.classes], np.arange(count)
    return Run(
        world=world,
        got=here[rows, chosen],
        table=here[rows, world.expert[happened.kinds]],
        oracle=here.max(axis=1),
        kinds=happened.kinds,
        classes=happened.classes,
        chosen=chosen,
        propensity=propensity,
        reward=reward,
        covered=covered,
        frozen=frozen,
    )


def _candidates(world: World) -> list[list[Candidate]]:
    seconds, cost = world.documented.tolist()
    return [
        [
            Candidate(playbook=name, success=success, duration=seconds[i], cost=cost[i])
            for i, (name, success) in enumerate(zip(NAMES[2], row, strict=True))
        ]
        for row in world.table.tolist()
    ]


def _best(state: State, offered: list[list[Candidate]]) -> NDArray[np.int64]:
    return np.array(
        [[NAMES[2].index(best(state, kind, held, offered[i])) for held in NAMES[1]] for i, kind in enumerate(NAMES[0])]
    )


def _covers(choice: Choice, truth: Sequence[float]) -> list[bool]:
    said = (choice.duration, choice.cost, choice.success)
    return [each.low <= true <= each.high for each, true in zip(said, truth, strict=True)]


def compared(runs: Sequence[Run], name: str) -> dict[str, float]:
    """Figures of many runs against their table."""
    got, table, oracle = np.array([[each.got.sum(), each.table.sum(), each.oracle.sum()] for each in runs]).T
    last = slice(-len(runs[0].got) // 4, None)
    gained = sum(float((each.got - each.table)[last].sum()) for each in runs)
    possible = sum(float((each.oracle - each.table)[last].sum()) for each in runs)
    improvement = got / table - 1.0
    return {
        f"{name}_improvement_percent": round(100 * float(improvement.mean()), 2),
        f"{name}_worst_seed_percent": round(100 * float(improvement.min()), 2),
        f"{name}_headroom_percent": round(100 * float((oracle / table - 1.0).mean()), 2),
        f"{name}_headroom_closed_percent": round(100 * float((got - table).sum() / (oracle - table).sum()), 1),
        f"{name}_headroom_closed_last_quarter_percent": round(100 * gained / possible, 1),
        f"{name}_table_success": round(float(table.sum()) / sum(len(each.got) for each in runs), 4),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Two estimates of a policy's success rate, and the true one."""

    dr: Worth
    ips: Worth
    truth: float


def off_policy(runs: Sequence[Run]) -> dict[str, float]:
    """How often the intervals hold the truth, how wide they are, and how far off the estimates."""
    figures: dict[str, float] = {"off_policy_repetitions": len(runs)}
    for name, judge in {"table": _judge_table, "learned": _judge_learned}.items():
        judged = [judge(each) for each in runs]
        truths = [each.truth for each in judged]
        figures |= _agreement(f"off_policy_{name}_dr", [each.dr for each in judged], truths)
        figures |= _agreement(f"off_policy_{name}_ips", [each.ips for each in judged], truths)
        figures[f"off_policy_{name}_effective_records"] = round(_mean([each.dr.effective for each in judged]), 1)
    return figures


def _agreement(name: str, said: Sequence[Worth], truths: Sequence[float]) -> dict[str, float]:
    pairs = list(zip(said, truths, strict=True))
    return {
        f"{name}_covered_percent": round(100 * _mean([each.low <= truth <= each.high for each, truth in pairs]), 1),
        f"{name}_half_width": round(_mean([(each.high - each.low) / 2 for each in said]), 4),
        f"{name}_mean_error": round(_mean([abs(each.value - truth) for each, truth in pairs]), 4),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _judge_table(told: Run) -> Judged:
    return _judge(told, np.repeat(told.world.expert[:, None], CLASSES, axis=1), 0)


def _judge_learned(told: Run) -> Judged:
    return _judge(told, told.frozen, len(told.got) // 2)


def _judge(told: Run, policy: NDArray[np.int64], begin: int) -> Judged:
    """The estimates from row `begin` on, and the true success rate over all incidents to come."""
    shares = np.eye(PLAYBOOKS)[policy]
    target = shares[told.kinds, told.classes]
    predicted = predict(
        told.kinds, told.classes, Log(chosen=told.chosen, propensity=told.propensity, reward=told.reward, target=target)
    )
    after = slice(begin, None)
    log = Log(
        chosen=told.chosen[after], propensity=told.propensity[after], reward=told.reward[after], target=target[after]
    )
    return Judged(dr=doubly_robust(log, predicted[after]), ips=inverse_propensity(log), truth=told.world.value(shares))


def measure(
    seeds: Sequence[int] = SEEDS, few: Sequence[int] = FEW, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Figures, protocol and seeds: the JSON contract of `bench response`.

    Args:
        seeds: of the worlds; each gives one run against a good and one against a poor table.
        few: of the worlds of the sweep; none: no sweep.
        tell: is told what is measured next.
    """
    before = time.process_time()
    figures: dict[str, float] = {}
    runs: list[Run] = []
    for name, noise in TABLES.items():
        tell(f"{len(seeds)} seeds against a {name} table")
        told = [run(seed, noise) for seed in seeds]
        figures |= compared(told, name)
        runs += told
    for number, what in enumerate(("seconds", "cost", "success")):
        figures[f"interval_{what}_covered_percent"] = round(
            100 * float(np.mean([r.covered[:, number] for r in runs])), 1
        )
    figures |= off_policy(runs)
    for variant, (strength, alone) in SWEEP.items() if few else ():
        tell(f"{len(few)} seeds with {variant}")
        for name, noise in TABLES.items():
            figures |= _summary(
                compared([run(seed, noise, strength=strength, alone=alone) for seed in few], f"{variant}_{name}")
            )
    figures["cpu_seconds"] = round(time.process_time() - before, 1)
    return {
        "name": "response",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"generated worlds; seeds {_listed(seeds)}; sweep seeds {_listed(few)}; CPU time",
        "seeds": list(seeds),
    }


def _summary(figures: dict[str, float]) -> dict[str, float]:
    kept = ("improvement_percent", "worst_seed_percent", "headroom_percent", "headroom_closed_percent")
    return {name: figure for name, figure in figures.items() if name.endswith(kept)}


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds) or "none"
