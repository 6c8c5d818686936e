"""The alerts: one row each, from the rule that ordered it to what its receiver said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, select
from sqlmodel import Field

from domain.facts import assessment, incident, model, operation, response, telemetry, threat
from domain.facts.alert import (
    AlertDelivered,
    AlertEscalated,
    AlertFailed,
    AlertRetried,
    AlertRouted,
    AlertSuppressed,
)
from domain.journal import Recorded
from domain.moments import rfc3339
from domain.values import Micros
from projections.view import (
    Handler,
    Row,
    Rows,
    View,
    ViewTable,
    active,
    at_least,
    equal,
    facts_of,
    holds,
    key_of,
    known,
    named_by,
    plain,
    value_of,
)

TIMES: Final = ("created_at", "updated_at", "not_before", "delivered_at")


class Alert(ViewTable, table=True):
    """An alert. Times are microseconds; entities and kinds are JSON.

    States: `routed` (on its way), `held` (by quiet hours), `failed` (to be tried again), `delivered`, `dead` (given
    up), `suppressed` (kept back). `escalated_to` says that nobody answered it.
    """

    __tablename__ = "alerts"

    id: str = Field(primary_key=True)
    state: str = Field(index=True)
    channel: str = Field(index=True)
    route: str
    trigger: str
    incident: str = Field(index=True)
    level: str
    risk: float
    title: str
    entities: str
    kinds: str
    grouped: int = Field(sa_type=BigInteger)
    withheld: int = Field(sa_type=BigInteger)
    reason: str
    attempts: int = Field(sa_type=BigInteger)
    error: str
    receipt: str
    milliseconds: float
    escalated_to: str
    created_at: int = Field(sa_type=BigInteger, index=True)
    updated_at: int = Field(sa_type=BigInteger)
    not_before: int = Field(sa_type=BigInteger)
    delivered_at: int = Field(sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)


def _row(fact: AlertRouted | AlertEscalated | AlertSuppressed, recorded: Recorded, state: str) -> Row:
    return {
        "id": key_of(fact.alert),
        "state": state,
        "channel": plain(fact.channel),
        "route": plain(fact.route),
        "trigger": "",
        "incident": key_of(fact.incident),
        "level": fact.level,
        "risk": float(fact.risk),
        "title": plain(fact.title),
        "entities": [],
        "kinds": [],
        "grouped": 0,
        "withheld": 0,
        "reason": "",
        "attempts": 0,
        "error": "",
        "receipt": "",
        "milliseconds": 0.0,
        "escalated_to": [],
        "created_at": recorded.occurred_at,
        "updated_at": recorded.occurred_at,
        "not_before": 0,
        "delivered_at": 0,
        "position": recorded.position,
    }


def _routed(_: Rows, fact: AlertRouted, recorded: Recorded) -> Iterable[Row]:
    yield {
        **_row(fact, recorded, "held" if fact.not_before else "routed"),
        "trigger": fact.trigger,
        "entities": fact.entities,
        "kinds": fact.kinds,
        "grouped": fact.grouped,
        "withheld": fact.withheld,
        "not_before": fact.not_before,
    }


def _escalated(rows: Rows, fact: AlertEscalated, recorded: Recorded) -> Iterable[Row]:
    yield {
        **_row(fact, recorded, "routed"),
        "trigger": "unacknowledged",
        "entities": fact.entities,
        "kinds": fact.kinds,
    }
    before = rows.get(key_of(fact.after))
    if before is not None:
        yield {**before, "escalated_to": [*value_of(before, "escalated_to"), key_of(fact.alert)]}


def _suppressed(rows: Rows, fact: AlertSuppressed, recorded: Recorded) -> Iterable[Row]:
    row = rows.get(key_of(fact.alert))
    if row is None:
        yield {**_row(fact, recorded, "suppressed"), "reason": fact.reason}
    elif row["state"] != "delivered":
        yield {**row, "state": "suppressed", "reason": fact.reason, "updated_at": recorded.occurred_at}


def _delivered(rows: Rows, fact: AlertDelivered, recorded: Recorded) -> Iterable[Row]:
    yield {
        **known(rows, fact.alert, "alert"),
        "state": "delivered",
        "reason": "",
        "attempts": fact.attempt,
        "receipt": plain(fact.receipt),
        "milliseconds": float(fact.milliseconds),
        "updated_at": recorded.occurred_at,
        "delivered_at": recorded.occurred_at,
    }


def _failed(rows: Rows, fact: AlertFailed, recorded: Recorded) -> Iterable[Row]:
    yield {
        **known(rows, fact.alert, "alert"),
        "state": "dead" if fact.dead else "failed",
        "attempts": fact.attempt,
        "error": plain(fact.error),
        "updated_at": recorded.occurred_at,
    }


def _retried(rows: Rows, fact: AlertRetried, recorded: Recorded) -> Iterable[Row]:
    yield {**known(rows, fact.alert, "alert"), "state": "routed", "updated_at": recorded.occurred_at}


ON: Final[dict[str, Handler]] = {
    "alert-routed": _routed,
    "alert-escalated": _escalated,
    "alert-suppressed": _suppressed,
    "alert-delivered": _delivered,
    "alert-failed": _failed,
    "alert-retried": _retried,
}

IGNORED: Final = facts_of(assessment, incident, model, operation, response, telemetry, threat) | {"alerting-changed"}

VIEW: Final = View(
    name="alerts",
    table=Alert.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"entities", "kinds", "escalated_to"}),
    reads=named_by("alert", "after"),
    opens=frozenset({"alert-routed"}),
)


def listing(
    *,
    since: Micros | None = None,
    until: Micros | None = None,
    entity: str | None = None,
    level: str | None = None,
    status: str | None = None,
    channel: str | None = None,
    incident: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Alerts of at least this level that fit, the latest first. The status `escalated` is that of unanswered ones."""
    at = VIEW.table.c
    query = select(VIEW.table).where(
        *active(at.created_at, at.updated_at, since, until),
        *at_least(at.level, level),
        *equal((at.channel, channel), (at.state, None if status == "escalated" else status)),
    )
    if status == "escalated":
        query = query.where(at.escalated_to != "[]")
    if entity is not None:
        query = query.where(holds(at.entities, entity))
    if incident is not None:
        query = query.where(at.incident.startswith(incident, autoescape=True))
    return query.order_by(at.created_at.desc(), at.id).limit(limit)


def document(row: Row) -> dict[str, Any]:
    """An alert as other tools read it: times in RFC 3339, null for what has not happened."""
    shown = {name: (rfc3339(value) if value else None) if name in TIMES else value for name, value in row.items()}
    return {**shown, "milliseconds": row["milliseconds"] if row["delivered_at"] else None}
