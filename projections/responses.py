"""The responses: one row each, with its actions, their states and when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import BigInteger, Select, select
from sqlmodel import Field

from domain.facts import alert, assessment, incident, model, operation, telemetry, threat
from domain.facts.incident import IncidentContained
from domain.facts.response import (
    CONTAINING,
    DRY_RUN,
    UNSURE,
    ActionFailed,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    ResponseApproved,
    ResponseDeferred,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    UndoRequested,
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
    equal,
    facts_of,
    key_of,
    known,
    named_by,
    plain,
    value_of,
)

MOMENTS: Final = frozenset({"proposed_at", "waiting_since", "held_at", "updated_at", "contained_at", "expires_at"})
LIVE: Final = frozenset({"started", "succeeded", "in force", "not in force", "failing", "undoing"})
"""States of an action that the world may feel."""


class Response(ViewTable, table=True):
    """A response. Times are microseconds; candidates, success, duration, cost and actions are JSON.

    Status: proposed (waits for an answer), rejected, expired, refused (by the gate), approved, starting (nothing has
    been heard of its effect yet), in force, contained (all of its actions are in force and seen), failing (something
    does not work, and is tried again), undoing (something is to be taken back), undone, failed (given up; what may have
    been done was taken back).
    """

    __tablename__ = "responses"

    id: str = Field(primary_key=True)
    status: str = Field(index=True)
    incident: str = Field(index=True)
    threat: str = Field(index=True)
    threat_kind: str
    level: str
    entity: str
    asset_class: str
    playbook: str
    playbook_version: str
    mode: str
    propensity: float
    reason: str
    decided_by: str | None
    proposed_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger, index=True)
    contained_at: int | None = Field(sa_type=BigInteger)
    expires_at: int | None = Field(sa_type=BigInteger)
    undone_because: str | None
    waits_for: str
    held_at: int | None = Field(sa_type=BigInteger)
    waiting_since: int | None = Field(sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    workflow: str | None
    candidates: str
    success: str
    duration: str
    cost: str
    actions: str


def _proposed(_: Rows, fact: ResponseProposed, recorded: Recorded) -> Iterable[Row]:
    asking = set(fact.asking)
    yield {
        "id": key_of(fact.response),
        "status": "proposed",
        "incident": key_of(fact.incident),
        "threat": key_of(fact.threat),
        "threat_kind": fact.threat_kind,
        "level": fact.level,
        "entity": plain(fact.entity),
        "asset_class": plain(fact.asset_class),
        "playbook": fact.playbook,
        "playbook_version": fact.playbook_version,
        "mode": fact.mode,
        "propensity": float(fact.propensity),
        "reason": "",
        "decided_by": None,
        "proposed_at": recorded.occurred_at,
        "updated_at": recorded.occurred_at,
        "contained_at": None,
        "expires_at": None,
        "undone_because": None,
        "waits_for": "",
        "held_at": None,
        "waiting_since": None,
        "position": recorded.position,
        "workflow": key_of(recorded.correlation) if recorded.correlation else None,
        "candidates": fact.candidates,
        "success": asdict(fact.success),
        "duration": asdict(fact.duration),
        "cost": asdict(fact.cost),
        "actions": [
            {
                "id": str(each.action),
                "step": each.step,
                "actuator": each.actuator,
                "verb": each.verb,
                "target_type": each.target_type,
                "target": each.target,
                "ttl_seconds": each.ttl / 1_000_000,
                "undo": each.undo,
                "asks": each.action in asking,
                "state": "proposed",
                "by": "",
                "started_at": None,
                "expires_at": None,
                "ended_at": None,
                "attempts": 0,
                "milliseconds": None,
                "receipt": "",
                "evidence": "",
                "error": "",
                "undone_because": None,
                "sent": False,
            }
            for each in fact.actions
        ],
    }


def _answered(status: str) -> Handler:
    def handle(
        rows: Rows, fact: ResponseApproved | ResponseRejected | ResponseExpired, recorded: Recorded
    ) -> Iterable[Row]:
        row = known(rows, fact.response, "response")
        full = f"it found no room in time ({row['waits_for']})" if row["waits_for"] else ""
        reason = getattr(fact, "reason", full or "nobody answered in time")
        answered = {"status": status, "reason": plain(reason), "decided_by": recorded.actor, "waits_for": ""}
        unbegun = row["status"] == "approved" and status != "approved"
        if row["status"] == "proposed" or unbegun:  # an answer that came too late changes nothing
            yield {**_went_on(row, recorded), **answered}

    return handle


def _deferred(rows: Rows, fact: ResponseDeferred, recorded: Recorded) -> Iterable[Row]:
    row = _went_on(known(rows, fact.response, "response"), recorded)
    if fact.asks:  # nobody has decided it any more
        asked = {"status": "proposed", "decided_by": None, "waiting_since": recorded.occurred_at, "waits_for": ""}
        yield {**row, **asked, "reason": plain(f"{fact.check}: {fact.reason}")}
    else:
        yield {**row, "waits_for": plain(f"{fact.check}: {fact.reason}")}


def _undo_requested(rows: Rows, fact: UndoRequested, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.response, "response")
    live = any(each["state"] in LIVE for each in value_of(row, "actions"))
    why = row["undone_because"] or fact.reason  # whoever asks for it again
    yield {**_went_on(row, recorded), "status": "undoing" if live else row["status"], "undone_because": why}


def _acted(change: Callable[[Any, Recorded, Row], Row]) -> Handler:
    """A handler that changes one action of a response and draws the response's own state from all of them."""

    def handle(rows: Rows, fact: Any, recorded: Recorded) -> Iterable[Row]:
        row = known(rows, fact.response, "response")
        actions = [
            {**each, **change(fact, recorded, each)} if each["id"] == key_of(fact.action) else each
            for each in value_of(row, "actions")
        ]
        held_at = row["held_at"] or (recorded.occurred_at if _holds(actions) else None)
        yield _drawn({**_went_on(row, recorded), "actions": actions, "held_at": held_at})

    return handle


