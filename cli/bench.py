"""`myrmidon bench`: measurements that anyone can repeat."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import emit, note


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Measurements: figures, protocol and data.", no_args_is_help=True)
    group.command("throughput")(throughput)
    group.command("detection")(detection)
    group.command("response")(response)
    app.add_typer(group, name="bench")


def throughput(
    ctx: typer.Context,
    rows: Annotated[list[int] | None, typer.Option(help="Sizes of the runs, smallest first.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated flows.")] = 1,
    postgres: Annotated[
        str, typer.Option(help="DSN of a PostgreSQL to measure too (it gets a schema of its own).")
    ] = "",
) -> None:
    """Rows a second end to end, memory at two sizes, the log against the raw database."""
    from bench.throughput import measure

    sizes = tuple(rows or (200_000, 2_000_000))
    note(f"measuring runs over {', '.join(f'{size:,}' for size in sizes)} generated flows: this takes minutes")
    with tempfile.TemporaryDirectory() as folder:
        document = measure(Path(folder), sizes=sizes, seed=seed, postgres_dsn=postgres or None)
    emit(ctx, document, render)


def detection(
    ctx: typer.Context,
    data: Annotated[Path, typer.Option(help="Folder of the public data sets (nsl-kdd, unsw-nb15, zeek).")],
    seed: Annotated[int, typer.Option(help="Seed of splits, shuffles, models and generated days.")] = 0,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part (unsupervised, nsl, unsw, cold, rules); may be repeated.")
    ] = None,
) -> None:
    """How right the engine decides: official splits, few verdicts, cold starts, harmless days."""
    from bench.detection import PARTS, measure

    unknown = sorted(set(part or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"there is no part {unknown[0]!r}: use {', '.join(PARTS)}")
    emit(ctx, measure(data, seed, tuple(part or PARTS), note), render)


def response(
    ctx: typer.Context,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Worlds: seeds 0 to this, for each table.")] = 25,
    sweep: Annotated[int, typer.Option(min=0, max=1000, help="Worlds of each variant; 0: no sweep.")] = 5,
) -> None:
    """How well playbooks are chosen, against fixed tables, in worlds whose truth is known."""
    from bench.response import measure

    emit(ctx, measure(range(seeds), range(sweep), note), render)


def render(document: dict[str, Any]) -> str:
    """Figures, one a line."""
    figures = [f"  {name:<42} {value:>14,.4f}" for name, value in document["figures"].items()]
    return "\n".join([*figures, "", f"protocol: {document['protocol']}", f"data: {document['data']}"])
