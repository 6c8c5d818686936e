"""`myrmidon`: the entry point, its global options, and the groups of commands."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import (
    alerts,
    audit,
    bench,
    demo,
    feedback,
    incidents,
    models,
    playbooks,
    projections,
    responses,
    rules,
    run,
    status,
    suppress,
    threats,
    workflows,
)
from cli.context import Context
from cli.output import note, say
from domain.errors import MyrmidonError

app = typer.Typer(
    name="myrmidon",
    help="Detects threats in network telemetry; every decision can be replayed, explained and undone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

USAGE_ERROR: Final[Any] = typer.BadParameter.__base__
"""What typer raises when the words of a command do not fit; it keeps the class to itself."""

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What the system says where a stream takes nothing."""

GROUPS: Final = (
    run, demo, status, threats, incidents, alerts, responses, workflows, feedback, suppress, playbooks, rules, models,
    projections, audit, bench,
)  # fmt: skip

for group in GROUPS:
    group.register(app)


def tell_version(asked: bool) -> None:
    """Print the version, when it was asked for, and end."""
    if asked:
        from importlib.metadata import version

        say(f"myrmidon {version('myrmidon')}")
        raise typer.Exit


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
    _version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that come before every command."""
    ctx.obj = Context(home=home, config=config_file, json=json)


def tell_usage(error: Any) -> None:
    """Say in one line what is wrong with the words of a command; a group without a command shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    said = " ".join(error.format_message().split()).removeprefix("Invalid value: ").removesuffix(".")
    command = error.ctx.command_path if error.ctx else "myrmidon"
    note(f"myrmidon: {said[:1].lower()}{said[1:]} (see `{command} --help`)")


def unwritten(error: OSError) -> bool:
    """Whether standard output takes nothing; it is then given up, so that the end of the program does not try again.

    What could not be written is gone from its buffer: only one more byte tells it from a full disk elsewhere.
    """
    if error.errno not in NO_ROOM or error.filename is not None:
        return False
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def run_program() -> None:
    """Console script: every expected error is one line on standard error and its exit code, never a traceback."""
    try:
        sys.exit(app(prog_name="myrmidon", standalone_mode=False))
    except USAGE_ERROR as error:
        tell_usage(error)
        raise SystemExit(error.exit_code) from None
    except typer.Abort:
        raise SystemExit(1) from None
    except MyrmidonError as error:
        note(f"myrmidon: {' '.join(str(error).split())}")
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, OSError) and unwritten(error):
            why = error.strerror or "it does not answer"
            note(f"myrmidon: the answer cannot be written to standard output ({why}): make room, or send it elsewhere")
            raise SystemExit(1) from None
        if os.environ.get("MYRMIDON_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        note(f"myrmidon: internal error: {what} (MYRMIDON_TRACEBACK=1 shows where)")
        raise SystemExit(1) from None
