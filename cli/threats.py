"""`myrmidon threats`: what was detected."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.output import emit, none_fits, short, table, when
from cli.reading import Entity, LevelOption, Limit, Since, Until, answer_list, one, opened
from domain.values import shown_risk

StatusOption = Annotated[
    Literal["open", "confirmed", "dismissed", "suppressed", "merged"] | None, typer.Option(help="Only this status.")
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="What was detected, with the evidence.", no_args_is_help=True)
    group.command("list")(list_threats)
    group.command("show")(show)
    app.add_typer(group, name="threats")


def list_threats(
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    entity: Entity = None,
    level: LevelOption = None,
    status: StatusOption = None,
    limit: Limit = 100,
) -> None:
    """Threats, the gravest first."""
    answer_list(
        ctx,
        "threats",
        lambda views: views.list_threats,
        as_table,
        since=since,
        until=until,
        entity=entity,
        level=level,
        status=status,
        limit=limit,
    )


def as_table(threats: list[dict[str, Any]], totals: dict[str, int]) -> Any:
    """The list for people."""
    if not threats:
        if total := totals["threats"]:
            return none_fits(total, "threat", "--since, --until, --entity, --level or --status")
        return "no threats: nothing that was read reached a threshold; see what was read with `myrmidon status`"
    rows = [
        (short(t["id"]), t["level"], shown_risk(t["risk"]), f"{t['confidence']:.0%}", when(t["last_seen"]), t["status"],
         t["title"])
        for t in threats
    ]  # fmt: skip
    return table(("ID", "LEVEL", "RISK", "SURE", "LAST SEEN", "STATUS", "WHAT"), rows, right=("RISK", "SURE"))


def show(ctx: typer.Context, threat: Annotated[str, typer.Argument(help="Its id, or how it begins.")]) -> None:
    """One threat with all its evidence."""
    from cli.describe import describe
    from cli.explain import threat_story

    with opened(ctx) as reading:
        _, row = one(reading, threat, ("threats",))
        story = threat_story(reading.journal, row)
    emit(ctx, story["threat"], lambda _: describe(story))
