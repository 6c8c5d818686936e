"""Facts of `alert/<id>`: who is to be told of an incident, and whether it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from domain.values import Level, Micros, ThreatKind

AlertTrigger = Literal[
    "opened", "grew", "escalated", "reopened", "released", "acknowledged", "resolved", "unacknowledged"
]
"""What became of the incident. `unacknowledged`: nobody took it in time, so another channel is told."""

SuppressionReason = Literal["rate-limit", "superseded", "resolved"]
"""Why an alert does not go out: the channel had its share of alerts; or it waited for the end of quiet hours, and a
newer alert of its incident overtook it, or the incident was over before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingChanged:
    """From here on these channels and rules say who is told of what (sensed: settings are read at start).

    Attributes:
        version: first 12 hex digits of the SHA-256 over the settings; no secret enters them.
    """

    kind: ClassVar[str] = "alerting-changed"
    decided: ClassVar[bool] = False
    version: str
    channels: tuple[str, ...]
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRouted:
    """An incident is to be told to a channel. The alert's id is its idempotence key at the receiver.

    Attributes:
        route: name of the first rule that chose the channel.
        kinds, threats, entities: of the incident; at most 20 of each, the first that came.
        threat_count: how many threats it holds.
        not_before: event time until which quiet hours hold it back; 0 when it goes out at once.
        grouped: changes of the incident since this channel was last told of it, beside this one.
        withheld: alerts that the channel's rate limit kept back since the last one that passed.
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
    kinds: tuple[ThreatKind, ...]
    threats: tuple[UUID, ...]
    threat_count: int
    opened_at: Micros
    not_before: Micros
    grouped: int
    withheld: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSuppressed:
    """An alert that a rule would have sent was kept back."""

    kind: ClassVar[str] = "alert-suppressed"
    decided: ClassVar[bool] = True
    alert: UUID
    incident: UUID
    channel: str
    route: str
    level: Level
    risk: float
    title: str
    reason: SuppressionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEscalated:
    """Nobody took the incident in time, so another channel is told (sensed: it depends on the clock).

    Attributes:
        alert: id of the new alert.
        after: the alert that nobody answered, or that never arrived.
        waited_seconds: between its delivery and now; 0 when it never arrived.
    """

    kind: ClassVar[str] = "alert-escalated"
    decided: ClassVar[bool] = False
    alert: UUID
    after: UUID
    incident: UUID
    channel: str
    route: str
    level: Level
    risk: float
    title: str
    entities: tuple[str, ...]
    kinds: tuple[ThreatKind, ...]
    threats: tuple[UUID, ...]
    threat_count: int
    opened_at: Micros
    waited_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDelivered:
    """The receiver took the alert (sensed).

    Attributes:
        attempt: which attempt it was, from 1.
        milliseconds: how long the attempt took.
        receipt: what the receiver answered, shortened.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRetried:
    """An operator wants a dead letter to be delivered after all."""

    kind: ClassVar[str] = "alert-retried"
    decided: ClassVar[bool] = True
    alert: UUID
    channel: str
