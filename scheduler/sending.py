"""Alerts in the hands of channels: what is handed over, what comes back, and the sending on a channel's own thread.

Rules:
    1. A channel that failed is tried by probes alone until one gets through: the rest comes back untried.
    2. Nothing is raised: an error is an outcome.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from agents.responder.notices import Channel, Notice, NotifyError
from agents.responder.shelf import Waiting
from domain.facts.alert import AlertRouted


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An alert in a channel's hands. `probe`: it tries whether a channel that failed works again."""

    waiting: Waiting
    notice: Notice
    probe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a channel's thread did with a job."""

    waiting: Waiting
    milliseconds: float = 0.0
    receipt: str = ""
    error: str = ""
    of_channel: bool = False
    retry_after: float = 0.0
    tried: bool = True


class Sender:
    """Sends through the channels, each from one thread."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._broken: set[str] = set()

    def send(self, channel: str, job: Job) -> Outcome:
        """Let a channel tell an alert."""
        if channel in self._broken and not job.probe:
            return Outcome(waiting=job.waiting, tried=False)
        begun = time.perf_counter()
        try:
            receipt = self._channels[channel].send(job.notice)
        except NotifyError as error:
            if error.of_channel:
                self._broken.add(channel)
            return Outcome(
                waiting=job.waiting,
                milliseconds=_since(begun),
                error=str(error),
                of_channel=error.of_channel,
                retry_after=error.retry_after,
            )
        self._broken.discard(channel)
        return Outcome(waiting=job.waiting, milliseconds=_since(begun), receipt=receipt)


def notice_of(waiting: Waiting) -> Notice:
    """An alert as a channel tells it."""
    alert = waiting.alert
    return Notice(
        key=alert.alert,
        incident=alert.incident,
        trigger=alert.trigger if isinstance(alert, AlertRouted) else "unacknowledged",
        level=alert.level,
        risk=alert.risk,
        title=alert.title,
        entities=alert.entities,
        kinds=alert.kinds,
        threats=alert.threats,
        threat_count=alert.threat_count,
        opened_at=alert.opened_at,
        occurred_at=waiting.occurred_at,
        region=waiting.region,
        grouped=alert.grouped if isinstance(alert, AlertRouted) else 0,
        withheld=alert.withheld if isinstance(alert, AlertRouted) else 0,
        waited_seconds=0 if isinstance(alert, AlertRouted) else alert.waited_seconds,
    )


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1e3, 3)
