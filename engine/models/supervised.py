"""Learning from verdicts: gradient boosting and randomised trees together, once there are verdicts to learn from.

The score is the mean log-odds of `MEMBERS` pairs, each of gradient boosting (twice) and of extremely randomised trees.
[Friedman: Greedy function approximation, Annals of Statistics 2001; Geurts, Ernst, Wehenkel: Extremely randomized
trees, Machine Learning 2006] Beside the features they read how common the row's values were among the rows that came
last, judged or not (`engine.models.commonness`). Its threshold is not of its own making: `engine.verdict.tracker` sets
it by the verdicts that came after the score.

    >>> rows = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    >>> attack = rows[:, 0] > 1
    >>> model = Supervised.fit(rows, attack, seed=7)
    >>> model.score(np.array([[3, 0, 0], [-3, 0, 0]], np.float32)).round(1).tolist()
    [8.5, -9.7]

One thread, one seed: the same verdicts give the same model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix, Reads, Scores
from engine.models.commonness import Commonness
from engine.models.stored import dump_estimators, load_estimators

MEMBERS: Final = 2
BOOSTS: Final = 150
LEAVES: Final = 15
TREES: Final = 100
SEEN: Final = 8_192
"""Rows without verdicts among which values are counted."""

LEAST_SHARE: Final = 0.002
"""Probabilities of the randomised trees are kept this far from 0 and 1: a forest's certainty is that of its size."""


@dataclass(frozen=True)
class Supervised:
    """A fitted ensemble: pairs of scikit-learn estimators (stored by `engine.models.stored`, never pickled)."""

    name: ClassVar[str] = "supervised"
    reads: ClassVar[Reads] = "vectors"
    members: tuple[tuple[Any, Any], ...]
    common: Commonness

    @classmethod
    def fit(cls, rows: Matrix, attack: NDArray[np.bool_], seed: int, seen: Matrix | None = None) -> Supervised:
        """Learn from judged rows.

        Args:
            rows: those that were judged.
            attack: their verdicts; both kinds must be among them.
            seed: of the trees.
            seen: the rows that came last, judged or not (the last `SEEN` of them are used); left out, the judged ones.
        """
        from threadpoolctl import threadpool_limits

        common = Commonness.of(rows if seen is None else seen[-SEEN:])
        wide = _wide(rows, common)
        with threadpool_limits(limits=1):
            return cls(tuple(_pair(wide, attack, seed + number) for number in range(MEMBERS)), common)

    def score(self, rows: Matrix) -> Scores:
        """One score a row: mean log-odds that it is an attack, rounded to 9 places."""
        from threadpoolctl import threadpool_limits

        wide = _wide(rows, self.common)
        with threadpool_limits(limits=1):
            odds = [_log_odds(*pair, wide) for pair in self.members]
        return np.asarray(np.round(np.mean(odds, axis=0), 9), np.float64)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of `dump()`."""
        return sha256(self._bytes).hexdigest()

    def dump(self) -> bytes:
        """The estimators as bytes."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        # made once: a second dump of the same estimators has other bytes (times, identities)
        return dump_estimators((self.members, self.common.columns, self.common.whole))

    @classmethod
    def load(cls, data: bytes, expected_sha256: str) -> Supervised:
        """The ensemble of a dump.

        Raises:
            ModelDamaged: the bytes do not have the expected hash.
            ArtifactRefused: they hold something that is not trusted.
        """
        members, columns, whole = load_estimators(data, expected_sha256, cls.name)
        common = Commonness(tuple((int(place), tuple(table)) for place, table in columns), tuple(whole))
        return cls(tuple(tuple(pair) for pair in members), common)


def _wide(rows: Matrix, common: Commonness) -> Matrix:
    return np.column_stack([rows, common.apply(rows)])


def _pair(rows: Matrix, attack: NDArray[np.bool_], seed: int) -> tuple[Any, Any]:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    boosted = HistGradientBoostingClassifier(
        max_iter=BOOSTS,
        learning_rate=0.08,
        max_features=0.4,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=8,
        early_stopping=False,
        random_state=seed,
    )
    trees = ExtraTreesClassifier(n_estimators=TREES, max_features=0.3, n_jobs=1, random_state=seed)
    return boosted.fit(rows, attack), trees.fit(rows, attack)


def _log_odds(boosted: Any, trees: Any, rows: Matrix) -> Scores:
    share = np.clip(trees.predict_proba(rows)[:, 1], LEAST_SHARE, 1 - LEAST_SHARE)
    # boosting is the sharper of the two, and weighs twice
    return np.asarray((2.0 * boosted.decision_function(rows) + np.log(share / (1 - share))) / 3.0)
