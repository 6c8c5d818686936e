"""`myrmidon responses`: what is proposed, in force and taken back, and what operators say to it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import typer

from cli.context import context_of
from cli.output import emit, note
from cli.reading import Entity, Limit, Since, Until, answer_list, known_home, now, one, opened
from cli.response_words import (
    LIVE_STATUS,
    TO_BE_TAKEN_BACK,
    Clock,
    answer_told,
    as_table,
    describe,
    modes_told,
    rates_table,
)
from domain.values import SECOND

if TYPE_CHECKING:
    from scheduler.bootstrap import Parts

PATIENCE: Final = 10
"""Seconds that a running daemon is given to take something back."""

FAILED: Final = {"approved": ("rejected", "refused", "failing", "failed"), TO_BE_TAKEN_BACK: ("undoing",)}
"""Where a response may stand although this was asked for, so that the answer is no."""

StatusOption = Annotated[
    Literal[
        "proposed", "rejected", "expired", "refused", "approved", "starting", "in force", "contained", "failing",
        "undoing", "undone", "failed",
    ]
    | None,
    typer.Option(help="Only this status."),
]  # fmt: skip
Response = Annotated[str, typer.Argument(help="Its id, or how it begins.")]
Reason = Annotated[str, typer.Option(help="Why.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Actions against threats: proposed, in force, taken back.", no_args_is_help=True)
    for name, command in (
        ("list", list_responses),
        ("show", show),
        ("approve", approve),
        ("reject", reject),
        ("undo", undo),
        ("stop", stop),
        ("mode", mode),
        ("rates", rates),
    ):
        group.command(name)(command)
    app.add_typer(group, name="responses")


def list_responses(
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    entity: Entity = None,
    status: StatusOption = None,
    limit: Limit = 100,
) -> None:
    """Responses, the latest first."""
    clock = _clock(ctx)
    answer_list(
        ctx,
        "responses",
        lambda views: lambda **filters: [clock.told(each) for each in views.list_responses(**filters)],
        as_table,
        since=since,
        until=until,
        entity=entity,
        status=status,
        limit=limit,
    )


def show(ctx: typer.Context, response: Response) -> None:
    """One response: its actions, their states, and when they end."""
    from projections.responses import document

    with opened(ctx) as reading:
        _, row = one(reading, response, ("responses",))
    emit(ctx, _clock(ctx).told(document(row)), describe)


def _clock(ctx: typer.Context) -> Clock:
    """What the words about a response that waits depend on."""
    from adapters.lease import holder
    from config.settings import load_settings

    home = context_of(ctx).where()
    timeout = round(load_settings(home.config_file).response.approval_timeout * SECOND)
    return Clock(now=now(), timeout=timeout, tended=holder(home.log_location, "agent-responder") is not None)


def approve(ctx: typer.Context, response: Response, reason: Reason = "approved by an operator") -> None:
    """Let a proposed response begin; the gate looks at it once more."""
    from agents.responder.respond_commands import Approve

    _work(ctx, response, lambda found: Approve(response=found, reason=reason), "approved")


def reject(ctx: typer.Context, response: Response, reason: Reason = "rejected by an operator") -> None:
    """Refuse a proposed response: nothing is done."""
    from agents.responder.respond_commands import Reject

    _work(ctx, response, lambda found: Reject(response=found, reason=reason), "rejected")


def undo(ctx: typer.Context, response: Response) -> None:
    """Take back everything that a response did; asked again after a failure, it is tried again at once."""
    from agents.responder.respond_commands import TakeBack

    _work(ctx, response, lambda found: TakeBack(response=found), TO_BE_TAKEN_BACK)


def stop(ctx: typer.Context) -> None:
    """Back to observe, and take back everything that is in force."""
    _set_mode(ctx, "observe")


def mode(
    ctx: typer.Context,
    wanted: Annotated[
        Literal["observe", "suggest", "act"] | None, typer.Argument(metavar="[MODE]", help="Leave out to ask.")
    ] = None,
) -> None:
    """The mode that holds: the more careful of [response] mode and the operators' last word."""
    if wanted is not None:
        _set_mode(ctx, wanted)
        return
    from scheduler.bootstrap import opened as opened_home

    with opened_home(known_home(ctx)) as parts:
        document = _modes(parts)
    emit(ctx, document, modes_told)


