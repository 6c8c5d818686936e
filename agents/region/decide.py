"""What a region says of its health: only when it changes, so that a quiet system writes nothing.

Rules:
    1. A silent feed, a parked stream, an action that cannot be taken back or a stalled workflow degrades health.
    2. When every feed is silent there is nothing to defend with: critical.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.facts.operation import Health, HealthReported


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """Command: how the process stands now."""

    region: str
    feeds: int
    silent_feeds: tuple[str, ...]
    parked_streams: int = 0
    faults: tuple[str, ...] = ()


def decide(command: Observe, last: HealthReported | None) -> list[HealthReported]:
    """A report when health or its reasons are not what was last reported.

    >>> decide(Observe(region="local", feeds=1, silent_feeds=()), None)[0].health
    'healthy'
    >>> decide(Observe(region="local", feeds=2, silent_feeds=("zeek",)), None)[0].reasons
    ('feed zeek is silent',)
    """
    reasons = [f"feed {name} is silent" for name in sorted(command.silent_feeds)]
    if command.parked_streams:
        reasons.append(f"{command.parked_streams} streams are parked")
    reasons += command.faults
    report = HealthReported(region=command.region, health=_health(command), reasons=tuple(reasons))
    return [] if report == last else [report]


def _health(command: Observe) -> Health:
    if command.feeds and len(command.silent_feeds) == command.feeds:
        return "critical" if command.feeds > 1 else "degraded"
    return "degraded" if command.silent_feeds or command.parked_streams or command.faults else "healthy"
