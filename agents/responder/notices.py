"""What the responder needs of a channel: tell people something. One contract suite runs over every kind of channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.errors import MyrmidonError
from domain.facts.alert import AlertTrigger
from domain.values import Level, Micros, ThreatKind


class NotifyError(MyrmidonError):
    """A channel did not take an alert: what, where, and what to do."""

    def __init__(self, message: str, *, of_channel: bool = True, retry_after: float = 0.0) -> None:
        """Make the error.

        Args:
            message: one line, without any secret.
            of_channel: the channel does not work at all; False when it refused this one alert.
            retry_after: seconds that the receiver asked to wait.
        """
        super().__init__(message)
        self.of_channel = of_channel
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told. `key` is the idempotence key: what comes twice under one key is one alert.

    Attributes:
        grouped: changes of the incident since this channel was last told of it.
        withheld: alerts that the channel's rate limit kept back since the last one.
        waited_seconds: how long nobody answered the alert before this one, if that is what it is about.
        test: it was sent to try the channel out; there is no such incident.
    """

    key: UUID
    incident: UUID
    trigger: AlertTrigger
    level: Level
    risk: float
    title: str
    entities: tuple[str, ...]
    kinds: tuple[ThreatKind, ...]
    threats: tuple[UUID, ...]
    threat_count: int
    opened_at: Micros
    occurred_at: Micros
    region: str = "local"
    grouped: int = 0
    withheld: int = 0
    waited_seconds: int = 0
    test: bool = False


class Channel(Protocol):
    """Somebody who can be told. Used by one thread at a time."""

    name: str
    kind: str

    def send(self, notice: Notice) -> str:
        """Tell it; returns the receiver's answer, shortened.

        Raises:
            NotifyError: it was not taken, or nobody knows: send it again under the same key.
        """

    def close(self) -> None:
        """Let go of connections."""
