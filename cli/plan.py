"""`myrmidon incidents plan`: who should take which open incident. It proposes; it changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.context import context_of
from cli.output import emit, short, table
from cli.reading import Reading, nothing_yet, opened, there
from domain.moments import to_moment
from domain.values import shown_risk

if TYPE_CHECKING:
    from config.planning import PlanningSettings
    from engine.planning.playbook_choice import State
    from engine.planning.proposal import Open, Proposal, Responder, Start

WORKABLE: Final = ("open", "acknowledged")
LEARNED: Final = 1_000
"""Resolved incidents that are learned from at most: the gravest."""

EXAMPLE: Final = '[[planning.responders]] with name = "ana", capacity = 8, skills = ["beacon", "flood"]'


def register(group: typer.Typer) -> None:
    """Add the command to the group of incidents."""
    group.command("plan")(plan)


def plan(
    ctx: typer.Context, limit: Annotated[int, typer.Option(min=1, max=5_000, help="The gravest so many.")] = 200
) -> None:
    """Who should take which open incident, with expected success, hours and cost (90% intervals)."""
    from config.settings import load_settings
    from engine.planning.proposal import propose

    if not there(ctx):
        emit(ctx, _document(None, {}, 0), lambda _: nothing_yet(ctx))
        return
    settings = load_settings(context_of(ctx).where().config_file).planning
    with opened(ctx) as reading:
        rows = [row for status in WORKABLE for row in reading.views.list_incidents(status=status, limit=limit)]
        rows = sorted(rows, key=lambda row: (-row["risk"], row["id"]))[:limit]
        state, learned = _learned(reading)
        waiting = [_open(reading, row) for row in rows]
    team, start = _assumed(settings)
    made = propose(waiting, team, state, start, seconds=settings.time_limit)
    titles = {row["id"]: (row["risk"], row["title"]) for row in rows}
    emit(ctx, _document(made, titles, learned), lambda document: render(document, bool(settings.responders)))


def _assumed(settings: PlanningSettings) -> tuple[list[Responder], Start]:
    from engine.planning.proposal import Responder, Start

    team = [
        Responder(name=each.name, hours=each.capacity, skills=each.skills, rate=each.rate)
        for each in settings.responders
    ]
    return team, Start(hours=settings.hours, success=settings.success)


def _open(reading: Reading, row: dict[str, Any]) -> Open:
    from engine.planning.proposal import Open

    return Open(incident=row["id"], kind=_kind(reading, row), risk=row["risk"])


def _kind(reading: Reading, row: dict[str, Any]) -> str:
    """The kind of the gravest threat of an incident."""
    members = [reading.views.get("threats", threat) for threat in row["threats"][:50]]
    known = [threat for threat in members if threat is not None]
    return str(max(known, key=lambda threat: (threat["risk"], threat["id"]))["kind"]) if known else "rule-match"


def _learned(reading: Reading) -> tuple[State, int]:
    """What came of incidents that people acknowledged and resolved, and how many outcomes that were."""
    from engine.planning.playbook_choice import State, learn
    from engine.planning.proposal import BY_HAND

    state, outcomes = State(), 0
    for status in (*WORKABLE, "resolved"):
        for row in reading.views.list_incidents(status=status, limit=LEARNED):
            for seconds, lasted in worked(row["timeline"]):
                kind = _kind(reading, row)
                state = learn(state, kind, "", BY_HAND, success=lasted, seconds=seconds, cost=0.0)
                outcomes += 1
    return state, outcomes


def worked(timeline: list[dict[str, Any]]) -> list[tuple[float, bool]]:
    """How long people worked on an incident, and whether it stayed resolved: once for each time they resolved it.

    The work begins when it is acknowledged; what ended by itself, or was never acknowledged, says nothing of people.

    >>> at = "2026-03-02T12:{}:00Z".format
    >>> worked([{"what": "incident-acknowledged", "at": at("00")}, {"what": "incident-resolved", "at": at("30")},
    ...         {"what": "incident-reopened", "at": at("50")}])
    [(1800.0, False)]
    """
    begun: int | None = None
    found: list[tuple[float, bool]] = []
    ended = False
    for entry in timeline:
        at = to_moment(entry["at"], 0)
        if entry["what"] == "incident-acknowledged":
            begun = at
        elif entry["what"] == "incident-resolved":
            ended = begun is not None and at >= begun
            if begun is not None and ended:
                found.append(((at - begun) / 1e6, True))
            begun = None
        elif entry["what"] == "incident-reopened" and ended:
            found[-1] = (found[-1][0], False)
            ended = False
    return found


def _document(made: Proposal | None, titles: dict[str, tuple[float, str]], learned: int) -> dict[str, Any]:
    if made is None:
        return {"assignments": [], "value": 0.0, "proven": True, "method": "greedy", "learned_from": 0}
    assignments = [
        {**asdict(each), "risk": titles[each.incident][0], "title": titles[each.incident][1]}
        for each in made.assignments
    ]
    return {
        "assignments": assignments,
        "value": round(made.plan.value, 3),
        "proven": made.plan.proven,
        "method": made.plan.method,
        "learned_from": learned,
    }


def render(document: dict[str, Any], staffed: bool) -> Any:
    """The proposal for people."""
    if not document["assignments"]:
        return "no incident waits to be worked"
    if not staffed:
        return f"nobody is named who could take the {len(document['assignments'])} open incidents: set {EXAMPLE}"
    columns = ("ID", "RISK", "WHO", "SUCCESS", "HOURS", "COST", "WHAT")
    rows = [
        (short(each["incident"]), shown_risk(each["risk"]), each["responder"] or "-", _span(each["success"], 2),
         _span(each["hours"], 1), _span(each["cost"], 1), each["title"])
        for each in document["assignments"]
    ]  # fmt: skip
    from rich.console import Group

    sure = "no better plan exists" if document["proven"] else f"the best found in time ({document['method']})"
    said = f"expected risk ended {document['value']:.1f}; {sure}; learned from {document['learned_from']} outcomes"
    return Group(table(columns, rows, right=("RISK",)), f"{said}; intervals are 90%")


def _span(estimate: dict[str, float] | None, digits: int) -> str:
    if estimate is None:
        return "-"
    mean, low, high = (f"{estimate[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low}-{high})"
