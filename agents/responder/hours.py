"""Hours of the week in a named zone: when a rule holds, and until when a channel is quiet.

Rules:
    1. A span that ends before it begins runs over midnight; its days are those on which it begins.
    2. The clock is that of the zone, summer time included; what comes in and goes out is UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from domain.values import MINUTE, SECOND, Micros

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN: Final = re.compile(r"^(\d\d):(\d\d)-(\d\d):(\d\d)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A span of the day on some days of the week.

    Attributes:
        begin, end: minutes since midnight, `end` up to 1440 and not part of the span.
        days: 0 is Monday.
        zone: IANA name.
    """

    begin: int
    end: int
    days: frozenset[int] = frozenset(range(7))
    zone: str = "UTC"

    def begun(self, at: Micros) -> datetime | None:
        """Midnight (zone) of the day on which the span that holds `at` began; None when none holds it."""
        local = local_time(at, self.zone)
        minute = local.hour * 60 + local.minute
        today = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.begin < self.end:
            inside = self.begin <= minute < self.end
            return today if inside and today.weekday() in self.days else None
        if minute >= self.begin:
            return today if today.weekday() in self.days else None
        yesterday = today - timedelta(days=1)
        return yesterday if minute < self.end and yesterday.weekday() in self.days else None

    def over(self, at: Micros) -> Micros:
        """When the span that holds `at` ends; `at` itself when none does."""
        day = self.begun(at)
        if day is None:
            return at
        past = self.end if self.begin < self.end else self.end + DAY_MINUTES
        end = (day + timedelta(days=past // DAY_MINUTES)).replace(hour=past % DAY_MINUTES // 60, minute=past % 60)
        for moment in (micros(end.replace(fold=0)), micros(end.replace(fold=1))):
            if moment > at:
                return moment
        return at - at % MINUTE + MINUTE  # the hour that is lived twice: look again in a minute


def within(spans: Iterable[Hours], at: Micros) -> bool:
    """Whether one of the spans holds a moment."""
    return any(span.begun(at) is not None for span in spans)


def quiet_until(spans: tuple[Hours, ...], at: Micros) -> Micros:
    """The first moment from `at` on that is in none of the spans; a week of quiet at most.

    >>> night = Hours(begin=22 * 60, end=7 * 60)
    >>> quiet_until((night,), 23 * 3600 * SECOND) // SECOND == (24 + 7) * 3600
    True
    """
    moment = at
    for _ in range(7 * max(1, len(spans))):
        later = max((span.over(moment) for span in spans), default=moment)
        if later <= moment:
            break
        moment = later
    return moment


def parse_hours(text: str, zone: str = "UTC") -> Hours:
    """Hours as people write them: `22:00-07:00`, `mon-fri 08:00-18:00`, `sat,sun`.

    Raises:
        ValueError: that is no span of hours, or there is no such zone.

    >>> parse_hours("mon-fri 08:00-18:00").days == frozenset(range(5))
    True
    """
    _zone(zone)
    *days, span = text.lower().split() or [""]
    if not days and not _SPAN.match(span):
        days, span = [span], "00:00-24:00"
    found = _SPAN.match(span)
    if found is None or len(days) > 1:
        raise ValueError(f"{text!r} is no span of hours: write 22:00-07:00, or mon-fri 08:00-18:00")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if begin >= DAY_MINUTES or end > DAY_MINUTES or begin == end or begin_minute > 59 or end_minute > 59:
        raise ValueError(f"{text!r}: hours run from 00:00 to 24:00, and a span is not empty")
    return Hours(begin=begin, end=end, days=_days(days[0]) if days else frozenset(range(7)), zone=zone)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(
                f"{part!r} is neither a day of the week ({', '.join(DAYS)}) nor a span of hours (22:00-07:00)"
            )
        begin, count = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
        found |= {(begin + step) % 7 for step in range(count)}
    return frozenset(found)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"there is no time zone {name!r}: use an IANA name, such as Europe/Berlin") from None


def local_time(at: Micros, zone: str) -> datetime:
    """A moment on the clock of a zone."""
    return (_EPOCH + timedelta(seconds=at // SECOND)).astimezone(_zone(zone))


def micros(moment: datetime) -> Micros:
    """A zoned moment in microseconds UTC."""
    return int((moment.astimezone(UTC) - _EPOCH).total_seconds()) * SECOND
