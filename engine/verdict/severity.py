"""Severity of an anomaly: how far the host lies from its own baseline, in a table.

The deviation is the median of the distances of the features that lie farthest out, in median absolute deviations from
the host's own medians: one single odd number makes no severe anomaly.

    >>> severity_of(2.0).name, severity_of(7.0).name, severity_of(1000.0).name
    ('slight', 'clear', 'extreme')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SeverityName = Literal["slight", "clear", "strong", "extreme"]


@dataclass(frozen=True, slots=True)
class Severity:
    """A class of deviation.

    Attributes:
        least: where it begins, in MAD.
        factor: what it multiplies the score of a vote with.
        decides: whether a vote of this class is a threat. One in a hundred windows votes, as promised, of a harmless
            host too; a slight or clear one is counted and kept among the candidates, and bothers nobody.
    """

    name: SeverityName
    least: float
    factor: float
    decides: bool


SEVERITIES: Final = (
    Severity("extreme", 24.0, 4.0, decides=True),
    Severity("strong", 12.0, 2.0, decides=True),
    Severity("clear", 6.0, 1.5, decides=False),
    Severity("slight", 0.0, 1.0, decides=False),
)
"""The classes, gravest first."""


def severity_of(deviation: float) -> Severity:
    """The class that a deviation falls into."""
    return next(severity for severity in SEVERITIES if deviation >= severity.least)
