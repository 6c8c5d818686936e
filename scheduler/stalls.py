"""The watch over workflows: what waits for something and does not move is said, once, with what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from domain.facts.response import WorkflowStalled
from domain.journal import Draft, Journal
from domain.values import SECOND, Micros, event_id
from projections import workflows
from projections.view import Row


class Reader(Protocol):
    """Views that can be asked."""

    def rows(self, view: str, query: Any) -> list[Row]:
        """Rows of a view that a query selects."""


class StallWatch:
    """A job of the clockwork.

    Args:
        views: the views, followed by somebody else.
        now: the wall clock.
        after: seconds without a step after which a waiting workflow is stalled.
    """

    def __init__(self, journal: Journal, views: Reader, now: Callable[[], Micros], after: float) -> None:
        self._journal = journal
        self._views = views
        self._now = now
        self._after = round(after * SECOND)

    def look(self) -> str | None:
        """Record `workflow-stalled` for each; returns how many, None when there is none."""
        now = self._now()
        found = self._views.rows("workflows", workflows.stalled(now - self._after))
        if found:
            self._journal.append([_draft(row, now) for row in found])
        return said(len(found)) if found else None

    def faults(self) -> Sequence[str]:
        """What stands still, in words: for the health of the house."""
        still = self._views.rows("workflows", workflows.listing(status="stalled", limit=1000))
        return [f"workflows stand still: {said(len(still))}"] if still else []


def said(count: int) -> str:
    """How many are stalled, in words.

    >>> said(1), said(2)
    ('1 workflow is stalled', '2 workflows are stalled')
    """
    return "1 workflow is stalled" if count == 1 else f"{count:,} workflows are stalled"


def _draft(row: Row, now: Micros) -> Draft:
    workflow = UUID(row["id"])
    stream = f"workflow/{workflow}"
    last = row["steps"][-1]["position"]
    fact = WorkflowStalled(
        workflow=workflow,
        waiting_for=", ".join(sorted(set(row["waiting"].values()))),
        seconds=(now - row["moved_at"]) // SECOND,
    )
    return Draft(
        # of one standstill there is one: the next step of the workflow makes the next one possible
        event_id=event_id(workflow, stream, fact.kind, last),
        stream=stream,
        fact=fact,
        occurred_at=max(now, row["updated_at"]),
        actor="scheduler",
        correlation=workflow,
    )
