"""The threats: one row each, with all that explains it, the incident it belongs to and what operators said of it.

Risk and level are those of the last assessment; before one, the detector's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, or_, select
from sqlmodel import Field

from domain.facts import alert, model, operation, response, telemetry
from domain.facts.assessment import ThreatAssessed, ThreatMerged, ThreatSuppressed
from domain.facts.incident import IncidentOpened, IncidentReopened, ThreatLinked
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Recorded
from domain.moments import rfc3339
from domain.values import Micros, Verdict
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

STATUS: Final[dict[Verdict, str]] = {"correct": "confirmed", "incorrect": "dismissed", "partial": "open"}
"""Status of a threat after its last verdict; before the first it is `open`, `merged` or `suppressed`."""

TIMES: Final = frozenset({"detected_at", "first_seen", "last_seen"})
SAMPLES: Final = 20
"""Flows shown of a threat at most."""


class Threat(ViewTable, table=True):
    """A threat. Times are microseconds; peers to verdicts are JSON."""

    __tablename__ = "threats"

    id: str = Field(primary_key=True)
    feed: str
    entity: str
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
    merged_into: str | None
    duplicates: int = Field(sa_type=BigInteger)
    suppression: str | None
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
    contributions: str


def _detected(_: Rows, fact: ThreatDetected, recorded: Recorded) -> Iterable[Row]:
    yield {
        **_totals(fact),
        "id": key_of(fact.threat),
        "feed": fact.feed,
        "status": "open",
        "detected_at": fact.detected_at,
        "first_seen": fact.first_seen,
        "continued": 0,
        "position": recorded.position,
        "incident": None,
        "merged_into": None,
        "duplicates": 0,
        "suppression": None,
        "model_version": fact.model_version,
        "rules_version": fact.rules_version,
        "settings_version": fact.settings_version,
        "verdicts": [],
        "contributions": [],
    }


def _continued(rows: Rows, fact: ThreatContinued, _: Recorded) -> Iterable[Row]:
    row = known(rows, fact.threat, "threat")
    weighed = {name: row[name] for name in ("risk", "level")} if value_of(row, "contributions") else {}
    yield {**row, **_totals(fact), **weighed, "continued": row["continued"] + 1}


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
    row = known(rows, fact.threat, "threat")
    merged = isinstance(fact, ThreatLinked) and fact.reason == "merged"  # which says nothing about exceptions
    status = "open" if row["status"] == "suppressed" else row["status"]
    ended = {} if merged else {"status": status, "suppression": None}
    yield {**row, **ended, "incident": key_of(fact.incident)}


def _assessed(rows: Rows, fact: ThreatAssessed, _: Recorded) -> Iterable[Row]:
    row = known(rows, fact.threat, "threat")
    yield {**row, "risk": float(fact.risk), "level": fact.level, "contributions": fact.contributions}


def _merged(rows: Rows, fact: ThreatMerged, _: Recorded) -> Iterable[Row]:
    row, other = known(rows, fact.threat, "threat"), known(rows, fact.into, "threat")
    status = "merged" if row["status"] == "open" else row["status"]
    yield {**row, "status": status, "merged_into": key_of(fact.into)}
    yield {**other, "duplicates": fact.count}


def _suppressed(rows: Rows, fact: ThreatSuppressed, _: Recorded) -> Iterable[Row]:
    row = known(rows, fact.threat, "threat")
    status = "suppressed" if row["status"] in {"open", "merged"} else row["status"]
    yield {**row, "status": status, "suppression": key_of(fact.suppression)}


ON: Final[dict[str, Handler]] = {
    "threat-detected": _detected,
    "threat-continued": _continued,
    "verdict-given": _judged,
    "incident-opened": _belongs,
    "threat-linked": _belongs,
    "incident-reopened": _belongs,
    "threat-assessed": _assessed,
    "threat-merged": _merged,
    "threat-suppressed": _suppressed,
}

IGNORED: Final = facts_of(alert, model, operation, response, telemetry) | frozenset(
    {
        "suppression-added",  # what an exception does is told threat by threat
        "suppression-removed",
        "incident-merged",  # where a merged incident leads is the incident view's to say
        "incident-escalated",
        "incident-acknowledged",
        "incident-contained",
        "incident-released",
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
    json=frozenset({"peers", "techniques", "rules", "votes", "features", "flows", "verdicts", "contributions"}),
    reads=named_by("threat", "into"),
    opens=frozenset({"threat-detected"}),
    later={"merged_into": None, "duplicates": 0, "suppression": None, "contributions": "[]"},
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
    query = select(VIEW.table).where(
        *active(at.first_seen, at.last_seen, since, until),
        *at_least(at.level, level),
        *equal((at.status, status), (at.incident, incident)),
    )
    if entity is not None:
        query = query.where(or_(at.entity == entity, holds(at.peers, entity)))
    return query.order_by(at.risk.desc(), at.last_seen.desc(), at.id).limit(limit)


def document(row: Row) -> dict[str, Any]:
    """A threat as other tools read it: times in RFC 3339, everything else as it stands."""
    shown = {name: rfc3339(value) if name in TIMES else value for name, value in row.items()}
    shown["flows"] = [{**flow, "ts": rfc3339(flow["ts"])} for flow in row["flows"][:SAMPLES]]
    shown["verdicts"] = [{**verdict, "at": rfc3339(verdict["at"])} for verdict in row["verdicts"]]
    return shown
