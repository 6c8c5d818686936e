"""Exceptions at the desk: what one would have silenced, and how it is made and taken back.

Rules:
    1. A preview looks at the whole recorded history: the threats that the scope covers, and the open incidents of which
       nothing would be left.
    2. An exception covers what is recorded after it was made, and the open incidents; the past stays as it was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from adapters.views import Views
from agents.responder.exceptions import fits
from domain.facts.assessment import Scope, SuppressionAdded, SuppressionRemoved
from domain.journal import Draft, Journal
from domain.values import NAMESPACE, Micros, event_id
from projections import threats
from projections.threats import listing
from scheduler.desk import NotFound

WAITING: Final = ("proposed", "approved")
RUNNING: Final = ("starting", "in force", "contained", "failing")
"""States of responses that an exception ends: before they began, and after."""

SHOWN: Final = 10
"""Threats that a preview shows: the gravest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a scope covers of the recorded history.

    Attributes:
        covered, of: threats that fit, and all.
        kinds: how many of each kind, the most frequent first.
        confirmed: how many of them operators had judged correct: those would be hidden threats.
        incidents: ids of the open incidents that would be resolved.
        stay: threats of other open incidents that would come under it; nothing is done against them any more.
        waiting, running: responses to covered threats of open incidents, which would be withdrawn or taken back.
        top: the gravest, as other tools read them.
    """

    covered: int
    of: int
    kinds: dict[str, int]
    confirmed: int
    incidents: list[str]
    top: list[dict[str, Any]]
    stay: int = 0
    waiting: int = 0
    running: int = 0


def preview(views: Views, scope: Scope) -> Preview:
    """What the scope would have silenced."""
    rows = views.rows("threats", listing())
    fitting = [row for row in rows if covers(scope, row)]
    ids = {row["id"] for row in fitting if row["status"] != "confirmed"}
    kinds = Counter(row["kind"] for row in fitting)
    working = [each for each in views.list_incidents() if each["status"] not in {"resolved", "merged"}]
    resolved = [each["id"] for each in working if not each["more_threats"] and ids.issuperset(each["threats"])]
    homes = {each["id"] for each in working}
    told = [row for row in fitting if row["status"] not in {"confirmed", "suppressed"}]
    silenced = {row["id"]: row["incident"] for row in told if row["incident"] in homes}
    against = {
        status: sum(each["threat"] in silenced for each in views.list_responses(status=status))
        for status in (*WAITING, *RUNNING)
    }
    return Preview(
        covered=len(fitting),
        of=len(rows),
        kinds=dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))),
        confirmed=sum(row["status"] == "confirmed" for row in fitting),
        incidents=resolved,
        top=[threats.document(row) for row in fitting[:SHOWN]],
        stay=sum(incident not in resolved for incident in silenced.values()),
        waiting=sum(against[status] for status in WAITING),
        running=sum(against[status] for status in RUNNING),
    )


def covers(scope: Scope, row: dict[str, Any]) -> bool:
    """Whether a scope covers a threat of the view."""
    rules = [name for hit in row["rules"] for name in (hit["id"], hit["title"])]
    return fits(scope, entity=row["entity"], peers=row["peers"], kind=row["kind"], rules=rules)


def add(
    journal: Journal,
    scope: Scope,
    *,
    expires_at: Micros,
    reason: str,
    covered: int,
    cause: UUID,
    now: Micros,
    actor: str,
) -> UUID:
    """Record an exception; returns its id."""
    suppression = uuid5(NAMESPACE, f"suppression|{cause.hex}")
    fact = SuppressionAdded(suppression=suppression, scope=scope, expires_at=expires_at, reason=reason, covered=covered)
    _record(journal, fact, cause, now, actor)
    return suppression


def remove(journal: Journal, suppression: UUID, *, reason: str, cause: UUID, now: Micros, actor: str) -> int:
    """Record that an exception ended; returns the position.

    Raises:
        NotFound: there is none, or it was removed before.
    """
    history = journal.read_stream(f"suppression/{suppression}")
    if not history or isinstance(history[-1].fact, SuppressionRemoved):
        what = "was removed before" if history else "is not known"
        raise NotFound(f"exception {suppression} {what}: see `myrmidon suppress list`")
    return _record(journal, SuppressionRemoved(suppression=suppression, reason=reason), cause, now, actor)


def _record(journal: Journal, fact: SuppressionAdded | SuppressionRemoved, cause: UUID, now: Micros, actor: str) -> int:
    stream = f"suppression/{fact.suppression}"
    before = journal.read_stream(stream)
    draft = Draft(
        event_id=event_id(cause, stream, fact.kind),
        stream=stream,
        fact=fact,
        occurred_at=max(now, before[-1].occurred_at) if before else now,
        actor=actor,
        causation=before[0].event_id if before else None,
        correlation=fact.suppression,
    )
    return journal.append([draft], expected={stream: len(before)})[0]
