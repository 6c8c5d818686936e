"""Facts of `model/<name>` and `baseline/<profile>` that say how the models stand: warm-up, shifts, levels, votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

ShiftReason = Literal["lasting", "verdict", "verdict-taken-back"]
"""Why a baseline was shifted: the host was flagged for a whole baseline on end, a verdict said it was no threat, or a
later verdict on the same threat took that back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineWarming:
    """The warm-up of a profile began: until `baseline-learned` its hosts are held against their peers only."""

    kind: ClassVar[str] = "baseline-warming"
    decided: ClassVar[bool] = True
    profile: str
    windows: int
    least_peers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineShifted:
    """What is usual for a host in a profile was changed; `windows` were learned (verdict) or forgotten."""

    kind: ClassVar[str] = "baseline-shifted"
    decided: ClassVar[bool] = True
    profile: str
    host: str
    reason: ShiftReason
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdMoved:
    """Verdicts moved the level of the consensus: p at or below it is a vote. `target` is the promised rate."""

    kind: ClassVar[str] = "threshold-moved"
    decided: ClassVar[bool] = True
    model: str
    level: float
    target: float
    verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesCounted:
    """How a voter voted since the last count: windows judged, votes, and how often the consensus said otherwise."""

    kind: ClassVar[str] = "votes-counted"
    decided: ClassVar[bool] = True
    model: str
    version: str
    judged: int
    votes: int
    disagreements: int
