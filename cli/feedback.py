"""`myrmidon feedback`: an operator's verdict on a threat."""

from __future__ import annotations

import getpass
from typing import Annotated, Any, Literal
from uuid import uuid4

import typer

from cli.output import emit
from cli.reading import known_home


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("feedback")(feedback)


def feedback(
    ctx: typer.Context,
    threat: Annotated[str, typer.Argument(help="Id of the threat, or how it begins.")],
    verdict: Annotated[Literal["correct", "incorrect", "partial"], typer.Argument(help="What you think of it.")],
    confidence: Annotated[float, typer.Option(min=0.0, max=1.0, help="How sure you are.")] = 1.0,
    correction: Annotated[str, typer.Option(help="What it really was.")] = "",
) -> None:
    """Judge a threat; an incident whose every threat is incorrect is resolved as a false alarm."""
    from scheduler import desk
    from scheduler.bootstrap import opened, settle, wall_clock

    with opened(known_home(ctx)) as parts:
        settle(parts)
        found = desk.find_one(parts.journal, threat, ("threat",))
        position = desk.give_verdict(
            parts.journal,
            found,
            verdict,
            confidence=confidence,
            correction=correction,
            cause=uuid4(),
            now=wall_clock(),
            actor=f"operator:{getpass.getuser()}",
        )
        settle(parts)
    emit(ctx, {"threat": str(found), "verdict": verdict, "confidence": confidence, "position": position}, render)


def render(document: dict[str, Any]) -> str:
    """The answer in words."""
    return f"threat {document['threat'][:8]} was judged {document['verdict']} (position {document['position']})"
