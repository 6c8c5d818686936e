"""Learning from few verdicts: score first, then ask about some rows, then learn; no other label is ever looked at.

Rules:
    1. The stream comes in blocks. A block is scored and decided before one verdict of it is known.
    2. Of every block `ASKED` of the rows are asked about, chosen by `engine.verdict.asking`: mostly where the answer is
       least known, some that look novel among what was called normal, some at random. The chance with which each row
       was asked about is kept: one over it is the row's weight wherever harmless rows are counted.
    3. The model learns from all verdicts so far, and counts values among the rows so far, judged or not. Its threshold
       is tracked by the verdicts of each block, on the scores that were given before them (`engine.verdict.tracker`).
    4. Only what was decided counts. The figures are of the second half of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix
from engine.models.commonness import keys_of
from engine.models.supervised import Supervised
from engine.verdict.asking import alike, chances, draw
from engine.verdict.tracker import Threshold, Tracker

ASKED: Final = 0.05
LEAST: Final = 8
"""Verdicts of either kind before a model learns from them."""

FIRST: Final = 1.5
"""Threshold (log-odds) until there are harmless verdicts enough."""


@dataclass(slots=True)
class Outcome:
    """What came of a stream: decisions, scores, and how many verdicts were given."""

    flagged: NDArray[np.bool_]
    verdicts: int = 0
    levels: list[float] = field(default_factory=list)

    def figures(self, name: str, attack: NDArray[np.bool_]) -> dict[str, float]:
        """Accuracy, false- and true-positive rate of the second half."""
        half = slice(len(attack) // 2, None)
        flagged, truth = self.flagged[half], attack[half]
        return {
            f"{name}_accuracy": round(float(np.mean(flagged == truth)), 4),
            f"{name}_fpr": round(float(np.mean(flagged[~truth])), 4),
            f"{name}_tpr": round(float(np.mean(flagged[truth])), 4),
            f"{name}_verdicts": self.verdicts,
        }


def learn_along(
    rows: Matrix,
    novelty: NDArray[np.float64],
    attack: NDArray[np.bool_],
    *,
    promise: float,
    block: int,
    seed: int,
) -> Outcome:
    """Walk along a stream.

    Args:
        rows: what the model reads, in the order of the stream.
        novelty: a p-value a row from models that know no label; the lower, the more novel.
        attack: what a verdict would say; looked up for the rows that are asked about, and nowhere else.
        promise: the false-positive rate that the threshold aims at.
        block: rows that are decided before the next verdicts come.
        seed: of the draws and of the model.
    """
    random = np.random.default_rng(seed)
    threshold = Threshold(Tracker.at(promise, most=4.0), FIRST)
    outcome = Outcome(np.zeros(len(rows), bool))
    keys = keys_of(rows)
    judged: list[int] = []
    model: Supervised | None = None
    for begin in range(0, len(rows), block):
        here = np.arange(begin, min(begin + block, len(rows)))
        scores = model.score(rows[here]) if model else FIRST + promise - novelty[here]
        distance = scores - threshold.value()
        outcome.flagged[here] = distance >= 0
        chance = chances(distance, novelty[here], alike(keys[here], keys[judged]), round(ASKED * len(here)))
        asked = draw(random, chance)
        harmless = asked[~attack[here[asked]]]
        if model:
            threshold.learn(scores[harmless].tolist(), (1 / chance[harmless]).tolist())
        judged += here[asked].tolist()
        told = attack[judged]
        if min(int(told.sum()), int((~told).sum())) >= LEAST:
            model = Supervised.fit(rows[judged], told, seed, seen=rows[: here[-1] + 1])
        outcome.levels.append(threshold.tracker.level)
    outcome.verdicts = len(judged)
    return outcome
