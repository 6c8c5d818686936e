"""Moments as people write them: RFC 3339 in UTC, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.values import DAY, HOUR, MINUTE, SECOND, Micros

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UNITS: Final[dict[str, Micros]] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


def rfc3339(moment: Micros) -> str:
    """A moment in RFC 3339, UTC, as precise as it is.

    >>> rfc3339(1_521_911_721_255_341), rfc3339(0)
    ('2018-03-24T17:15:21.255341Z', '1970-01-01T00:00:00Z')
    """
    try:
        return (EPOCH + timedelta(microseconds=moment)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{moment}us"  # beyond the calendar: better an odd moment than none


def to_moment(text: str, now: Micros) -> Micros:
    """The moment that a person means: RFC 3339 (UTC when no offset is given), a date, or an age such as `2h`.

    >>> to_moment("2h", 3 * HOUR) == HOUR, to_moment("1970-01-01T00:00:01Z", 0)
    (True, 1000000)

    Raises:
        ValueError: it is none of these.
    """
    if age := re.fullmatch(r"(\d{1,9})([smhdw])", text.strip()):
        return now - int(age[1]) * UNITS[age[2]]
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time: give RFC 3339 (2026-01-31T12:00:00Z) or an age (30m, 2h, 3d)") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - EPOCH) // timedelta(microseconds=1)
