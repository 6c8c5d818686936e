"""Facts of `alert/<id>`: who is to be told of an incident, and whether it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from domain.values import Level, Micros

AlertTrigger = Literal["opened", "escalated", "reopened", "unacknowledged", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRouted:
    """An incident is to be told to a channel. The alert's id is its idempotence key at the receiver.

    Attributes:
        route: name of the rule that chose the channel.
        not_before: event time until which quiet hours hold it back; 0 when it goes out at once.
        grouped: how many earlier changes of the incident it stands for beside its own.
    """

    kind: ClassVar[str] = "alert-routed"
    decided: ClassVar[bool] = True
    alert: UUID
    incident: UUID
    channel: str
    route: str
    trigger: AlertTrigger
    level: Level
    risk: float
    title: str
    entities: tuple[str, ...]
    not_before: Micros
    grouped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSuppressed:
    """An alert that a route would have sent was held back for a reason (grouping, rate limit, an exception)."""

    kind: ClassVar[str] = "alert-suppressed"
    decided: ClassVar[bool] = True
    alert: UUID
    incident: UUID
    channel: str
    route: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEscalated:
    """Nobody acknowledged the incident in time, so another channel is told (sensed: it depends on the clock)."""

    kind: ClassVar[str] = "alert-escalated"
    decided: ClassVar[bool] = False
    alert: UUID
    incident: UUID
    channel: str
    route: str
    level: Level
    risk: float
    title: str
    entities: tuple[str, ...]
    waited_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDelivered:
    """The receiver took the alert (sensed)."""

    kind: ClassVar[str] = "alert-delivered"
    decided: ClassVar[bool] = False
    alert: UUID
    channel: str
    attempt: int
    milliseconds: float
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFailed:
    """An attempt to deliver failed (sensed). `dead`: it was the last; the alert is a dead letter from here on."""

    kind: ClassVar[str] = "alert-failed"
    decided: ClassVar[bool] = False
    alert: UUID
    channel: str
    attempt: int
    error: str
    dead: bool
