"""The incidents: one row each, with threats, notes and timeline. A merged one points to the older that took it in.

A threat goes on without a word of its incident: title and time of the last activity are those of its threats as they
stand, and are looked up when an incident is read (`current`).

Of very large ones the first `LISTED` threats and entities are listed, and the others counted; which threats stand in an
incident, the view of the threats knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Select, func, or_, select
from sqlmodel import Field

from domain.facts import alert, assessment, model, operation, response, telemetry, threat
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentContained,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReleased,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
    ThreatLinked,
)
from domain.facts.response import ResponseUnavailable
from domain.journal import Recorded
from domain.moments import rfc3339
from domain.values import Micros
from projections import threats
from projections.view import (
    Handler,
    Row,
    Rows,
    View,
    ViewTable,
    active,
    at_least,
    facts_of,
    holds,
    joined,
    key_of,
    known,
    named_by,
    plain,
    value_of,
)

TIMELINE: Final = 200
"""Entries of a timeline at most: the first, and then the latest."""

LISTED: Final = 1_000
"""Threats and entities listed of an incident at most."""


class Incident(ViewTable, table=True):
    """An incident. Times are microseconds; entities to timeline are JSON.

    Status: open, acknowledged (somebody is at it), contained (actions hold it back, taken or not), resolved, merged.
    `before_contained`: what a contained one goes back to (open, acknowledged) when it is released.
    """

    __tablename__ = "incidents"

    id: str = Field(primary_key=True)
    status: str = Field(index=True)
    level: str
    risk: float
    title: str
    opened_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger, index=True)
    position: int = Field(sa_type=BigInteger)
    merged_into: str | None
    resolution: str | None
    before_contained: str | None
    more_entities: int = Field(sa_type=BigInteger)
    more_threats: int = Field(sa_type=BigInteger)
    entities: str
    threats: str
    notes: str
    timeline: str


def _opened(_: Rows, fact: IncidentOpened, recorded: Recorded) -> Iterable[Row]:
    yield {
        "id": key_of(fact.incident),
        "status": "open",
        "level": fact.level,
        "risk": float(fact.risk),
        "title": plain(fact.title),
        "opened_at": recorded.occurred_at,
        "updated_at": recorded.occurred_at,
        "position": recorded.position,
        "merged_into": None,
        "resolution": None,
        "before_contained": None,
        "more_entities": 0,
        "more_threats": 0,
        "entities": fact.entities,
        "threats": [key_of(fact.threat)],
        "notes": [],
        "timeline": [_entry(recorded, fact.title)],
    }


def _linked(rows: Rows, fact: ThreatLinked, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.incident, "incident")
    yield {
        **_went_on(row, recorded, f"{fact.reason}: {fact.title}"),
        **_listed(row, "threats", key_of(fact.threat)),
        **_listed(row, "entities", fact.entity),
        "title": plain(fact.title) if fact.risk > row["risk"] else row["title"],
        "level": fact.level,
        "risk": float(fact.risk),
    }


def _merged(rows: Rows, fact: IncidentMerged, recorded: Recorded) -> Iterable[Row]:
    row, older = known(rows, fact.incident, "incident"), known(rows, fact.into, "incident")
    row = _went_on(row, recorded, f"into {fact.into}")
    yield {**row, "status": "merged", "merged_into": key_of(fact.into), "before_contained": None}
    yield {
        **_went_on(older, recorded, f"took in {fact.incident}"),
        **_listed(older, "threats", *value_of(row, "threats")),
        **_listed(older, "entities", *value_of(row, "entities")),
        "notes": [*value_of(older, "notes"), *value_of(row, "notes")],
    }


def _escalated(rows: Rows, fact: IncidentEscalated, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, f"to {fact.level} ({fact.risk}): {fact.title}")
    yield {**row, "level": fact.level, "risk": float(fact.risk), "title": plain(fact.title)}


def _acknowledged(rows: Rows, fact: IncidentAcknowledged, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, "")
    changed = "before_contained" if row["status"] == "contained" else "status"
    yield {**row, changed: "acknowledged"}


def _contained(rows: Rows, fact: IncidentContained, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, f"by response {fact.response}")
    if row["status"] in {"open", "acknowledged"}:
        row = {**row, "status": "contained", "before_contained": row["status"]}
    yield row


def _released(rows: Rows, fact: IncidentReleased, recorded: Recorded) -> Iterable[Row]:
    text = f"its gravest threat is held back no more: response {fact.response} was taken back ({fact.reason})"
    if fact.reason == "graver":
        text = f"its gravest threat is not held back: response {fact.response} holds a lesser one"
    row = _went_on(known(rows, fact.incident, "incident"), recorded, text)
    if row["status"] == "contained":
        row = {**row, "status": row["before_contained"], "before_contained": None}
    yield row


def _resolved(rows: Rows, fact: IncidentResolved, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, fact.reason)
    yield {**row, "status": "resolved", "before_contained": None, "resolution": plain(fact.reason)}


def _reopened(rows: Rows, fact: IncidentReopened, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, f"by threat {fact.threat}")
    yield {**row, "status": "open", "resolution": None, **_listed(row, "threats", key_of(fact.threat))}


def _noted(rows: Rows, fact: NoteAdded, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.incident, "incident"), recorded, fact.text)
    note = {"at": recorded.occurred_at, "by": recorded.actor, "text": fact.text}
    yield {**row, "notes": [*value_of(row, "notes"), note]}


def _unavailable(rows: Rows, fact: ResponseUnavailable, recorded: Recorded) -> Iterable[Row]:
    yield _went_on(known(rows, fact.incident, "incident"), recorded, plain(fact.reason))


def _listed(row: Row, name: str, *more: str) -> Row:
    """The list with more in it, as far as there is room; the others are counted (again, when they come again)."""
    held = value_of(row, name)
    if len(held) >= LISTED:
        return {f"more_{name}": row[f"more_{name}"] + sum(each not in held for each in more)}
    found = joined(held, *more)
    return {name: found[:LISTED], f"more_{name}": row[f"more_{name}"] + max(0, len(found) - LISTED)}


def _entry(recorded: Recorded, text: str) -> Row:
    return {
        "at": recorded.occurred_at,
        "what": recorded.fact.kind,
        "by": recorded.actor,
        "text": text,
        "position": recorded.position,
    }


def _went_on(row: Row, recorded: Recorded, text: str) -> Row:
    """The row with one more entry in its timeline."""
    kept = value_of(row, "timeline")
    if len(kept) >= TIMELINE:
        kept = [kept[0], *kept[2:]]
    latest = max(row["updated_at"], recorded.occurred_at)
    return {**row, "updated_at": latest, "timeline": [*kept, _entry(recorded, text)]}


ON: Final[dict[str, Handler]] = {
    "incident-opened": _opened,
    "threat-linked": _linked,
    "incident-merged": _merged,
    "incident-escalated": _escalated,
    "incident-acknowledged": _acknowledged,
    "incident-contained": _contained,
    "incident-released": _released,
    "incident-resolved": _resolved,
    "incident-reopened": _reopened,
    "note-added": _noted,
    "response-unavailable": _unavailable,
}

IGNORED: Final = facts_of(alert, assessment, model, operation, response, telemetry, threat) - {"response-unavailable"}

VIEW: Final = View(
    name="incidents",
    table=Incident.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"entities", "threats", "notes", "timeline"}),
    reads=named_by("incident", "into"),
    opens=frozenset({"incident-opened"}),
    later={"before_contained": None, "more_entities": 0, "more_threats": 0},
)


def listing(
    *,
    since: Micros | None = None,
    until: Micros | None = None,
    entity: str | None = None,
    level: str | None = None,
    status: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Incidents of at least this level that were active in the span and fit, the gravest first.

    Merged ones only when asked for by status. An entity fits as one of the incident's own, or as a peer of its threats.
    """
    at = VIEW.table.c
    query = select(VIEW.table).where(
        at.status != "merged" if status is None else at.status == status,
        *active(at.opened_at, at.updated_at, None, until),
        *at_least(at.level, level),
    )
    if since is not None:
        query = query.where(or_(at.updated_at >= since, at.id.in_(_went_on_since(since))))
    if entity is not None:
        query = query.where(or_(holds(at.entities, entity), at.id.in_(_against(entity))))
    return query.order_by(at.risk.desc(), at.updated_at.desc(), at.id).limit(limit)


