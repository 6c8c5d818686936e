"""The exceptions: one row each, with what it covers, why, until when, and what it has silenced so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, select
from sqlmodel import Field

from domain.facts import alert, incident, model, operation, response, telemetry, threat
from domain.facts.assessment import SuppressionAdded, SuppressionRemoved, ThreatSuppressed
from domain.journal import Recorded
from domain.moments import rfc3339
from projections.view import Handler, Row, Rows, View, ViewTable, facts_of, key_of, known, named_by, plain, value_of

TIMES: Final = ("added_at", "expires_at", "last_silenced_at", "removed_at")

LATEST: Final = 20
"""Silenced threats that are listed: the latest."""


class Suppression(ViewTable, table=True):
    """An exception. Times are microseconds; threats are JSON."""

    __tablename__ = "suppressions"

    id: str = Field(primary_key=True)
    entity: str
    peer: str
    network: str
    threat_kind: str
    rule: str
    reason: str
    added_at: int = Field(sa_type=BigInteger, index=True)
    added_by: str
    expires_at: int = Field(sa_type=BigInteger)
    covered: int = Field(sa_type=BigInteger)
    silenced: int = Field(sa_type=BigInteger)
    last_silenced_at: int | None = Field(sa_type=BigInteger)
    removed_at: int | None = Field(sa_type=BigInteger)
    removed_by: str | None
    removed_because: str | None
    threats: str


def _added(_: Rows, fact: SuppressionAdded, recorded: Recorded) -> Iterable[Row]:
    yield {
        "id": key_of(fact.suppression),
        "entity": plain(fact.scope.entity),
        "peer": plain(fact.scope.peer),
        "network": plain(fact.scope.network),
        "threat_kind": fact.scope.threat_kind,
        "rule": plain(fact.scope.rule),
        "reason": plain(fact.reason),
        "added_at": recorded.occurred_at,
        "added_by": plain(recorded.actor),
        "expires_at": fact.expires_at,
        "covered": fact.covered,
        "silenced": 0,
        "last_silenced_at": None,
        "removed_at": None,
        "removed_by": None,
        "removed_because": None,
        "threats": [],
    }


def _removed(rows: Rows, fact: SuppressionRemoved, recorded: Recorded) -> Iterable[Row]:
    yield {
        **known(rows, fact.suppression, "exception"),
        "removed_at": recorded.occurred_at,
        "removed_by": plain(recorded.actor),
        "removed_because": plain(fact.reason),
    }


def _silenced(rows: Rows, fact: ThreatSuppressed, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.suppression, "exception")
    latest = [*value_of(row, "threats"), key_of(fact.threat)][-LATEST:]
    yield {**row, "silenced": row["silenced"] + 1, "last_silenced_at": recorded.occurred_at, "threats": latest}


ON: Final[dict[str, Handler]] = {
    "suppression-added": _added,
    "suppression-removed": _removed,
    "threat-suppressed": _silenced,
}

IGNORED: Final = facts_of(alert, incident, model, operation, response, telemetry, threat) | frozenset(
    {"threat-assessed", "threat-merged"}
)

VIEW: Final = View(
    name="suppressions",
    table=Suppression.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"threats"}),
    reads=named_by("suppression"),
    opens=frozenset({"suppression-added"}),
)


def listing(*, ended: bool = True) -> Select[Any]:
    """The exceptions, the newest first; without `ended` only those that nobody removed."""
    at = VIEW.table.c
    query = select(VIEW.table).order_by(at.added_at.desc(), at.id)
    return query if ended else query.where(at.removed_at.is_(None))


def document(row: Row) -> dict[str, Any]:
    """An exception as other tools read it: times in RFC 3339."""
    return {name: rfc3339(value) if name in TIMES and value is not None else value for name, value in row.items()}
