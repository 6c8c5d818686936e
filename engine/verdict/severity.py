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
    """A class of deviation: where it begins (in MAD), and what it multiplies the score of a vote with."""

    name: SeverityName
    least: float
    factor: float


SEVERITIES: Final = (
    Severity("extreme", 24.0, 4.0),
    Severity("strong", 12.0, 2.0),
    Severity("clear", 6.0, 1.5),
    Severity("slight", 0.0, 1.0),
)
"""The classes, gravest first."""


def severity_of(deviation: float) -> Severity:
    """The class that a deviation falls into."""
    return next(severity for severity in SEVERITIES if deviation >= severity.least)
