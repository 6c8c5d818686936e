"""Expected seconds and costs of a playbook: what was measured here, drawn towards the same playbook elsewhere.

Rules:
    1. A documented amount is worth `DOCUMENTED` measurements, the mean elsewhere `ELSEWHERE` of them.
    2. Amounts scatter in proportion to their size, so an interval is a factor up and down. The factor follows from the
       coefficient of variation, itself drawn towards 1, and from how much was measured.
       [Buehlmann: Experience rating and credibility, ASTIN Bulletin 1967, for means drawn towards a common one]

    >>> here, elsewhere = Sums(), Sums()
    >>> expected(here, elsewhere, 60.0).mean
    60.0
    >>> for seconds in (100.0, 110.0, 90.0, 100.0) * 10:
    ...     here.add(seconds)
    >>> expected(here, elsewhere, 60.0)
    Estimate(mean=96.364, low=90.536, high=102.566)
"""

from __future__ import annotations

from math import exp, sqrt
from typing import Final

import msgspec

from domain.facts.response import Estimate

DOCUMENTED: Final = 2.0
ELSEWHERE: Final = 4.0
VARIATION: Final = 2.0
"""Measurements that the first guess of the coefficient of variation is worth."""

Z: Final = 1.645
"""Half width of a 90% interval, in standard deviations."""


class Sums(msgspec.Struct, array_like=True):
    """Amounts added up: how many, their sum, the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, amount: float) -> None:
        """Take in one amount (0 or more)."""
        self.count += 1
        self.total += amount
        self.squares += amount * amount

    def join(self, other: Sums) -> None:
        """Take in all of another."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares


def expected(here: Sums, elsewhere: Sums, documented: float) -> Estimate:
    """The expected amount with its 90% interval, in the unit of the amounts."""
    common = (DOCUMENTED * documented + elsewhere.total) / (DOCUMENTED + elsewhere.count)
    mean = (ELSEWHERE * common + here.total) / (ELSEWHERE + here.count)
    weight = ELSEWHERE / (ELSEWHERE + here.count)
    parts = 1.0 / (ELSEWHERE + here.count) + weight * weight / (DOCUMENTED + elsewhere.count)
    factor = exp(Z * sqrt(_variation(here, elsewhere) * parts))
    return Estimate(mean=round(mean, 3), low=round(mean / factor, 3), high=round(mean * factor, 3))


def _variation(*measured: Sums) -> float:
    """The squared coefficient of variation within the groups, drawn towards 1."""
    count, total = VARIATION, VARIATION
    for sums in measured:
        if sums.count > 1 and sums.total > 0.0:
            mean = sums.total / sums.count
            total += (sums.count - 1) * max(sums.squares / sums.count / mean**2 - 1.0, 0.0)
            count += sums.count - 1
    return total / count
