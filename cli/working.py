"""`myrmidon incidents ack | resolve | note`: what operators do with an incident."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer

from cli.output import emit
from cli.reading import known_home

if TYPE_CHECKING:
    from scheduler.desk import Work

Incident = Annotated[str, typer.Argument(help="Its id, or how it begins.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group of incidents."""
    group.command("ack")(acknowledge)
    group.command("resolve")(resolve)
    group.command("note")(annotate)


def acknowledge(ctx: typer.Context, incident: Incident) -> None:
    """Take an incident: somebody is at it."""
    from agents.responder.decide import Acknowledge

    _work(ctx, incident, lambda found: Acknowledge(incident=found), "acknowledged")


def resolve(
    ctx: typer.Context,
    incident: Incident,
    reason: Annotated[str, typer.Option(help="Why it is over.")] = "resolved by an operator",
) -> None:
    """End an incident; within a day its entity reopens it by misbehaving again."""
    from agents.responder.decide import Resolve

    _work(ctx, incident, lambda found: Resolve(incident=found, reason=reason), "resolved")


def annotate(
    ctx: typer.Context, incident: Incident, text: Annotated[str, typer.Argument(help="What to note.")]
) -> None:
    """Write something down at an incident."""
    from agents.responder.decide import Annotate

    if not text.strip():
        raise typer.BadParameter("a note needs words", param_hint="'text'")
    _work(ctx, incident, lambda found: Annotate(incident=found, text=text), "noted")


def _work(ctx: typer.Context, prefix: str, command: Callable[[UUID], Work], what: str) -> None:
    from scheduler import desk
    from scheduler.bootstrap import opened, settle, wall_clock

    with opened(known_home(ctx)) as parts:
        settle(parts)
        found = desk.find_one(parts.journal, prefix, ("incident",))
        positions = desk.work_incident(
            parts.journal,
            command(found),
            policy=parts.settings.responder,
            cause=uuid4(),
            now=wall_clock(),
            actor=f"operator:{getpass.getuser()}",
        )
        settle(parts)
    emit(ctx, {"incident": str(found), "done": what, "positions": positions}, render)


def render(document: dict[str, Any]) -> str:
    """The answer in words."""
    if not document["positions"]:
        return f"incident {document['incident'][:8]} was {document['done']} already"
    return f"incident {document['incident'][:8]} {document['done']} (position {document['positions'][-1]})"
