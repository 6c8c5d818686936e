"""The hybrid Bayesian model: class-conditional densities, the normal one learned from traffic, both moved by verdicts.

    score(x) = -log f_normal(x) + w * (log f_attack(x) - log f_benign(x))

f_normal is a mixture of Gaussians with diagonal covariances, fitted on scaled rows. f_attack and f_benign are
posterior predictive densities under a Dirichlet process: a flat base measure of weight `BASE`, and one kernel a verdict
("this was an attack", "this was not"), weighted by the operator's confidence. Before verdicts both are flat and equal,
and the score is the novelty -log f_normal alone. w is the spread of that novelty over the training rows, so that a
verdict counts as much as the usual ups and downs. `posterior` adds the prior odds, which verdicts update too (a beta
prior on the share of attacks among what was flagged). [Bishop: Pattern recognition and machine learning, 2006, chapters
2.5 and 9.2; Ferguson: A Bayesian analysis of some nonparametric problems, Annals of Statistics 1973]

    >>> import numpy as np
    >>> rows = np.random.default_rng(1).normal(size=(512, 2)).astype(np.float32)
    >>> model = Bayes.fit(rows, seed=7)
    >>> x = np.array([[0, 0], [4, 4]], np.float32)
    >>> model.score(x).round(1).tolist()
    [2.2, 13.5]
    >>> model.updated(x[1:], [1.0]).score(x).round(1).tolist()  # an attack was confirmed there
    [2.2, 14.6]
    >>> model.updated(x[1:], [-1.0]).score(x).round(1).tolist()  # it was a false alarm
    [2.2, 12.4]

scikit-learn is imported by `fit` only; scores come from loops of our own, which see one row at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix, Reads, Scores, verified
from engine.models.compiled import compiled
from engine.models.scaling import Scale

COMPONENTS: Final = 8
ROWS_A_COMPONENT: Final = 64
LEAST_VARIANCE: Final = 0.5
"""Variance (in squared spreads) below which no component goes: a tight one would call tomorrow an anomaly."""
BASE: Final = 0.5
"""Weight of the flat base measure, in verdicts."""

BANDWIDTH: Final = 0.5
"""Width of a verdict's kernel, in spreads per feature."""

MOST_VERDICTS: Final = 256
"""Verdicts that are kept; the oldest make room."""

_PARTS: Final = ("centre", "spread", "weights", "means", "variances", "told", "votes")


class _Stored(msgspec.Struct, array_like=True):
    columns: int
    influence: float
    parts: list[bytes]


