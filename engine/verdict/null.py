"""The empirical null: when a whole site changes its ways at once, no single host of it is an anomaly.

Rules:
    1. The p-values of the hosts whose windows close together become normal quantiles. If none of them is unusual, these
       have median 0 and spread 1. The null is where their median lies and how wide they spread (median absolute
       deviation), and a host is judged against that. [Efron: Large-scale simultaneous hypothesis testing: the choice of
       a null hypothesis, JASA 2004]
    2. It only ever makes a host less unusual, and only by what chance does not explain (two standard errors).
    3. Below `least` hosts there is nothing to learn from them: the null is the theoretical one.

    >>> going_home = Null.of([0.02, 0.01, 0.03, 0.02, 0.015, 0.01, 0.04, 0.02, 0.03, 0.01, 0.02, 0.03], least=12)
    >>> going_home.adjusted(0.01), THEORETICAL.adjusted(0.01)
    (0.159578, 0.01)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist, median
from typing import Final, NamedTuple

NORMAL: Final = NormalDist()
MEDIAN_ERROR: Final = 1.2533
SPREAD_ERROR: Final = 1.1664
"""Standard errors of the median and of the spread by MAD, times the root of the count, if all is usual."""

CERTAIN: Final = 1e-6
"""p-values are kept this far from 0 and 1."""


class Null(NamedTuple):
    """Where the hosts' quantiles lie together, and how wide (1: as theory has it)."""

    shift: float
    scale: float

    @classmethod
    def of(cls, p_values: Sequence[float], least: int) -> Null:
        """The null of hosts that were judged together."""
        if len(p_values) < least:
            return THEORETICAL
        quantiles = _each(_quantile, p_values)
        middle = median(quantiles)
        spread = 1.4826 * median(abs(quantile - middle) for quantile in quantiles)
        root = sqrt(len(quantiles))
        shift = min(0.0, middle + 2.0 * MEDIAN_ERROR / root)
        return cls(round(shift, 6), round(max(1.0, spread - 2.0 * SPREAD_ERROR / root), 6))

    def all_adjusted(self, p_values: Sequence[float]) -> list[float]:
        """The p-values of hosts against this null."""
        return list(p_values) if self == THEORETICAL else _each(self.adjusted, p_values)

    def adjusted(self, p: float) -> float:
        """A host's p-value against this null; never below its own."""
        if self == THEORETICAL:
            return p
        return max(p, round(NORMAL.cdf((_quantile(p) - self.shift) / self.scale), 6))


THEORETICAL: Final = Null(0.0, 1.0)


def _each(function: Callable[[float], float], values: Sequence[float]) -> list[float]:
    """The function of each value: p-values of many hosts are few different numbers."""
    known = {value: function(value) for value in set(values)}
    return [known[value] for value in values]


def _quantile(p: float) -> float:
    return NORMAL.inv_cdf(min(max(p, CERTAIN), 1.0 - CERTAIN))
