"""`myrmidon projections`: the views of the log."""

from __future__ import annotations

from typing import Any

import typer

from cli.output import emit
from cli.reading import known_home


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Views of the log.", no_args_is_help=True)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="projections")


def rebuild(ctx: typer.Context) -> None:
    """Build the views anew beside the live ones, then swap."""
    from scheduler.bootstrap import opened

    with opened(known_home(ctx)) as parts:
        document = parts.views.rebuild(parts.journal)
    emit(ctx, document, render)


def render(document: dict[str, Any]) -> str:
    """The answer in words."""
    told = ", ".join(f"{name} {value}" for name, value in document.items() if name != "kept")
    kept = ", ".join(document["kept"])
    why = f"\nkept: {kept}, folded from facts that the log does not hold: remove it when the matter is settled"
    return f"views rebuilt: {told}{why if kept else ''}"
