"""What the reading commands share: an opened home whose views are up to date, filters, ids by their first digits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from cli.context import context_of
from cli.output import emit, fail, short
from domain.moments import to_moment
from domain.values import Micros

if TYPE_CHECKING:
    from adapters.log.base import ChainedLog
    from adapters.views import Views
    from config.home import Home

Since = Annotated[str | None, typer.Option(help="Active at or after this time: RFC 3339, or an age (30m, 2h, 3d).")]
Until = Annotated[str | None, typer.Option(help="Active at or before this time: RFC 3339, or an age.")]
Entity = Annotated[str | None, typer.Option(help="Only what concerns this host.")]
LevelOption = Annotated[
    Literal["low", "medium", "high", "critical"] | None, typer.Option(help="This level or a graver one.")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]

GROUPS: Final = {"suppressions": "suppress"}
"""The group of commands that lists a view, where it is not called as the view is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A log and its views."""

    journal: ChainedLog
    views: Views


def now() -> Micros:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


def moment(text: str | None, option: str) -> Micros | None:
    """The moment that an option names."""
    if text is None:
        return None
    try:
        return to_moment(text, now())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def there(ctx: typer.Context) -> bool:
    """Whether there is a log to read. Where there is none, at least the settings are looked at."""
    from adapters.log.peek import peek

    home = context_of(ctx).where()
    if peek(home.log_location) is not None:
        return True
    from config.settings import load_settings

    load_settings(home.config_file)
    return False


def nothing_yet(ctx: typer.Context) -> str:
    """What to say, and what to do, where there is no log."""
    where = context_of(ctx).where()
    place = "the PostgreSQL log" if where.dsn else where.path
    return f"nothing is recorded in {place} yet: run `myrmidon demo`, or `myrmidon run --feed zeek:PATH`"


def known_home(ctx: typer.Context) -> Home:
    """The home of a command that works on what is there; ends the command, and makes nothing, when nothing is."""
    if not there(ctx):
        fail(nothing_yet(ctx))
    return context_of(ctx).where()


@contextmanager
def opened_log(ctx: typer.Context) -> Iterator[ChainedLog]:
    """The log of the home; ends the command when there is none."""
    from adapters.log import open_log

    journal = open_log(known_home(ctx).log_location, now)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def opened(ctx: typer.Context) -> Iterator[Reading]:
    """The log and its views, caught up."""
    from adapters.views import Views

    with ExitStack() as stack:
        journal = stack.enter_context(opened_log(ctx))
        views = stack.enter_context(Views.open(context_of(ctx).where().views_location, journal))
        views.catch_up(journal)
        yield Reading(journal=journal, views=views)


def answer_list(
    ctx: typer.Context,
    view: str,
    rows: Callable[[Views], Callable[..., list[dict[str, Any]]]],
    as_table: Callable[[list[dict[str, Any]], dict[str, int]], Any],
    *,
    since: str | None,
    until: str | None = None,
    **filters: Any,
) -> None:
    """Print what of a view fits, or what to do where there is no log.

    Args:
        ctx: of the command.
        view: its name.
        rows: what asks the views for its rows.
        as_table: the rows for people; it is also given how many the view, and that of the threats, hold in all.
        since: as the option says it.
        until: as the option says it.
        filters: the others, which the view's `listing` explains.
    """
    filters["since"] = moment(since, "--since")
    if until is not None:
        filters["until"] = moment(until, "--until")
    begin, end = filters["since"], filters.get("until")
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter(
            f"{since} is after --until {until}, nothing can lie between them: turn them round", param_hint="--since"
        )
    if not there(ctx):
        emit(ctx, [], lambda _: nothing_yet(ctx))
        return
    with opened(ctx) as reading:
        document = rows(reading.views)(**filters)
        totals = {name: reading.views.count(name) for name in (view, "threats")}
    emit(ctx, document, lambda shown: as_table(shown, totals))


def one(reading: Reading, prefix: str, views: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The view and the row whose id begins with `prefix`; ends the command when it is not exactly one."""
    wanted = prefix.strip().lower()
    found = [(name, row) for name in views for row in reading.views.starting(name, wanted)] if wanted else []
    found = [pair for pair in found if pair[1]["id"] == wanted] or found
    if len(found) > 1:
        fail(f"{prefix!r} begins more than one id: {', '.join(short(row['id']) for _, row in found)}; give more digits")
    if not found:
        what = " or ".join(name.removesuffix("s") for name in views)
        group = GROUPS.get(views[0], views[0])
        said = f"has an id that begins with {prefix!r}" if wanted else "has an empty id: give its first digits"
        fail(f"no {what} {said}: see `myrmidon {group} list`")
    return found[0]
