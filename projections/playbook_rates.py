"""How well playbooks do, by playbook, kind of threat and class of asset: counted over the view of responses.

A response is a success when it held (all of its actions seen in force, one of them against the threat) until its time
was over or the incident was resolved, whether its threat was the gravest of the incident or not; a failure when it was
given up. What is still in force, what was not begun, what a verdict, an exception or an operator took back early, what
ended without having held anything back (a dry run, a ticket) is neither. docs/planning.md says why.
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
    excepted = and_(at.undone_because.is_not(None), at.undone_because == "exception")
    contained = and_(at.contained_at.is_not(None), ~wrong)
    held_at = func.coalesce(at.held_at, at.contained_at)  # of before it was written down who acted
    held = and_(held_at.is_not(None), ~wrong)
    held_out = and_(at.undone_because.is_not(None), at.undone_because == "ttl")
    given_up = or_(at.status == "failed", and_(at.undone_because.is_not(None), at.undone_because == "failure"))
    failed = and_(begun, given_up, ~wrong)
    resolved = and_(of.status.is_not(None), of.status == "resolved", ~excepted)
    succeeded = and_(held, ~given_up, or_(held_out, resolved))
    counted = {
        "proposed": func.count(),
        "begun": _count(begun),
        "held": _count(held),
        "contained": _count(contained),
        "succeeded": _count(succeeded),
        "failed": _count(failed),
        "wrong": _count(wrong),
        "mean_seconds": func.avg(case((held, (held_at - at.proposed_at) / 1e6))),
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
