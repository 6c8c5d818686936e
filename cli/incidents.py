"""`myrmidon incidents`: what the responder made of the threats, and what operators do with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli import plan, working
from cli.output import emit, plural, short, table, when
from cli.reading import Entity, LevelOption, Limit, Since, Until, answer_list, one, opened

StatusOption = Annotated[
    Literal["open", "acknowledged", "resolved", "merged"] | None,
    typer.Option(help="Only this status (merged ones are shown only when asked for)."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Threats that belong together, and what was done about them.", no_args_is_help=True)
    group.command("list")(list_incidents)
    group.command("show")(show)
    working.register(group)
    plan.register(group)
    app.add_typer(group, name="incidents")


def list_incidents(
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    entity: Entity = None,
    level: LevelOption = None,
    status: StatusOption = None,
    limit: Limit = 100,
) -> None:
    """Incidents, the gravest first."""
    answer_list(
        ctx,
        "incidents",
        lambda views: views.list_incidents,
        as_table,
        since=since,
        until=until,
        entity=entity,
        level=level,
        status=status,
        limit=limit,
    )


def as_table(incidents: list[dict[str, Any]], totals: dict[str, int]) -> Any:
    """The list for people."""
    if not incidents:
        if total := totals["incidents"]:
            return f"none of the {total:,} incidents fits: loosen --since, --until, --entity, --level or --status"
        threats = totals["threats"]
        seen = (
            f"{plural(threats, 'threat')} of low level: see `myrmidon threats list`" if threats else "no threats either"
        )
        return f"no incidents ({seen}); what was read is in `myrmidon status`"
    rows = [
        (short(i["id"]), i["level"], f"{i['risk']:.1f}", i["status"], when(i["opened_at"]),
         len(i["threats"]) + i["more_threats"], i["title"])
        for i in incidents
    ]  # fmt: skip
    return table(("ID", "LEVEL", "RISK", "STATUS", "OPENED", "THREATS", "WHAT"), rows, right=("RISK", "THREATS"))


def show(ctx: typer.Context, incident: Annotated[str, typer.Argument(help="Its id, or how it begins.")]) -> None:
    """One incident: its threats, notes and timeline."""
    from projections.incidents import current, document

    with opened(ctx) as reading:
        _, row = one(reading, incident, ("incidents",))
        members = [reading.views.get("threats", threat) for threat in row["threats"]]
    threats = [threat for threat in members if threat is not None]
    emit(ctx, document(current(row, threats)), lambda shown: describe(shown, threats))


def describe(incident: dict[str, Any], threats: list[dict[str, Any]]) -> str:
    """The incident for people."""
    opened_at = when(incident["opened_at"])
    lines = [
        f"Incident {incident['id']}",
        f"{incident['level'].upper()} {incident['risk']:.1f}  {incident['status']}  opened {opened_at}",
        incident["title"],
        f"Entities: {', '.join(incident['entities'])}{_more(incident['more_entities'])}",
    ]
    if incident["merged_into"]:
        lines.append(
            f"Merged into {incident['merged_into']}: see `myrmidon incidents show {incident['merged_into'][:8]}`"
        )
    if incident["resolution"]:
        lines.append(f"Resolved: {incident['resolution']}")
    lines += ["", "Threats:"]
    lines += [
        f"  {short(t['id'])}  {t['level']:<8}  {t['risk']:>4.1f}  {t['status']:<9}  {t['title']}" for t in threats
    ]
    if incident["more_threats"]:
        lines.append(f"  and {incident['more_threats']:,} more")
    if incident["notes"]:
        lines += ["", "Notes:"]
        lines += [f"  {when(n['at'])}  {n['by']}: {n['text']}" for n in incident["notes"]]
    lines += ["", "Timeline:"]
    lines += [f"  {when(e['at'])}  {e['what']:<21}  {e['by']}  {e['text']}" for e in incident["timeline"]]
    lines += ["", f"Why: `myrmidon audit explain {short(incident['id'])}`"]
    return "\n".join(lines)


def _more(count: int) -> str:
    return f" and {count:,} more" if count else ""
