"""What commands say: with `--json` one document on standard output and nothing else there, else words and tables.

Everything that came from telemetry is cleaned of control characters: a DNS name must not steer a terminal.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import typer

from cli.context import context_of
from domain.moments import rfc3339
from domain.values import Micros

WIDTH: Final = 100
"""Columns that words and tables fit into on a terminal; what a pipe carries stays on its line, however long."""

UNBROKEN: Final = 100_000
"""Columns of a table that does not go to a terminal."""


def emit(ctx: typer.Context, document: Any, render: Callable[[Any], Any]) -> None:
    """Print a document: as JSON when that is asked for, else what `render` makes of it (text or rich renderables)."""
    if context_of(ctx).json:
        say(json.dumps(document, indent=2, allow_nan=False))
        return
    shown = render(document)
    if isinstance(shown, str):
        lines = (clean(line) for line in shown.split("\n"))
        say("\n".join(map(fit, lines) if is_terminal() else lines))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
    # what a pipe carries is searched and cut by other tools: a row stays on its line, however long
    console.width = min(console.width, WIDTH) if is_terminal() else UNBROKEN
    console.print(shown)


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def say(answer: str) -> None:
    """Print the answer, or a part of it that others wait for, on standard output."""
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """Say something beside the answer, on standard error."""
    with suppress(OSError):  # where nobody can be told, the work goes on
        sys.stderr.write(f"{clean(message)}\n")
        sys.stderr.flush()


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with one line on standard error."""
    note(f"myrmidon: {message}")
    raise typer.Exit(code)


def clean(text: object) -> str:
    r"""Text without control characters.

    >>> clean("a\x1b[31mb")
    'a�[31mb'
    """
    plain = str(text)
    return plain if plain.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in plain)


def fit(line: str) -> str:
    """The line, broken at its spaces where it is too long; what follows stands a little further in."""
    if len(line) <= WIDTH:
        return line
    hang = " " * (len(line) - len(line.lstrip()) + 4)
    return "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> Any:
    """A table that fits; the columns named in `right` hold numbers, the last one takes what room is left."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        last = name == columns[-1]
        side: Any = "right" if name in right else "left"
        made.add_column(name, justify=side, no_wrap=not last, overflow="fold", ratio=1 if last else None)
    for row in rows:
        made.add_row(*(Text(clean(cell)) for cell in row))
    return made


def short(identity: str | None) -> str:
    """The first digits of an id: enough to name it."""
    return identity[:8] if identity else "-"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "threat"), plural(1200, "threat"), plural(0, "entry", "entries")
    ('1 threat', '1,200 threats', '0 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def none_fits(total: int, one: str, options: str) -> str:
    """What to say of a list that its options left empty.

    >>> none_fits(1, "threat", "--since"), none_fits(1200, "threat", "--since")
    ('the only threat does not fit: loosen --since', 'none of the 1,200 threats fits: loosen --since')
    """
    said = f"the only {one} does not fit" if total == 1 else f"none of the {total:,} {one}s fits"
    return f"{said}: loosen {options}"


def warming_up(name: str, seen: int, needed: int) -> str:
    """How far a warm-up is; `name` is `feed.profile`."""
    feed, _, profile = name.rpartition(".")
    if profile == "hosts" and seen >= needed:
        return f"feed {feed}: the models wait for the first host with a past of its own in one profile"
    if profile == "hosts":
        return f"feed {feed}: the models are warming up: {seen:,} of {needed:,} host windows to be fitted on were seen"
    return f"feed {feed}: profile {profile} is warming up: {seen:,} of {needed:,} windows of one host were seen"


def when(moment: Micros | str) -> str:
    """A moment for a table: to the second."""
    text = moment if isinstance(moment, str) else rfc3339(moment)
    return text[:19].replace("T", " ") + "Z"