def _went_on_since(since: Micros) -> Select[Any]:
    """Ids of the incidents with a threat that went on since then."""
    threat = threats.VIEW.table.c
    return select(threat.incident).where(threat.last_seen >= since, threat.incident.is_not(None))


def members(incidents: Iterable[str]) -> Select[Any]:
    """What the threats of incidents say now: `home` (the incident), title, risk, last_seen, status.

    Those of an incident that was merged into one of them are among them.
    """
    threat, incident = threats.VIEW.table.c, VIEW.table.c
    home = func.coalesce(incident.merged_into, incident.id).label("home")
    said = (threat.title, threat.risk, threat.last_seen, threat.status)
    query = select(home, *said).join(VIEW.table, incident.id == threat.incident)
    return query.where(home.in_(list(incidents)))


def current(row: Row, members: Iterable[Row]) -> Row:
    """An incident as its threats stand: the title of the gravest that no exception covers, and the last activity."""
    found = list(members)
    if not found:
        return row
    told = [each for each in found if each["status"] != "suppressed"] or found
    gravest = max(told, key=itemgetter("risk", "last_seen", "title"))
    latest = max(each["last_seen"] for each in found)
    return {**row, "title": gravest["title"], "updated_at": max(row["updated_at"], latest)}


def _against(entity: str) -> Select[Any]:
    """Ids of the incidents with a threat that has the entity on its other side."""
    threat = threats.VIEW.table.c
    return select(threat.incident).where(holds(threat.peers, entity), threat.incident.is_not(None))


def document(row: Row) -> dict[str, Any]:
    """An incident as other tools read it: times in RFC 3339, everything else as it stands."""
    shown = {name: rfc3339(value) if name in {"opened_at", "updated_at"} else value for name, value in row.items()}
    for name in ("notes", "timeline"):
        shown[name] = [{**entry, "at": rfc3339(entry["at"])} for entry in row[name]]
    return shown
