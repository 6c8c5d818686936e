"""What all channels say, in words. What came from telemetry is cleaned of control characters first."""

from __future__ import annotations

from agents.responder.notices import Notice
from domain.facts.alert import AlertTrigger
from domain.moments import rfc3339
from domain.values import shown_risk

SAYS: dict[AlertTrigger, str] = {
    "opened": "",
    "grew": "goes on",
    "escalated": "now {level}",
    "reopened": "reopened",
    "released": "gravest threat held back no more",
    "acknowledged": "taken by an operator",
    "resolved": "over",
    "unacknowledged": "nobody has taken it",
}
"""What is new, beside the level and the title."""


def headline(notice: Notice, most: int = 150) -> str:
    """One line that says it all."""
    new = SAYS[notice.trigger].format(level=notice.level)
    mark = "TEST, no incident: " if notice.test else ""
    said = f"{mark}{notice.level.upper()} {shown_risk(notice.risk)}{f', {new}' if new else ''}: {notice.title}"
    return shortened(said, most)


def details(notice: Notice) -> list[tuple[str, str]]:
    """Names and values, in the order in which one reads them."""
    rows = [
        ("Risk", f"{shown_risk(notice.risk)} of 10 ({notice.level})"),
        ("Hosts", ", ".join(map(clean, notice.entities)) or "-"),
        ("Kinds", ", ".join(notice.kinds) or "-"),
        ("Threats", f"{notice.threat_count}"),
        ("Opened", rfc3339(notice.opened_at)),
        ("Region", clean(notice.region)),
    ]
    if notice.grouped:
        rows.append(("Since the last alert", f"{notice.grouped} more changes of this incident"))
    if notice.withheld:
        rows.append(("Kept back", f"{notice.withheld} alerts, by this channel's rate limit: `myrmidon alerts list`"))
    if notice.waited_seconds:
        rows.append(("Unanswered for", f"{notice.waited_seconds // 60} min {notice.waited_seconds % 60} s"))
    return rows


def advice(notice: Notice) -> str:
    """What to do next."""
    short = str(notice.incident)[:8]
    if notice.test:
        return "This is a test of the channel: nothing is to be done."
    return f"myrmidon incidents show {short}   take it: myrmidon incidents ack {short}"


def plain_text(notice: Notice) -> str:
    """The whole alert as text."""
    rows = details(notice)
    width = max(len(name) for name, _ in rows)
    lines = [headline(notice, 500), "", *(f"{name:<{width}}  {value}" for name, value in rows), "", advice(notice)]
    return "\n".join([*lines, "", f"Alert {notice.key}", ""])


def clean(text: str) -> str:
    r"""Text without control characters or lone surrogates.

    >>> clean("a\r\nBcc: b") == "a  Bcc: b"
    True
    """
    spaced = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return spaced.encode("utf-8", "replace").decode()


def shortened(text: str, most: int) -> str:
    """Clean text of at most so many characters.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    text = clean(text)
    return text if len(text) <= most else text[: most - 1] + "…"
