"""Facts of `threat/<id>` (detector) and `verdict/<threat>` (operators)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.sighting import Feature, Flow, RuleHit, Vote
from domain.values import Level, Micros, ThreatKind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatDetected:
    """An entity showed enough of one kind. Holds all that explains it: who, what, when, how sure, by which versions.

    `detail` is the SHA-256 of the stored record that its score can be computed from again; empty when there is none.
    `about` is what tells it from others of its entity and kind (peer, domain, service); empty where nothing does.
    """

    kind: ClassVar[str] = "threat-detected"
    decided: ClassVar[bool] = True
    threat: UUID
    feed: str
    entity: str
    threat_kind: ThreatKind
    title: str
    score: float
    risk: float
    level: Level
    confidence: float
    detected_at: Micros
    first_seen: Micros
    last_seen: Micros
    peers: tuple[str, ...]
    techniques: tuple[str, ...]
    rules: tuple[RuleHit, ...]
    detail: str
    votes: tuple[Vote, ...]
    features: tuple[Feature, ...]
    flow_count: int
    flows: tuple[Flow, ...]
    row: int
    model_version: str
    rules_version: str
    settings_version: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatContinued:
    """A known threat went on; every field is the new total. `about` is that of its first fact."""

    kind: ClassVar[str] = "threat-continued"
    decided: ClassVar[bool] = True
    threat: UUID
    entity: str
    threat_kind: ThreatKind
    title: str
    score: float
    risk: float
    level: Level
    confidence: float
    techniques: tuple[str, ...]
    rules: tuple[RuleHit, ...]
    detail: str
    last_seen: Micros
    peers: tuple[str, ...]
    votes: tuple[Vote, ...]
    features: tuple[Feature, ...]
    flow_count: int
    flows: tuple[Flow, ...]
    row: int
    first_seen: Micros
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGiven:
    """An operator judged a threat."""

    kind: ClassVar[str] = "verdict-given"
    decided: ClassVar[bool] = True
    threat: UUID
    verdict: Verdict
    confidence: float
    correction: str
