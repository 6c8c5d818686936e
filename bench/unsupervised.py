"""Consensus without labels: trained on normal flows, judged on a test set from another time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.tables import nsl_kdd
from engine.models.base import Matrix, Model
from engine.models.bayes import Bayes
from engine.models.isolation import IsolationForest
from engine.models.neighbours import Neighbours
from engine.models.tabular import Encoder
from engine.verdict.consensus import Calibration

VOTERS: Final = (IsolationForest, Bayes, Neighbours)
"""Who votes on single flows: there is no sequence for the Markov model to read."""

PROMISE: Final = 0.01

PROTOCOL: Final = (
    "NSL-KDD unsupervised: models fitted on two thirds of the normal rows of KDDTrain+ (chosen by the seed), scores and "
    "medians calibrated on the last third, judged once on KDDTest+; consensus of isolation-forest, bayes, neighbours"
)


def measure(folder: Path, seed: int) -> dict[str, float]:
    """ROC-AUC, and the true- and false-positive rates at the promised 1%."""
    train, test = nsl_kdd(folder, "KDDTrain+"), nsl_kdd(folder, "KDDTest+")
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~train.attack))
    third = len(normal) // 3
    learned, held = train.where(normal[third:]), train.where(normal[:third])
    encoder = Encoder.of(learned.columns, codes=False)
    models = fit_all(encoder.apply(learned.columns), seed)
    calibration = Calibration.of(scores_of(models, encoder.apply(held.columns)))
    p = calibration.consensus(scores_of(models, encoder.apply(test.columns)))
    return {
        "nsl_unsupervised_auc": area(-p, test.attack),
        "nsl_unsupervised_tpr": share(p[test.attack] <= PROMISE),
        "nsl_unsupervised_fpr": share(p[~test.attack] <= PROMISE),
    }


def fit_all(rows: Matrix, seed: int) -> list[Model]:
    """The voters, fitted on the same rows."""
    return [family.fit(rows, seed) for family in VOTERS]


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
