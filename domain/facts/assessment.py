"""Facts of `assessment/<threat>` (responder) and `suppression/<id>` (operators)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.values import Level, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One part of a risk: `points` on the scale 0-10 (negative ones lower it), and why, in words."""

    name: str
    points: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an exception covers: every field that is not empty must fit.

    Attributes:
        entity, peer: an address, or the name of a host.
        network: CIDR; fits when the entity lies in it.
        threat_kind: a kind of the closed list.
        rule: id or title of a Sigma rule.
    """

    entity: str = ""
    peer: str = ""
    network: str = ""
    threat_kind: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatAssessed:
    """The responder weighed a threat: its risk, and the contributions that add up to it."""

    kind: ClassVar[str] = "threat-assessed"
    decided: ClassVar[bool] = True
    threat: UUID
    risk: float
    level: Level
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatMerged:
    """The threat repeats one of the same entity and kind inside the window: it is counted there and not worked twice.

    `count` is how many have been merged into that threat so far. What makes duplicates are two feeds that see the same
    traffic: within one feed a threat that goes on is one threat (`threat-continued`).
    """

    kind: ClassVar[str] = "threat-merged"
    decided: ClassVar[bool] = True
    threat: UUID
    into: UUID
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatSuppressed:
    """An exception covers the threat: it opens and joins no incident, moves none, and nobody is alerted or acts.

    A verdict that it was correct ends the exception for this threat; so does its next evidence after the exception.
    """

    kind: ClassVar[str] = "threat-suppressed"
    decided: ClassVar[bool] = True
    threat: UUID
    suppression: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionAdded:
    """An operator made an exception until `expires_at`; `covered` threats of the recorded history would have fitted."""

    kind: ClassVar[str] = "suppression-added"
    decided: ClassVar[bool] = True
    suppression: UUID
    scope: Scope
    expires_at: Micros
    reason: str
    covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRemoved:
    """An operator ended an exception before its time."""

    kind: ClassVar[str] = "suppression-removed"
    decided: ClassVar[bool] = True
    suppression: UUID
    reason: str
