"""Learning from verdicts: an ensemble of trees that calibrates itself on what its members have not seen.

Rules:
    1. The verdicts are cut into `FOLDS`; each member learns from all folds but one, as gradient boosting and extremely
       randomised trees whose log-odds are averaged. [Friedman 2001; Geurts, Ernst, Wehenkel 2006]
    2. The score is the mean log-odds of all members. What a judged row scores for calibration is the log-odds of the
       member that did not learn from it (CV+). [Barber, Candes, Ramdas, Tibshirani: Predictive inference with the
       jackknife+, Annals of Statistics 2021]
    3. The threshold of a level a is the score that a share a of the harmless judged rows reaches, each weighted by one
       over the probability with which it was asked about.
    4. One thread, one seed: the same verdicts give the same model.

    >>> import numpy as np
    >>> rows = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    >>> attack = rows[:, 0] > 1
    >>> model = Supervised.fit(rows, attack, np.ones(400), seed=7)
    >>> (model.score(rows[:4]) > model.threshold(0.05)).tolist() == attack[:4].tolist()
    True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix, Reads, Scores

FOLDS: Final = 4
BOOSTS: Final = 150
TREES: Final = 60
LEAST_SHARE: Final = 0.002
"""Probabilities of the randomised trees are kept this far from 0 and 1: a forest's certainty is that of its size."""


@dataclass(frozen=True)
class Supervised:
    """A fitted ensemble and the calibration of its harmless judged rows."""

    name: ClassVar[str] = "supervised"
    reads: ClassVar[Reads] = "vectors"
    members: tuple[tuple[Any, ...], ...]
    harmless: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def fit(
        cls, rows: Matrix, attack: NDArray[np.bool_], weights: NDArray[np.float64], seed: int
    ) -> Supervised:
        """Learn from judged rows.

        Args:
            rows: what was judged; both verdicts must be among them, each at least `FOLDS` times.
            attack: the verdicts.
            weights: one over the probability with which each row was asked about (calibration only).
            seed: of trees and folds.
        """
        from sklearn.model_selection import StratifiedKFold
        from threadpoolctl import threadpool_limits

        members, held = [], np.zeros(len(rows))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        with threadpool_limits(limits=1):
            for number, (learned, rest) in enumerate(folds.split(rows, attack)):
                member = tuple(model.fit(rows[learned], attack[learned]) for model in _members(seed * FOLDS + number))
                held[rest] = _log_odds(member, rows[rest])
                members.append(member)
        order = np.argsort(-held[~attack], kind="stable")
        return cls(tuple(members), held[~attack][order], weights[~attack][order])

    def score(self, rows: Matrix) -> Scores:
        """One score a row: mean log-odds that it is an attack, rounded to 9 places."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return np.round(np.mean([_log_odds(member, rows) for member in self.members], axis=0), 9)

    def threshold(self, level: float) -> float:
        """The score that a share `level` of what is harmless reaches."""
        reached = np.cumsum(self.weights) / self.weights.sum()
        return float(self.harmless[min(int(np.searchsorted(reached, level)), len(reached) - 1)])


def _members(seed: int) -> tuple[Any, ...]:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    boosted = HistGradientBoostingClassifier(
        max_iter=BOOSTS, learning_rate=0.08, max_features=0.4, early_stopping=False, random_state=seed
    )
    return boosted, ExtraTreesClassifier(n_estimators=TREES, max_features=0.5, n_jobs=1, random_state=seed)


def _log_odds(member: tuple[Any, ...], rows: Matrix) -> Scores:
    boosted, trees = member
    share = np.clip(trees.predict_proba(rows)[:, 1], LEAST_SHARE, 1 - LEAST_SHARE)
    # two views of one pair: boosting weighs twice, it is the sharper one
    return np.asarray((2.0 * boosted.decision_function(rows) + np.log(share / (1 - share))) / 3.0)
