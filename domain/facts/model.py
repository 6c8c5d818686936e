"""Facts of `model/<name>` and `baseline/<profile>` that say how the models stand: warm-up, shifts, levels, votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

ShiftReason = Literal["lasting", "verdict", "verdict-taken-back"]
"""Why a baseline was shifted: the host was flagged for a whole baseline on end, a verdict said it was no threat, or a
later verdict on the same threat took that back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineWarming:
    """The warm-up of a profile began, or came a quarter further: hosts are held against their peers until it is over.

    Attributes:
        profile: `hosts` (the models are to be fitted), or a profile of working time.
        windows: how many are needed: of all hosts together for `hosts`, of one host in the others.
        seen: how many there were.
        least_peers: hosts whose windows must close together for a comparison with peers.
    """

    kind: ClassVar[str] = "baseline-warming"
    decided: ClassVar[bool] = True
    profile: str
    windows: int
    seen: int
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
class ModelRetired:
    """A model votes no more: it could not be loaded or fitted (version ""), or it failed. The others go on."""

    kind: ClassVar[str] = "model-retired"
    decided: ClassVar[bool] = True
    model: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRefused:
    """A run found the stored artifact of a model missing or changed; the copy in the working state serves (sensed)."""

    kind: ClassVar[str] = "artifact-refused"
    decided: ClassVar[bool] = False
    model: str
    version: str
    sha256: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdMoved:
    """Verdicts moved the level of a voter (consensus, peers): a p up to it is a vote. `target` is the promised rate."""

    kind: ClassVar[str] = "threshold-moved"
    decided: ClassVar[bool] = True
    model: str
    level: float
    target: float
    verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTimed:
    """How long a model took to score a host window since the last count, in microseconds (sensed)."""

    kind: ClassVar[str] = "model-timed"
    decided: ClassVar[bool] = False
    model: str
    windows: int
    mean_us: float
    p95_us: float


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
