"""The workflows: all that one threat set going, by correlation id: steps in their order, results, durations, errors.

Rules:
    1. The first threat of a workflow names it. A step is a fact; its duration is the time since the step before it.
    2. A workflow waits for what it began and what has not ended: an answer, a delivery, an effect, an undo.
    3. One that waits and does not move is found by `stalled`; `workflow-stalled` says so, and what it waits for.
    4. One that waits for nothing is done when its incident is over, whoever's workflow ended it, or when its threat was
       weighed and stands in no incident: nothing more will be done about it. A threat that grows opens it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Select, and_, case, select
from sqlmodel import Field

from domain.events import FACTS
from domain.facts import model, operation, telemetry
from domain.journal import Recorded
from domain.moments import rfc3339
from domain.values import Micros
from projections import incidents
from projections.view import Handler, Row, Rows, View, ViewTable, active, equal, facts_of, key_of, plain, value_of

STEPS: Final = 200
"""Steps of a workflow that are shown at most: the first, and then the latest."""

IGNORED: Final = facts_of(model, operation, telemetry) | {
    "threat-continued",  # evidence, no step: there may be very many
    "suppression-added",
    "suppression-removed",
}

BEGINS: Final[dict[str, tuple[str, str]]] = {
    "response-proposed": ("response", "an answer to the proposed response"),
    "response-approved": ("response", "the response to begin"),
    "response-deferred": ("response", "room for the response, or an answer to it"),
    "action-started": ("action", "an action to take effect"),
    "action-succeeded": ("action", "an action to be seen in force"),
    "undo-requested": ("undo:response", "a response to be taken back"),
    "alert-routed": ("alert", "an alert to be delivered"),
    "alert-escalated": ("alert", "an escalated alert to be delivered"),
}
"""Kind -> (field that names what begins, what is waited for)."""

ENDS: Final[dict[str, tuple[str, ...]]] = {
    "response-rejected": ("response",),
    "response-expired": ("response",),
    "action-started": ("response",),
    "action-verified": ("action",),
    "action-undone": ("action", "undo:response"),
    "alert-delivered": ("alert",),
    "alert-suppressed": ("alert",),
}
"""Kind -> fields that name what has ended."""

OVER: Final = frozenset({"incident-resolved", "incident-merged", "verdict-given", "threat-suppressed", "threat-merged"})
AGAIN: Final = frozenset({"incident-reopened"})
"""Kinds that end a workflow, and that open it again."""

ERRORS: Final = frozenset({"action-failed", "alert-failed", "response-unavailable", "workflow-stalled"})
SAYING: Final = (
    "title", "verdict", "correction", "playbook", "reason", "phase", "error", "channel", "target", "receipt",
    "evidence", "text", "waiting_for", "level",
)  # fmt: skip
"""Fields of facts that say something to people."""


class Workflow(ViewTable, table=True):
    """A workflow. Times are microseconds; steps, waiting and incidents are JSON.

    Status: waiting (for what it began), stalled (waiting, not moving), done (resolved, judged, suppressed, merged, or
    too slight for an incident), open (none of these: an operator may look at it).
    """

    __tablename__ = "workflows"

    id: str = Field(primary_key=True)
    status: str = Field(index=True)
    title: str
    incident: str | None = Field(index=True)
    started_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    moved_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    errors: int = Field(sa_type=BigInteger)
    count: int = Field(sa_type=BigInteger)
    steps: str
    waiting: str


def _step(rows: Rows, fact: Any, recorded: Recorded) -> Iterable[Row]:
    if recorded.correlation is None:
        return
    key = key_of(recorded.correlation)
    row = rows.get(key) or _new(key, fact, recorded)
    waiting = _waiting(dict(value_of(row, "waiting")), fact)
    stalled = fact.kind == "workflow-stalled"
    ended_at = recorded.occurred_at if fact.kind in OVER else None if fact.kind in AGAIN else row["ended_at"]
    incident = key_of(fact.incident) if getattr(fact, "incident", None) else row["incident"]
    over = ended_at is not None or (incident is None and fact.kind != "threat-detected")
    steps = value_of(row, "steps")
    if len(steps) >= STEPS:
        steps = [steps[0], *steps[2:]]
    yield {
        **row,
        "status": "stalled" if stalled else "waiting" if waiting else "done" if over else "open",
        "incident": incident,
        "updated_at": max(row["updated_at"], recorded.occurred_at),
        "moved_at": row["moved_at"] if stalled else recorded.recorded_at,
        "ended_at": ended_at,
        "position": recorded.position,
        "errors": row["errors"] + (fact.kind in ERRORS),
        "count": row["count"] + 1,
        "steps": [*steps, _entry(fact, recorded, row)],
        "waiting": waiting,
    }


def _new(key: str, fact: Any, recorded: Recorded) -> Row:
    return {
        "id": key,
        "status": "open",
        "title": plain(getattr(fact, "title", "")),
        "incident": None,
        "started_at": recorded.occurred_at,
        "updated_at": recorded.occurred_at,
        "moved_at": recorded.recorded_at,
        "ended_at": None,
        "position": recorded.position,
        "errors": 0,
        "count": 0,
        "steps": [],
        "waiting": {},
    }


def _entry(fact: Any, recorded: Recorded, row: Row) -> Row:
    said = [str(text) for name in _saying(fact.kind) if (text := getattr(fact, name))]
    return {
        "position": recorded.position,
        "what": fact.kind,
        "stream": recorded.stream,
        "by": recorded.actor,
        "at": recorded.occurred_at,
        "recorded_at": recorded.recorded_at,
        "seconds": max(0, recorded.recorded_at - row["moved_at"]) / 1e6,
        "result": "error" if fact.kind in ERRORS else "ok",
        "says": plain("; ".join(said))[:300],
    }


@cache
def _saying(kind: str) -> tuple[str, ...]:
    """Those fields of its facts that say something to people."""
    declared = {field.name for field in fields(FACTS[kind])}
    return tuple(name for name in SAYING if name in declared)


def _waiting(waiting: dict[str, str], fact: Any) -> dict[str, str]:
    """What is waited for after a fact."""
    for name in ENDS.get(fact.kind, ()):
        waiting.pop(_key(name, fact), None)
    if fact.kind in BEGINS:
        name, what = BEGINS[fact.kind]
        waiting[_key(name, fact)] = what
    if fact.kind == "action-failed":
        _failed(waiting, fact)
    if fact.kind == "alert-failed" and fact.dead:
        waiting.pop(_key("alert", fact), None)
    return waiting


def _failed(waiting: dict[str, str], fact: Any) -> None:
    """A refusal ends the waiting for a response to begin; any other failure is tried again, or taken back."""
    waiting.pop(_key("response", fact), None)
    if fact.phase == "undo":
        waiting[_key("action", fact)] = "an action to be taken back"
    elif fact.attempt:
        waiting[_key("action", fact)] = "an action that failed to be tried again, or taken back"


def _key(name: str, fact: Any) -> str:
    prefix, _, field = name.rpartition(":")
    identity: UUID = getattr(fact, field)
    return f"{prefix or field}/{identity}"


ON: Final[dict[str, Handler]] = {kind: _step for kind in FACTS if kind not in IGNORED}

VIEW: Final = View(
    name="workflows",
    table=Workflow.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"steps", "waiting"}),
    reads=lambda recorded: (recorded.correlation,),
)


def listing(
    *,
    since: Micros | None = None,
    status: str | None = None,
    incident: str | None = None,
    workflow: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Workflows that moved since then and fit, the latest first; their status knows of the end of their incident."""
    at, of = VIEW.table.c, incidents.VIEW.table.c
    ended = and_(at.status == "open", of.status.is_not(None), of.status.in_(("resolved", "merged")))
    shown = case((ended, "done"), else_=at.status)
    query = select(*(shown.label("status") if each.name == "status" else each for each in at)).select_from(
        VIEW.table.outerjoin(incidents.VIEW.table, of.id == at.incident)
    )
    if status is not None:
        query = query.where(shown == status)
    query = query.where(
        *active(at.started_at, at.updated_at, since, None), *equal((at.incident, incident), (at.id, workflow))
    )
    return query.order_by(at.position.desc()).limit(limit)


def stalled(before: Micros, limit: int = 1000) -> Select[Any]:
    """Workflows that wait for something and have not moved since a moment (of the log's own clock)."""
    at = VIEW.table.c
    return select(VIEW.table).where(at.status == "waiting", at.moved_at < before).order_by(at.position).limit(limit)


def document(row: Row) -> dict[str, Any]:
    """A workflow as other tools read it: times in RFC 3339."""
    moments = {"started_at", "updated_at", "moved_at", "ended_at"}
    shown = {name: rfc3339(value) if name in moments and value is not None else value for name, value in row.items()}
    shown["steps"] = [
        {**each, "at": rfc3339(each["at"]), "recorded_at": rfc3339(each["recorded_at"])} for each in row["steps"]
    ]
    shown["waiting"] = sorted(set(row["waiting"].values()))
    return shown
