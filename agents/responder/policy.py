"""What the responder may be told by its operators."""

from __future__ import annotations

from dataclasses import dataclass

from domain.values import DAY, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of the intake.

    Attributes:
        open_from: risk from which a threat opens or joins an incident (4 = medium).
        join_window: event time between a threat and an incident's last evidence within which they may join, us.
        reopen_window: time after resolution within which new evidence reopens the incident, us.
    """

    open_from: float = 4.0
    join_window: Micros = DAY
    reopen_window: Micros = DAY