def _holds(actions: list[Row]) -> bool:
    """Whether all actions were seen in force, and one of them holds a threat back; a dry run does not."""
    return all(each["state"] == "in force" for each in actions) and any(
        each["verb"] in CONTAINING and each["by"] not in {"", DRY_RUN} for each in actions
    )


def _started(fact: ActionStarted, recorded: Recorded, _: Row) -> Row:
    return {"state": "started", "by": fact.by, "started_at": recorded.occurred_at, "expires_at": fact.expires_at}


def _succeeded(fact: ActionSucceeded, _: Recorded, action: Row) -> Row:
    return {
        "state": "succeeded",
        "attempts": action["attempts"] + 1,
        "milliseconds": float(fact.milliseconds),
        "receipt": plain(fact.receipt),
        "error": "",
        "sent": True,
    }


def _failed(fact: ActionFailed, recorded: Recorded, action: Row) -> Row:
    refused = fact.phase == "gate" and action["state"] == "proposed"
    state = "refused" if refused else "undoing" if fact.phase == "undo" else "failing"
    ended = recorded.occurred_at if refused else None
    return {
        "state": state,
        "attempts": fact.attempt,
        "error": plain(f"{fact.phase}: {fact.error}"),
        "ended_at": ended,
        "sent": _sent(action) or fact.phase in UNSURE,
    }


def _verified(fact: ActionVerified, _: Recorded, __: Row) -> Row:
    state = "in force" if fact.in_force else "not in force"
    return {"state": state, "evidence": plain(fact.evidence), "sent": True}


