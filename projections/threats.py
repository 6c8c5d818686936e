"""The threats: one row each, with all that explains it, the incident it belongs to and what operators said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, or_, select
from sqlmodel import Field

from domain.facts import alert, assessment, model, operation, response, telemetry
from domain.facts.incident import IncidentOpened, IncidentReopened, ThreatLinked
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Recorded
from domain.moments import rfc3339
from domain.values import Micros, Verdict
from projections.view import Handler, Row, Rows, View, ViewTable, at_least, facts_of, holds, known, plain, value_of

STATUS: Final[dict[Verdict, str]] = {"correct": "confirmed", "incorrect": "dismissed", "partial": "open"}
"""Status of a threat after its last verdict; `open` before the first."""

TIMES: Final = frozenset({"detected_at", "first_seen", "last_seen"})
SAMPLES: Final = 20
"""Flows shown of a threat at most."""


class Threat(ViewTable, table=True):
    """A threat. Times are microseconds; peers to verdicts are JSON."""

    __tablename__ = "threats"

    id: str = Field(primary_key=True)
    feed: str
    entity: str = Field(index=True)
    kind: str
    title: str
    status: str
    score: float
    risk: float
    level: str
    confidence: float
    detected_at: int = Field(sa_type=BigInteger)
    first_seen: int = Field(sa_type=BigInteger)
    last_seen: int = Field(sa_type=BigInteger, index=True)
    flow_count: int = Field(sa_type=BigInteger)
    row: int = Field(sa_type=BigInteger)
    continued: int = Field(sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    incident: str | None
    model_version: str
    rules_version: str
    settings_version: str
    peers: str
    techniques: str
    rules: str
    votes: str
    features: str
    flows: str
    verdicts: str


def _detected(_: Rows, fact: ThreatDetected, recorded: Recorded) -> Iterable[Row]:
    yield {
        **_totals(fact),
        "id": str(fact.threat),
        "feed": fact.feed,
        "status": "open",
        "detected_at": fact.detected_at,
        "first_seen": fact.first_seen,
        "continued": 0,
        "position": recorded.position,
        "incident": None,
        "model_version": fact.model_version,
        "rules_version": fact.rules_version,
        "settings_version": fact.settings_version,
        "verdicts": [],
    }


def _continued(rows: Rows, fact: ThreatContinued, _: Recorded) -> Iterable[Row]:
    row = known(rows, fact.threat, "threat")
    yield {**row, **_totals(fact), "continued": row["continued"] + 1}


def _totals(fact: ThreatDetected | ThreatContinued) -> Row:
    """What every sighting of a threat tells anew."""
    return {
        "entity": plain(fact.entity),
        "kind": fact.threat_kind,
        "title": plain(fact.title),
        "score": float(fact.score),
        "risk": float(fact.risk),
        "level": fact.level,
        "confidence": float(fact.confidence),
        "last_seen": fact.last_seen,
        "flow_count": fact.flow_count,
        "row": fact.row,
        "peers": fact.peers,
        "techniques": fact.techniques,
        "rules": fact.rules,
        "votes": fact.votes,
        "features": fact.features,
        "flows": fact.flows,
    }


def _judged(rows: Rows, fact: VerdictGiven, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.threat, "threat")
    verdict = {
        "verdict": fact.verdict,
        "confidence": fact.confidence,
        "correction": fact.correction,
        "by": recorded.actor,
        "at": recorded.occurred_at,
        "position": recorded.position,
    }
    yield {**row, "status": STATUS[fact.verdict], "verdicts": [*value_of(row, "verdicts"), verdict]}


def _belongs(rows: Rows, fact: IncidentOpened | ThreatLinked | IncidentReopened, _: Recorded) -> Iterable[Row]:
    yield {**known(rows, fact.threat, "threat"), "incident": str(fact.incident)}


ON: Final[dict[str, Handler]] = {
    "threat-detected": _detected,
    "threat-continued": _continued,
    "verdict-given": _judged,
    "incident-opened": _belongs,
    "threat-linked": _belongs,
    "incident-reopened": _belongs,
}

IGNORED: Final = facts_of(alert, assessment, model, operation, response, telemetry) | frozenset(
    {
        "incident-merged",  # where a merged incident leads is the incident view's to say
        "incident-escalated",
        "incident-acknowledged",
        "incident-contained",
        "incident-resolved",
        "note-added",
    }
)

VIEW: Final = View(
    name="threats",
    table=Threat.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"peers", "techniques", "rules", "votes", "features", "flows", "verdicts"}),
    named_by=("threat",),
    opens=frozenset({"threat-detected"}),
)


def listing(
    *,
    since: Micros | None = None,
    until: Micros | None = None,
    entity: str | None = None,
    level: str | None = None,
    status: str | None = None,
    incident: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Threats of at least this level that were active in the span and fit, the gravest first."""
    at = VIEW.table.c
    query = select(VIEW.table)
    if since is not None:
        query = query.where(at.last_seen >= since)
    if until is not None:
        query = query.where(at.first_seen <= until)
    if entity is not None:
        query = query.where(or_(at.entity == entity, holds(at.peers, entity)))
    if level is not None:
        query = query.where(at.level.in_(at_least(level)))
    equal = ((at.status, status), (at.incident, incident))
    query = query.where(*(column == value for column, value in equal if value is not None))
    return query.order_by(at.risk.desc(), at.last_seen.desc(), at.id).limit(limit)


def document(row: Row) -> dict[str, Any]:
    """A threat as other tools read it: times in RFC 3339, everything else as it stands."""
    shown = {name: rfc3339(value) if name in TIMES else value for name, value in row.items()}
    shown["flows"] = [{**flow, "ts": rfc3339(flow["ts"])} for flow in row["flows"][:SAMPLES]]
    shown["verdicts"] = [{**verdict, "at": rfc3339(verdict["at"])} for verdict in row["verdicts"]]
    return shown
