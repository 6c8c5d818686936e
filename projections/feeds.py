"""The feeds: running totals, the last clock, faults. Totals are per feed and run on across restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, select
from sqlmodel import Field

from domain.facts import alert, assessment, incident, model, operation, response, threat
from domain.facts.telemetry import BatchScored, FeedClosed, FeedFault, FeedOpened, LogReleased
from domain.journal import Recorded
from domain.moments import rfc3339
from projections.view import Handler, Row, Rows, View, ViewTable, facts_of, joined, known, named_by, plain, value_of


class Feed(ViewTable, table=True):
    """A feed. Times are microseconds; skipped_by to last_fault are JSON."""

    __tablename__ = "feeds"

    name: str = Field(primary_key=True)
    source: str
    opened_at: int = Field(sa_type=BigInteger)
    closed_at: int | None = Field(sa_type=BigInteger)
    heard_at: int = Field(sa_type=BigInteger)
    watermark: int = Field(sa_type=BigInteger)
    batches: int = Field(sa_type=BigInteger)
    received: int = Field(sa_type=BigInteger)
    scored: int = Field(sa_type=BigInteger)
    skipped: int = Field(sa_type=BigInteger)
    malformed: int = Field(sa_type=BigInteger)
    late: int = Field(sa_type=BigInteger)
    faults: int = Field(sa_type=BigInteger)
    model_version: str
    rules_version: str
    settings_version: str
    skipped_by: str
    released: str
    last_fault: str


COUNTS: Final = ("received", "scored", "skipped", "malformed", "late")


def _opened(_: Rows, fact: FeedOpened, recorded: Recorded) -> Iterable[Row]:
    yield {
        "name": plain(fact.feed),
        "source": plain(fact.source),
        "opened_at": recorded.occurred_at or recorded.recorded_at,  # the feed's clock has not begun yet
        "closed_at": None,
        "heard_at": recorded.recorded_at,
        "watermark": 0,
        "batches": 0,
        **dict.fromkeys(COUNTS, 0),
        "faults": 0,
        "model_version": "",
        "rules_version": "",
        "settings_version": fact.settings_version,
        "skipped_by": {},
        "released": [],
        "last_fault": None,
    }


def _scored(rows: Rows, fact: BatchScored, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.feed, "feed")
    reasons = dict(value_of(row, "skipped_by"))
    for reason, count in fact.skipped_by.items():
        reasons[reason] = reasons.get(reason, 0) + count
    yield {
        **row,
        **{name: row[name] + getattr(fact, name) for name in COUNTS},
        "closed_at": None,
        "heard_at": recorded.recorded_at,
        "watermark": max(row["watermark"], fact.watermark),
        "batches": row["batches"] + 1,
        "model_version": fact.model_version,
        "rules_version": fact.rules_version,
        "settings_version": fact.settings_version,
        "skipped_by": reasons,
    }


def _released(rows: Rows, fact: LogReleased, _: Recorded) -> Iterable[Row]:
    row = known(rows, fact.feed, "feed")
    yield {**row, "released": joined(value_of(row, "released"), fact.log)}


def _faulted(rows: Rows, fact: FeedFault, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.feed, "feed")
    last = {
        "at": recorded.occurred_at,
        "log": fact.log,
        "reason": fact.reason,
        "row": fact.row,
        "sample": fact.sample,
        "count": fact.count,
    }
    yield {**row, "faults": row["faults"] + fact.count, "last_fault": last}


def _closed(rows: Rows, fact: FeedClosed, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.feed, "feed")
    totals = {name: getattr(fact, name) for name in COUNTS}  # the feed's own totals, whatever batches were seen
    yield {**row, **totals, "closed_at": recorded.occurred_at, "heard_at": recorded.recorded_at}


ON: Final[dict[str, Handler]] = {
    "feed-opened": _opened,
    "batch-scored": _scored,
    "log-released": _released,
    "feed-fault": _faulted,
    "feed-closed": _closed,
}

IGNORED: Final = facts_of(alert, assessment, incident, model, operation, response, threat) | frozenset(
    {
        "baseline-learned",
        "state-evicted",  # the health view counts it
    }
)

VIEW: Final = View(
    name="feeds",
    table=Feed.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="name",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"skipped_by", "released", "last_fault"}),
    reads=named_by("feed"),
    opens=frozenset({"feed-opened"}),
)


def listing() -> Select[Any]:
    """All feeds by name."""
    return select(VIEW.table).order_by(VIEW.table.c.name)


def document(row: Row) -> dict[str, Any]:
    """A feed as other tools read it: times in RFC 3339, null when they have not come yet."""
    times = {"opened_at", "closed_at", "heard_at", "watermark"}
    shown = {name: (rfc3339(value) if value else None) if name in times else value for name, value in row.items()}
    if row["last_fault"]:
        shown["last_fault"] = {**row["last_fault"], "at": rfc3339(row["last_fault"]["at"])}
    return shown
