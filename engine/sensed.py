"""What a step of sensing gives back: sightings, notices and scores, each in row order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from domain.sighting import Sighting
from domain.values import Micros, Verdict

NoticeName = Literal[
    "baseline-warming",
    "model-trained",
    "model-retired",
    "baseline-learned",
    "baseline-shifted",
    "threshold-moved",
    "votes-counted",
    "model-timed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that became true inside the engine right after row `row`: a model was fitted, a warm-up ended.

    `fields` are the fields of the fact of that name, as the engine knows them.
    """

    row: int
    at: Micros
    name: NoticeName
    fields: dict[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict of an operator, as the engine learns from it.

    Attributes:
        threat: which one was judged: the last verdict on it counts.
        entity: whom the threat was about.
        detail: the stored evidence of its sighting (the bytes that `Sighting.detail` names); empty when there is none.
    """

    threat: str
    entity: str
    verdict: Verdict
    confidence: float
    detail: bytes = b""


@dataclass(slots=True, kw_only=True)
class Sensed:
    """What one frame gave.

    Attributes:
        scores: p-values.
        blobs: what notices and sightings name by SHA-256 (models, evidence): whoever records one stores its blob first.
    """

    sightings: list[Sighting] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
