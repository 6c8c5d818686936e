"""All views, and the folds of all of them: from zero into memory (replay) and up to a moment (as-of)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from domain.events import FACTS
from domain.journal import Recorded
from domain.values import Micros
from projections import alerts, feeds, health, incidents, responses, suppressions, threats, workflows
from projections.view import Memory, Parked, Row, View, at_rest, digest, digest_of, fold, in_memory

VIEWS: Final[dict[str, View]] = {
    view.name: view
    for view in (
        alerts.VIEW,
        feeds.VIEW,
        health.VIEW,
        incidents.VIEW,
        responses.VIEW,
        suppressions.VIEW,
        threats.VIEW,
        workflows.VIEW,
    )
}
"""Every view by name."""

DOCUMENTS: Final[dict[str, Callable[[Row], dict[str, Any]]]] = {
    "alerts": alerts.document,
    "feeds": feeds.document,
    "health": health.document,
    "incidents": incidents.document,
    "responses": responses.document,
    "suppressions": suppressions.document,
    "threats": threats.document,
    "workflows": workflows.document,
}
"""What makes of a row of a view the document that other tools read."""


_CONCERNED: Final = {kind: tuple(name for name, view in VIEWS.items() if kind in view.on) for kind in FACTS}
"""Kind of fact -> the views that handle it."""


def shares(facts: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """Which of these facts each view handles, in their order."""
    found: dict[str, list[Recorded]] = {name: [] for name in VIEWS}
    for recorded in facts:
        for name in _CONCERNED[recorded.fact.kind]:
            found[name].append(recorded)
    return found


def replay(batches: Iterable[Sequence[Recorded]], into: dict[str, Memory] | None = None) -> dict[str, Memory]:
    """All views folded in memory, from zero or on from `into`."""
    memories = {name: Memory() for name in VIEWS} if into is None else into
    for batch in batches:
        for name, facts in shares(batch).items():
            fold(VIEWS[name], memories[name].rows, memories[name].parked, facts)
    return memories


def as_of(batches: Iterable[Sequence[Recorded]], moment: Micros, *, by_recorded: bool = False) -> dict[str, Memory]:
    """All views of what had occurred (or, `by_recorded`, was recorded) by a moment, in log order."""
    clock = attrgetter("recorded_at" if by_recorded else "occurred_at")
    return replay([recorded for recorded in batch if clock(recorded) <= moment] for batch in batches)


def digests(memories: dict[str, Memory]) -> dict[str, str]:
    """Digest of each view in memory, and of what was parked."""
    parked = (fault for memory in memories.values() for fault in memory.parked.values())
    return {name: digest_of(view, memories[name]) for name, view in VIEWS.items()} | {"parked": digest_parked(parked)}


def digest_parked(faults: Iterable[Parked]) -> str:
    """Digest of parked streams; the wording of an error may differ between library versions and stays out."""
    return digest({"key": key} for key in sorted((f.view, f.stream, f.position) for f in faults))


def documents(name: str, memory: Memory) -> list[dict[str, Any]]:
    """Every row of a view in memory as other tools read it, by key."""
    view = VIEWS[name]
    return [DOCUMENTS[name](in_memory(view, at_rest(view, memory.rows[key]))) for key in sorted(memory.rows)]


def stood(memories: Mapping[str, Memory]) -> dict[str, list[dict[str, Any]]]:
    """Every row of all views as other tools read it; incidents have title and last activity of their threats."""
    rows = memories["incidents"].rows
    members: dict[str, list[Row]] = {key: [] for key in rows}
    for threat in memories["threats"].rows.values():
        if threat["incident"] in rows:
            members[rows[threat["incident"]]["merged_into"] or threat["incident"]].append(threat)
    kept_up = Memory(rows={key: incidents.current(row, members[key]) for key, row in rows.items()})
    return {name: documents(name, memory) for name, memory in sorted({**memories, "incidents": kept_up}.items())}