def _undone(fact: ActionUndone, recorded: Recorded, action: Row) -> Row:
    failed = fact.reason == "failure" and not _sent(action)
    return {
        "state": "failed" if failed else "undone",
        "ended_at": recorded.occurred_at,
        "evidence": plain(fact.evidence),
        "error": action["error"] if fact.reason == "failure" else "",
        "undone_because": fact.reason,
    }


def _sent(action: Row) -> bool:
    """Whether something of an action may have been done; rows of before did not say."""
    return bool(action.get("sent", True))


def _contained(rows: Rows, fact: IncidentContained, recorded: Recorded) -> Iterable[Row]:
    row = known(rows, fact.response, "response")
    yield {**_went_on(row, recorded), "status": "contained", "contained_at": recorded.occurred_at}


def _went_on(row: Row, recorded: Recorded) -> Row:
    return {**row, "updated_at": max(row["updated_at"], recorded.occurred_at), "position": recorded.position}


def _drawn(row: Row) -> Row:
    """The response's state, end and reason of its undo from its actions."""
    actions = row["actions"]
    states = {each["state"] for each in actions}
    live = states & LIVE
    ends = [each["expires_at"] for each in actions if each["state"] in LIVE]
    reasons = [each["undone_because"] for each in actions if each["undone_because"]]
    status = next(
        name
        for holds, name in (
            (states == {"refused"}, "refused"),
            (not live and "failure" in reasons, "failed"),
            (not live and bool(reasons), "undone"),
            ("undoing" in live or (live and row["status"] == "undoing"), "undoing"),
            (bool(live & {"failing", "not in force"}), "failing"),
            (row["status"] == "contained" and live == {"in force"}, "contained"),
            (bool(live - {"started"}), "in force"),
            (bool(live), "starting"),
            (True, row["status"]),
        )
        if holds
    )
    return {
        **row,
        "status": status,
        "waits_for": row["waits_for"] if status == "approved" else "",
        "expires_at": max(ends) if ends else row["expires_at"],
        "undone_because": reasons[0] if reasons else row["undone_because"],
    }


ON: Final[dict[str, Handler]] = {
    "response-proposed": _proposed,
    "response-approved": _answered("approved"),
    "response-deferred": _deferred,
    "response-rejected": _answered("rejected"),
    "response-expired": _answered("expired"),
    "undo-requested": _undo_requested,
    "action-started": _acted(_started),
    "action-retried": _acted(lambda _fact, _recorded, _action: {}),
    "action-succeeded": _acted(_succeeded),
    "action-failed": _acted(_failed),
    "action-verified": _acted(_verified),
    "action-undone": _acted(_undone),
    "incident-contained": _contained,
}

IGNORED: Final = facts_of(alert, assessment, incident, model, operation, telemetry, threat) - {
    "incident-contained"
} | frozenset({"workflow-stalled", "response-unavailable"})

VIEW: Final = View(
    name="responses",
    table=Response.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="id",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"candidates", "success", "duration", "cost", "actions"}),
    reads=named_by("response"),
    opens=frozenset({"response-proposed"}),
    later={"waits_for": "", "waiting_since": None, "held_at": None},
)


def listing(
    *,
    since: Micros | None = None,
    until: Micros | None = None,
    entity: str | None = None,
    status: str | None = None,
    incident: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Responses that were active in the span and fit, the latest first."""
    at = VIEW.table.c
    query = select(VIEW.table).where(
        *active(at.proposed_at, at.updated_at, since, until),
        *equal((at.entity, entity), (at.status, status), (at.incident, incident)),
    )
    return query.order_by(at.updated_at.desc(), at.id).limit(limit)


def document(row: Row) -> dict[str, Any]:
    """A response as other tools read it: times in RFC 3339."""
    shown = {name: _moment(value) if name in MOMENTS else value for name, value in row.items()}
    shown["actions"] = [
        {name: _moment(value) if name.endswith("_at") else value for name, value in each.items()}
        for each in row["actions"]
    ]
    return shown


def _moment(value: Micros | None) -> str | None:
    return None if value is None else rfc3339(value)
