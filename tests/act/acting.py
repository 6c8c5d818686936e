"""Actions for the tests, and a clock that is moved by hand."""

from __future__ import annotations

from uuid import uuid5

from domain.facts.response import Action
from domain.values import HOUR, NAMESPACE, SECOND, Micros

NOW: Micros = 1_790_000_000 * SECOND


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: Micros = NOW) -> None:
        self.now = now

    def __call__(self) -> Micros:
        return self.now


def action(
    target: str = "203.0.113.7/32",
    *,
    verb: str = "deny",
    target_type: str = "ipv4_net",
    undo: str = "allow",
    number: int = 0,
    actuator: str = "firewall",
) -> Action:
    """An action; `number` makes it another one with the same target."""
    return Action(
        action=uuid5(NAMESPACE, f"test|{verb}|{target}|{number}"),
        step="action--00000000-0000-5000-8000-000000000000",
        actuator=actuator,
        verb=verb,
        target_type=target_type,
        target=target,
        ttl=HOUR,
        undo=undo,
    )
