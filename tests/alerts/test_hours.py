"""Hours of the week: midnight, days, zones and summer time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.responder.hours import parse_hours, quiet_until, within
from domain.values import DAY, SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("span", "zone", "moment", "inside"),
    [
        ("22:00-07:00", "UTC", "2026-03-02T23:00", True),
        ("22:00-07:00", "UTC", "2026-03-02T06:59", True),
        ("22:00-07:00", "UTC", "2026-03-02T07:00", False),
        ("mon-fri 08:00-18:00", "UTC", "2026-03-07T12:00", False),
        ("fri 22:00-07:00", "UTC", "2026-03-07T03:00", True),
        ("fri 22:00-07:00", "UTC", "2026-03-06T03:00", False),
        ("sat,sun", "UTC", "2026-03-08T00:00", True),
        ("08:00-09:00", "Europe/Berlin", "2026-01-05T07:30", True),
        ("08:00-09:00", "Europe/Berlin", "2026-07-06T07:30", False),
        ("fri-mon 00:00-01:00", "UTC", "2026-03-08T00:30", True),
    ],
)
def test_a_span_holds_what_is_in_it(span, zone, moment, inside):
    assert within((parse_hours(span, zone),), at(moment)) is inside


@pytest.mark.parametrize(
    ("spans", "zone", "moment", "end"),
    [
        (["22:00-07:00"], "UTC", "2026-03-02T23:00", "2026-03-03T07:00"),
        (["22:00-07:00"], "Europe/Berlin", "2026-03-28T22:00", "2026-03-29T05:00"),  # the clocks go forward that night
        (["22:00-07:00"], "Europe/Berlin", "2026-10-24T21:00", "2026-10-25T06:00"),  # and back
        (["22:00-07:00", "sat,sun"], "UTC", "2026-03-06T23:00", "2026-03-09T07:00"),
        (["sat,sun", "mon 00:00-08:00"], "UTC", "2026-03-07T12:00", "2026-03-09T08:00"),
    ],
)
def test_quiet_ends_when_no_span_holds_any_more(spans, zone, moment, end):
    assert quiet_until(tuple(parse_hours(text, zone) for text in spans), at(moment)) == at(end)


@given(
    st.integers(0, 2_000_000_000),
    st.sampled_from(["22:00-07:00", "01:30-02:45", "00:00-24:00", "sat,sun", "tue 12:00-13:00"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_quiet_never_ends_before_it_is_asked_for_nor_later_than_in_a_week(second, text, zone):
    span = parse_hours(text, zone)
    end = quiet_until((span,), second * SECOND)
    assert second * SECOND <= end <= second * SECOND + 8 * DAY
    if text != "00:00-24:00":
        assert not within((span,), end)


@pytest.mark.parametrize(
    "text", ["", "8-9", "25:00-26:00", "08:00-08:00", "noday 08:00-09:00", "mon tue 08:00-09:00", "08:60-09:00"]
)
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ValueError, match=r"span|day|hours"):
        parse_hours(text)


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="Mars/Olympus"):
        parse_hours("08:00-09:00", "Mars/Olympus")
