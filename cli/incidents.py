"""`myrmidon incidents`: what the responder made of the threats, and what operators do with it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import typer

from cli import plan, working
from cli.output import emit, none_fits, plural, short, table, when
from cli.reading import Entity, LevelOption, Limit, Since, Until, answer_list, one, opened
from domain.facts.incident import IncidentEscalated
from domain.values import shown_risk

StatusOption = Annotated[
    Literal["open", "acknowledged", "contained", "resolved", "merged"] | None,
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
            return none_fits(total, "incident", "--since, --until, --entity, --level or --status")
        threats = totals["threats"]
        seen = (
            f"{plural(threats, 'threat')} that opened none: see `myrmidon threats list`"
            if threats
            else "no threats either"
        )
        return f"no incidents ({seen}); what was read is in `myrmidon status`"
    rows = [
        (short(i["id"]), i["level"], shown_risk(i["risk"]), i["status"], when(i["opened_at"]),
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
        responses = reading.views.list_responses(incident=row["id"])
    threats = [threat for threat in members if threat is not None]
    brief = [{name: each[name] for name in RESPONSE} for each in responses]
    shown = {**document(current(row, threats)), "responses": brief}
    emit(ctx, shown, lambda each: describe(each, threats))


RESPONSE: Final = ("id", "status", "level", "playbook", "entity", "expires_at")
"""What is told of a response where an incident is shown."""


def describe(incident: dict[str, Any], threats: list[dict[str, Any]]) -> str:
    """The incident for people."""
    opened_at = when(incident["opened_at"])
    taken = ", acknowledged" if incident["before_contained"] == "acknowledged" else ""
    lines = [
        f"Incident {incident['id']}",
        f"{incident['level'].upper()} {shown_risk(incident['risk'])}  {incident['status']}{taken}  opened {opened_at}",
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
        f"  {short(t['id'])}  {t['level']:<8}  {shown_risk(t['risk']):>4}  {t['status']:<9}  {t['title']}"
        for t in threats
    ]
    if incident["more_threats"]:
        lines.append(f"  and {incident['more_threats']:,} more")
    if incident["responses"]:
        lines += ["", "Responses (`myrmidon responses show ID`):"]
        lines += [f"  {short(r['id'])}  {r['status']:<9}  {r['playbook']}" for r in incident["responses"]]
    if incident["notes"]:
        lines += ["", "Notes:"]
        lines += [f"  {when(n['at'])}  {n['by']}: {n['text']}" for n in incident["notes"]]
    lines += ["", "Timeline:"]
    lines += [f"  {when(e['at'])}  {e['what']:<21}  {e['by']}  {told(e)}" for e in incident["timeline"]]
    lines += ["", f"Why: `myrmidon audit explain {short(incident['id'])}`"]
    return "\n".join(lines)


ESCALATED: Final = re.compile(r"to (\w+) \(([\d.]+)\): ")
"""How the view writes what an incident grew to."""


def told(entry: dict[str, Any]) -> str:
    """An entry of the timeline for people: an incident that grew may have the level that it had before.

    >>> told({"what": "incident-escalated", "text": "to high (7.25): somebody guesses passwords"})
    'the risk grew to 7.2 (high): somebody guesses passwords'
    """
    text: str = entry["text"]
    if entry["what"] != IncidentEscalated.kind:
        return text
    return ESCALATED.sub(lambda grown: f"the risk grew to {shown_risk(float(grown[2]))} ({grown[1]}): ", text)


def _more(count: int) -> str:
    return f" and {count:,} more" if count else ""