class Bayes:
    """Fitted densities as plain arrays."""

    name: ClassVar[str] = "bayes"
    reads: ClassVar[Reads] = "vectors"

    def __init__(self, influence: float, **parts: NDArray[np.float64]) -> None:
        self._influence = influence
        self._parts = {name: np.ascontiguousarray(parts[name], np.float64) for name in _PARTS}
        self._scale = Scale(self._parts["centre"], self._parts["spread"])

    @classmethod
    def fit(cls, rows: Matrix, seed: int) -> Bayes:
        """The normal density of `rows`, no verdict yet."""
        scale = Scale.of(rows)
        mixture = _mixture(scale.apply(rows), seed)
        empty = np.empty((0, rows.shape[1]))
        parts = {"centre": scale.centre, "spread": scale.spread, "told": empty, "votes": np.empty(0), **mixture}
        novelty = cls(1.0, **parts).score(rows)
        return cls(max(1.0, float(np.std(novelty))), **parts)

    def updated(self, rows: Matrix, votes: Sequence[float]) -> Bayes:
        """The model after these verdicts, in place of all that it was told before.

        Args:
            rows: what was judged.
            votes: one a row, -1 to 1: the operator's confidence that it was an attack (positive) or was not (negative).
        """
        told = self._scale.apply(rows)[-MOST_VERDICTS:]
        kept = np.asarray(votes, np.float64)[-MOST_VERDICTS:]
        return Bayes(self._influence, **{**self._parts, "told": told, "votes": kept})

    @property
    def verdicts(self) -> int:
        """How many verdicts it rests on."""
        return len(self._parts["votes"])

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of `dump()`."""
        return sha256(self.dump()).hexdigest()

    def score(self, rows: Matrix) -> Scores:
        """One score a row: how little it fits what is normal, and how much what verdicts called attacks."""
        scores = np.empty(len(rows))
        scaled = self._scale.apply(rows)
        parts = self._parts
        flat = np.log(parts["weights"]) - 0.5 * np.log(2 * np.pi * parts["variances"]).sum(axis=1)
        compiled(_novelty)(scaled, flat, parts["means"], 1.0 / parts["variances"], scores)
        if len(parts["votes"]):
            width = 1.0 / (2.0 * BANDWIDTH**2 * scaled.shape[1])
            compiled(_told)(scaled, parts["told"], parts["votes"], width, BASE, self._influence, scores)
        return scores

    def posterior(self, rows: Matrix, threshold: float) -> NDArray[np.float64]:
        """Probability of an attack for rows that score `threshold` or more, under the prior that verdicts made."""
        votes = self._parts["votes"]
        attacks, others = float(votes[votes > 0].sum()), float(-votes[votes < 0].sum())
        prior = math.log((1.0 + attacks) / (1.0 + others))
        return np.asarray(1.0 / (1.0 + np.exp(-((self.score(rows) - threshold) / self._influence + prior))))

    def dump(self) -> bytes:
        """The parameters as plain bytes."""
        parts = [np.asarray(self._parts[name], "<f8").tobytes() for name in _PARTS]
        return msgspec.msgpack.encode(_Stored(len(self._scale.centre), self._influence, parts))

    @classmethod
    def load(cls, data: bytes, expected_sha256: str) -> Bayes:
        """The model of a dump.

        Raises:
            ModelDamaged: the bytes do not have the expected hash.
        """
        stored = msgspec.msgpack.decode(verified(data, expected_sha256, cls.name), type=_Stored)
        flat = {name: np.frombuffer(part, "<f8") for name, part in zip(_PARTS, stored.parts, strict=True)}
        wide = {name: flat[name].reshape(-1, stored.columns) for name in ("means", "variances", "told")}
        return cls(stored.influence, **{**flat, **wide})


def _mixture(scaled: NDArray[np.float64], seed: int) -> dict[str, NDArray[np.float64]]:
    """Weights, means and variances of a mixture fitted by scikit-learn on one thread."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    components = min(COMPONENTS, max(1, len(scaled) // ROWS_A_COMPONENT))
    mixture = GaussianMixture(components, covariance_type="diag", reg_covar=LEAST_VARIANCE, max_iter=50)
    mixture.set_params(random_state=seed)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # fewer distinct rows than components, or a slow end of the iteration: the densities are usable all the same
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(scaled)
    return {"weights": mixture.weights_, "means": mixture.means_, "variances": mixture.covariances_}


def _novelty(rows: Any, flat: Any, means: Any, precisions: Any, scores: Any) -> None:
    """Fill `scores` with -log of the mixture's density: one row after the other, components in order."""
    logs = np.empty(means.shape[0])
    for i in range(rows.shape[0]):
        most = -np.inf
        for c in range(means.shape[0]):
            total = 0.0
            for k in range(rows.shape[1]):
                step = rows[i, k] - means[c, k]
                total += step * step * precisions[c, k]
            logs[c] = flat[c] - 0.5 * total
            most = max(most, logs[c])
        density = 0.0
        for c in range(means.shape[0]):
            density += np.exp(logs[c] - most)
        scores[i] = -(most + np.log(density))


def _told(  # noqa: PLR0917 - numba takes arrays one by one
    rows: Any, told: Any, votes: Any, width: float, base: float, influence: float, scores: Any
) -> None:  # fmt: skip
    """Add to `scores` what verdicts on similar rows say."""
    for i in range(rows.shape[0]):
        attack = base
        benign = base
        for j in range(told.shape[0]):
            total = 0.0
            for k in range(rows.shape[1]):
                step = rows[i, k] - told[j, k]
                total += step * step
            kernel = np.exp(-total * width) * abs(votes[j])
            if votes[j] > 0.0:
                attack += kernel
            else:
                benign += kernel
        scores[i] += influence * (np.log(attack) - np.log(benign))
