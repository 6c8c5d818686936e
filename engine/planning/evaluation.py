"""What another policy would have achieved, from recorded choices alone (off-policy evaluation).

Rules:
    1. Every recorded choice comes with the probability with which it was made. Where that is zero for a choice of the
       other policy, nothing can be said of it: explore, or do not ask.
    2. IPS weighs each outcome by how much more often the other policy would have chosen so. It is unbiased and wide.
       [Horvitz, Thompson: A generalization of sampling without replacement from a finite universe, JASA 1952]
    3. The doubly robust estimate adds the weighted error of a prediction to the prediction. It is right if either the
       propensities or the prediction are, and narrower than IPS where the prediction is any good.
       [Dudik, Langford, Li: Doubly robust policy evaluation and learning, ICML 2011;
       Dudik, Erhan, Langford, Li: Doubly robust policy evaluation and optimization, Stat. Science 2014]
    4. Predictions of an incident are made from earlier incidents only (`predict`). A policy that learned while the log
       was written makes the records depend on each other; so the terms are still a martingale, and the normal interval
       holds for many records. [Hadad et al.: Confidence intervals for policy evaluation in adaptive experiments, PNAS
       2021, also for where it gets too wide: propensities that go to zero]
    5. The interval is the normal one of the mean of the terms; `effective` says how many records it really rests on.

    >>> log = Log(
    ...     chosen=np.array([0, 0, 0, 1] * 250), propensity=np.array([0.75, 0.75, 0.75, 0.25] * 250),
    ...     reward=np.array([1.0, 0.0, 0.0, 1.0] * 250), target=np.tile([0.0, 1.0], (1000, 1)),
    ... )
    >>> always_second = doubly_robust(log, np.full((1000, 2), 0.5))
    >>> always_second.value, always_second.effective
    (1.0, 250.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL: Final = 1.96
"""Half width of a 95% interval, in standard errors."""

POOLED: Final = 4.0
"""Outcomes that the wider group counts for in a prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Recorded choices, one row an incident, in the order of the log.

    Attributes:
        chosen: index of the playbook chosen, shape (n,).
        propensity: probability with which it was chosen, above 0, shape (n,).
        reward: what came of it (1 contained, 0 not), shape (n,).
        target: chances that the other policy gives to each playbook, shape (n, playbooks).

    Raises:
        ValueError: fewer than two records, or a propensity that is not above 0.
    """

    chosen: NDArray[np.int64]
    propensity: Floats
    reward: Floats
    target: Floats

    def __post_init__(self) -> None:
        if len(self.chosen) < 2 or not (self.propensity > 0.0).all():
            raise ValueError("an estimate needs two records or more, each with a propensity above 0")

    @property
    def weights(self) -> Floats:
        """How much more often the other policy would have chosen so."""
        return np.asarray(self.target[np.arange(len(self.chosen)), self.chosen] / self.propensity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The estimated mean reward of a policy with its 95% interval, and the effective number of records."""

    value: float
    low: float
    high: float
    effective: float


def inverse_propensity(log: Log) -> Worth:
    """The IPS estimate."""
    return _worth(log, log.weights * log.reward)


def doubly_robust(log: Log, predicted: Floats) -> Worth:
    """The doubly robust estimate.

    Args:
        log: the recorded choices.
        predicted: expected reward of every playbook in every incident, shape (n, playbooks); see `predict`.
    """
    chosen = predicted[np.arange(len(log.chosen)), log.chosen]
    return _worth(log, (log.target * predicted).sum(axis=1) + log.weights * (log.reward - chosen))


def _worth(log: Log, terms: Floats) -> Worth:
    weights = log.weights
    squares = float((weights**2).sum())
    value, error = float(terms.mean()), float(terms.std(ddof=1)) / len(terms) ** 0.5
    return Worth(
        value=round(value, 6),
        low=round(value - NORMAL * error, 6),
        high=round(value + NORMAL * error, 6),
        effective=round(float(weights.sum()) ** 2 / squares, 1) if squares else 0.0,
    )


def predict(kinds: NDArray[np.int64], classes: NDArray[np.int64], log: Log) -> Floats:
    """Expected reward of every playbook in every incident, from the incidents before it only; shape (n, playbooks).

    The mean of the playbook on this kind and class, drawn towards its mean on the kind, drawn towards 1/2.
    """
    playbooks = log.target.shape[1]
    by_kind = np.zeros((2, int(kinds.max()) + 1, playbooks))
    by_cell = np.zeros((2, int(kinds.max()) + 1, int(classes.max()) + 1, playbooks))
    predicted = np.empty(log.target.shape)
    for row, (kind, asset_class, chosen) in enumerate(zip(kinds, classes, log.chosen, strict=True)):
        wide = (by_kind[1, kind] + POOLED / 2.0) / (by_kind[0, kind] + POOLED)
        held = by_cell[:, kind, asset_class]
        predicted[row] = (held[1] + POOLED * wide) / (held[0] + POOLED)
        told = (1.0, log.reward[row])
        by_kind[:, kind, chosen] += told
        by_cell[:, kind, asset_class, chosen] += told
    return predicted
