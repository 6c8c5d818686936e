"""How well playbooks do, by playbook, kind of threat and class of asset: counted over the view of responses.

A response is a success when it contained its incident until its time was over or the incident was resolved, a failure
when it was given up. What is still in force, what was not begun, what a verdict or an operator took back early, what
ended without having contained anything (a dry run, a ticket) is neither. docs/planning.md says why.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, and_, case, func, or_, select

from projections import incidents
from projections.responses import VIEW

GROUPED: Final = ("playbook", "threat_kind", "asset_class")


def rates(playbook: str | None = None) -> Select[Any]:
    """A row for each playbook, kind and class: how many were proposed, begun, and ended in which way, and how fast."""
    at, of = VIEW.table.c, incidents.VIEW.table.c
    wrong = and_(at.undone_because.is_not(None), at.undone_because == "verdict")
    begun = at.status.not_in(("proposed", "approved", "rejected", "expired", "refused"))
    contained = and_(at.contained_at.is_not(None), ~wrong)
    held_out = and_(at.undone_because.is_not(None), at.undone_because == "ttl")
    succeeded = and_(contained, or_(held_out, and_(of.status.is_not(None), of.status == "resolved")))
    given_up = or_(at.status == "failed", and_(at.undone_because.is_not(None), at.undone_because == "failure"))
    failed = and_(begun, at.contained_at.is_(None), given_up, ~wrong)
    counted = {
        "proposed": func.count(),
        "begun": _count(begun),
        "contained": _count(contained),
        "succeeded": _count(succeeded),
        "failed": _count(failed),
        "wrong": _count(wrong),
        "mean_seconds": func.avg(case((contained, (at.contained_at - at.proposed_at) / 1e6))),
    }
    columns = [at[name] for name in GROUPED]
    query = select(*columns, *(what.label(name) for name, what in counted.items()))
    query = query.select_from(VIEW.table.outerjoin(incidents.VIEW.table, of.id == at.incident)).group_by(*columns)
    if playbook is not None:
        query = query.where(at.playbook == playbook)
    return query.order_by(*columns)


def _count(holds: Any) -> Any:
    return func.sum(case((holds, 1), else_=0))


def document(row: dict[str, Any]) -> dict[str, Any]:
    """A row as other tools read it, with the rate of success of what has ended (null when nothing has)."""
    ended = row["succeeded"] + row["failed"]
    seconds = row["mean_seconds"]
    return {
        **row,
        "success_rate": round(row["succeeded"] / ended, 4) if ended else None,
        "mean_seconds": None if seconds is None else round(float(seconds), 3),
    }
