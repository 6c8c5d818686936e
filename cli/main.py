"""`myrmidon`: the entry point, its global options, and the groups of commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import audit, bench, demo, feedback, incidents, projections, run, status, threats
from cli.context import Context
from domain.errors import MyrmidonError

app = typer.Typer(
    name="myrmidon",
    help="Detects threats in network telemetry; every decision can be replayed, explained and undone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for group in (run, demo, status, threats, incidents, feedback, projections, audit, bench):
    group.register(app)


@app.callback()
def main(
    ctx: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="MYRMIDON_HOME", help="Folder that holds everything the program writes.")
    ] = Path(".myrmidon"),
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Settings in TOML (default: config.toml in the home, if there).")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else there.")
    ] = False,
) -> None:
    """Options that come before every command."""
    ctx.obj = Context(home=home, config=config_file, json=json)


def run_program() -> None:
    """Console script: every expected error is one line on standard error and its exit code, never a traceback."""
    try:
        app()
    except MyrmidonError as error:
        print(f"myrmidon: {error}", file=sys.stderr)  # noqa: T201 - the one line
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        if os.environ.get("MYRMIDON_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"myrmidon: internal error: {what} (MYRMIDON_TRACEBACK=1 shows where)", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
