"""Profiles of a host: what is usual by day is not what is usual at night.

>>> profile_of(1_767_603_600_000_000, AnomalyLimits())     # Monday 2026-01-05, 09:00 UTC
'day'
>>> profile_of(1_767_650_400_000_000, AnomalyLimits())     # the same day, 22:00
'night'
>>> profile_of(1_767_520_800_000_000, AnomalyLimits())     # the Sunday before, 10:00
'weekend'
"""

from __future__ import annotations

from typing import Final

from domain.anomaly_limits import AnomalyLimits
from domain.values import DAY, HOUR, MINUTE, Micros

PROFILES: Final = ("day", "night", "weekend")
"""Every profile: working days between `day_begins` and `day_ends`, the rest of them, Saturdays and Sundays."""


def profile_of(moment: Micros, limits: AnomalyLimits) -> str:
    """The profile that a moment of event time belongs to, on the clock of the site."""
    local = moment + limits.utc_offset_minutes * MINUTE
    if (local // DAY + 3) % 7 >= 5:  # the epoch was a Thursday
        return "weekend"
    return "day" if limits.day_begins <= local % DAY // HOUR < limits.day_ends else "night"
