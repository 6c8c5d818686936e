"""Consensus without labels: trained on normal flows, judged on a test set from another time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.tables import Table, nsl_kdd
from engine.models.base import Family, Matrix, Model
from engine.models.bayes import Bayes
from engine.models.isolation import IsolationForest
from engine.models.neighbours import Neighbours
from engine.models.tabular import Encoder
from engine.verdict.consensus import Calibration

VOTERS: Final[tuple[Family, ...]] = (IsolationForest, Bayes, Neighbours)
"""Who votes on single flows: there is no sequence for the Markov model to read."""

PROMISE: Final = 0.01

PROTOCOL: Final = (
    "NSL-KDD unsupervised: models fitted on two thirds of the normal rows of KDDTrain+ (chosen by the seed), scores "
    "and medians calibrated on the last third, judged once on KDDTest+; consensus (median of p-values, recalibrated) "
    "of isolation-forest, bayes, neighbours"
)


@dataclass(frozen=True, slots=True)
class Novelty:
    """What knows no label: the encoding of a table, the models, and their calibration."""

    encoder: Encoder
    models: list[Model]
    calibration: Calibration

    @classmethod
    def of(cls, learned: Table, held: Table, *, codes: bool, seed: int) -> Novelty:
        """Learn from some rows, calibrate on others."""
        encoder = Encoder.of(learned.columns, codes=codes)
        rows = encoder.apply(learned.columns)
        models = [family.fit(rows, seed) for family in VOTERS]
        return cls(encoder, models, Calibration.of(scores_of(models, encoder.apply(held.columns))))

    def judge(self, table: Table) -> tuple[Matrix, NDArray[np.float64], NDArray[np.float64]]:
        """The table as a matrix, the models' scores, and the consensus p-value of every row."""
        rows = self.encoder.apply(table.columns)
        scores = scores_of(self.models, rows)
        return rows, scores, self.calibration.consensus(scores)


def normal_only(train: Table, *, codes: bool, seed: int) -> Novelty:
    """Learn from two thirds of the harmless rows of a training set, calibrate on the last third."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~train.attack))
    third = len(normal) // 3
    return Novelty.of(train.where(normal[third:]), train.where(normal[:third]), codes=codes, seed=seed)


def measure(folder: Path, seed: int) -> dict[str, float]:
    """ROC-AUC, and the true- and false-positive rates at the promised 1%."""
    train, test = nsl_kdd(folder, "KDDTrain+"), nsl_kdd(folder, "KDDTest+")
    _, _, p = normal_only(train, codes=False, seed=seed).judge(test)
    return {
        "nsl_unsupervised_auc": area(-p, test.attack),
        "nsl_unsupervised_tpr": share(p[test.attack] <= PROMISE),
        "nsl_unsupervised_fpr": share(p[~test.attack] <= PROMISE),
    }


def scores_of(models: list[Model], rows: Matrix) -> NDArray[np.float64]:
    """A column of scores a model."""
    return np.column_stack([np.round(model.score(rows), 9) for model in models])


def area(scores: NDArray[np.float64], attack: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(attack, scores)), 4)


def share(hits: NDArray[np.bool_]) -> float:
    """Share of true entries."""
    return round(float(np.mean(hits)), 4)