def rates(ctx: typer.Context, playbook: Annotated[str | None, typer.Argument(help="Only this one.")] = None) -> None:
    """How well playbooks do, by kind of threat and class of asset."""
    with opened(ctx) as reading:
        document = reading.views.playbook_rates(playbook)
    emit(ctx, document, rates_table)


def _set_mode(ctx: typer.Context, wanted: Literal["observe", "suggest", "act"]) -> None:
    from projections.responses import listing
    from scheduler import answers
    from scheduler.bootstrap import opened as opened_home
    from scheduler.bootstrap import settle, wall_clock

    with opened_home(known_home(ctx)) as parts:
        begun = wall_clock()
        answers.set_mode(parts.journal, wanted, cause=uuid4(), now=begun, actor=_who())
        done = settle(parts)
        modes = _modes(parts) if done or wanted != "observe" else _let_go(parts)
        proposed = parts.views.rows("responses", listing(since=begun))
        document = {
            **modes,
            "proposed_again": sum(row["proposed_at"] >= begun for row in proposed),
            "done_by": "this command" if done else "the running daemon",
        }
    emit(ctx, document, modes_told)
    beyond = document["mode"] != wanted
    if beyond:
        note(
            f"the settings allow no more than {document['settings']}: set mode to {wanted} in [response], and start a "
            "running daemon again"
        )
    standing = wanted == "observe" and document["in_force"] > 0
    if standing and not done:
        note(
            f"the running daemon has not taken them back within {PATIENCE} s: end it (SIGKILL if it hangs), stop again"
        )
    if beyond or standing:
        raise typer.Exit(1)


def _let_go(parts: Parts) -> dict[str, Any]:
    """The modes once the running daemon has taken everything back, or has not for too long."""
    from time import monotonic, sleep

    until = monotonic() + PATIENCE
    while (modes := _modes(parts))["in_force"] and monotonic() < until:
        sleep(0.1)
    return modes


def _modes(parts: Parts) -> dict[str, Any]:
    from domain.gate import more_careful
    from projections.responses import LIVE
    from scheduler.answers import operators_mode
    from scheduler.bootstrap import follow_views

    follow_views(parts)
    settings, operators = parts.settings.response.mode, operators_mode(parts.journal)
    live = [
        action
        for status in LIVE_STATUS
        for response in parts.views.list_responses(status=status)
        for action in response["actions"]
        if action["state"] in LIVE
    ]
    return {
        "mode": more_careful(settings, operators or settings),
        "settings": settings,
        "operators": operators,
        "in_force": len(live),
    }


def _work(ctx: typer.Context, prefix: str, command: Any, what: str) -> None:
    from projections.responses import document as document_of
    from scheduler import answers, desk
    from scheduler.bootstrap import follow_views, settle, wall_clock
    from scheduler.bootstrap import opened as opened_home
    from scheduler.crew import circumstances, response_policy

    with opened_home(known_home(ctx)) as parts:
        settle(parts)
        found: UUID = desk.find_one(parts.journal, prefix, ("response",))
        follow_views(parts)
        row, done, at = parts.views.get("responses", str(found)), True, wall_clock()
        if not (what == TO_BE_TAKEN_BACK and row and row["status"] == "undone"):
            answers.work_response(
                parts.journal,
                command(found),
                policy=response_policy(parts.settings),
                around=circumstances(parts.settings, parts.home, at),
                cause=uuid4(),
                now=at,
                actor=_who(),
            )
            done = settle(parts)
            row = _came_of(parts, found, what, done=done)
    document = {
        "done": what,
        "done_by": "this command" if done else "the running daemon",
        "response": document_of(row) if row else None,
    }
    emit(ctx, document, answer_told)
    if row and row["status"] in FAILED.get(what, ()):
        raise typer.Exit(1)


def _came_of(parts: Parts, found: UUID, what: str, *, done: bool) -> dict[str, Any] | None:
    """The response after an answer to it; a running daemon, which acts on it, is given a moment."""
    from time import monotonic, sleep

    from scheduler.bootstrap import follow_views

    until = monotonic() + PATIENCE
    while True:
        follow_views(parts)
        row = parts.views.get("responses", str(found))
        if done or row is None or row["status"] not in FAILED.get(what, ()) or monotonic() >= until:
            return row
        sleep(0.1)


def _who() -> str:
    return f"operator:{getpass.getuser()}"
