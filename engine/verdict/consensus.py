"""Consensus: two of three models, as one p-value whose false-positive rate is the configured one.

Rules:
    1. Each model's scores become conformal p-values among the scores of the same reference rows (ties count against).
    2. The consensus of a row is the median of its p-values: at or below a only if half the models say so. A model that
       abstains (NaN) has no part in it; if all abstain, the consensus is 1.
    3. The median of p-values is no p-value, so it is ranked once more, among the medians of the reference rows
       themselves. The new row is put into the bag with them before anything is ranked: the bag is treated alike
       whatever row is the new one, so that, if the rows are exchangeable, P(p <= a) <= a holds exactly, for any models.
       [Vovk, Gammerman, Shafer: Algorithmic learning in a random world, 2005: full conformal prediction]

    >>> import numpy as np
    >>> known = np.column_stack([np.arange(99.0), np.arange(99.0), np.zeros(99)])
    >>> consensus(known, np.array([500.0, 500.0, 0.0]))
    Consensus(p=0.01, votes=(0.01, 0.01, 1.0))
    >>> consensus(known, np.array([500.0, 0.0, 0.0])).p
    1.0

`Calibration` is the same for many rows at once against reference rows that were held out (split conformal).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.models.compiled import compiled

DIGITS: Final = 6
"""Places that p-values are rounded to."""


class Consensus(NamedTuple):
    """The consensus p-value of a row and the p-value of each model (None: abstained)."""

    p: float
    votes: tuple[float | None, ...]


def consensus(known: NDArray[np.float64], row: NDArray[np.float64]) -> Consensus:
    """The consensus about one row.

    Args:
        known: scores of the reference rows, one column a model; NaN where it abstained.
        row: scores of the new row.
    """
    bag = np.ascontiguousarray(np.vstack([known, row]), np.float64)
    shares, medians = np.empty_like(bag), np.empty(len(bag))
    compiled(_rank)(bag, shares, medians)
    p = float(np.count_nonzero(medians <= medians[-1])) / len(medians)
    votes = tuple(None if np.isnan(share) else round(float(share), DIGITS) for share in shares[-1])
    return Consensus(round(p, DIGITS), votes)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reference scores held out from training, one column a model, and the medians of their p-values (both sorted)."""

    scores: tuple[NDArray[np.float64], ...]
    medians: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Calibration:
        """Calibrate on the scores of reference rows (one column a model, at least two rows).

        The rows are cut in two: the first half ranks the scores, the second half ranks the medians, so that both
        rankings are of rows that had no part in them.
        """
        half = len(scores) // 2
        ranks = tuple(np.sort(column) for column in scores[:half].T)
        return cls(ranks, np.sort(_median(_p_values(ranks, scores[half:]))))

    def votes(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The p-value of every model for every row."""
        return _p_values(self.scores, scores)

    def consensus(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The consensus p-value of every row."""
        below = np.searchsorted(self.medians, _median(self.votes(scores)), "right")
        return np.round((1 + below) / (len(self.medians) + 1), DIGITS)


def _p_values(ranks: tuple[NDArray[np.float64], ...], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split-conformal p-values, a column a model."""
    columns = [
        (1 + len(known) - np.searchsorted(known, column, "left")) / (len(known) + 1)
        for known, column in zip(ranks, scores.T, strict=True)
    ]
    return np.column_stack(columns)


def _rank(bag: Any, shares: Any, medians: Any) -> None:
    """Fill `shares` (the share of a column's entries at least as high; NaN abstains) and `medians` (of each row's)."""
    rows, models = bag.shape
    for m in range(models):
        told = np.sort(bag[:, m][~np.isnan(bag[:, m])])
        for i in range(rows):
            if np.isnan(bag[i, m]):
                shares[i, m] = np.nan
            else:
                shares[i, m] = (len(told) - np.searchsorted(told, bag[i, m])) / len(told)
    for i in range(rows):
        own = np.sort(shares[i][~np.isnan(shares[i])])
        if len(own) == 0:
            medians[i] = 1.0
        else:
            medians[i] = 0.5 * (own[(len(own) - 1) // 2] + own[len(own) // 2])


def _median(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median over the models that did not abstain; 1 if all did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN only
        return np.nan_to_num(np.nanmedian(p_values, axis=1), nan=1.0)
