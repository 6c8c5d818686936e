"""`myrmidon responses`: what is proposed, in force and taken back, and what operators say to it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import typer

from cli.output import emit, note, plural, short, table, when
from cli.reading import Entity, Limit, Since, Until, answer_list, known_home, one, opened

if TYPE_CHECKING:
    from scheduler.bootstrap import Parts

PATIENCE: Final = 10
"""Seconds that a running daemon is given to take something back."""

TO_BE_TAKEN_BACK: Final = "to be taken back"

FAILED: Final = {"approved": ("refused", "failing", "failed"), TO_BE_TAKEN_BACK: ("undoing",)}
"""Where a response may stand although this was asked for, so that the answer is no."""

StatusOption = Annotated[
    Literal[
        "proposed", "rejected", "expired", "refused", "approved", "starting", "in force", "contained", "failing",
        "undoing", "undone", "failed",
    ]
    | None,
    typer.Option(help="Only this status."),
]  # fmt: skip
LIVE_STATUS: Final = ("starting", "in force", "contained", "failing", "undoing")
"""States of a response that the world may feel."""

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
    answer_list(
        ctx,
        "responses",
        lambda views: views.list_responses,
        as_table,
        since=since,
        until=until,
        entity=entity,
        status=status,
        limit=limit,
    )


def as_table(responses: list[dict[str, Any]], totals: dict[str, int]) -> Any:
    """The list for people."""
    if not responses:
        if total := totals["responses"]:
            return f"none of the {total:,} responses fits: loosen --since, --until, --entity or --status"
        return "no responses: no incident reached [response] min_level, or no playbook fits (`playbooks list`)"
    rows = [
        (short(r["id"]), status_of(r), r["level"], r["playbook"], r["entity"], when(r["proposed_at"]), until_of(r),
         short(r["incident"]), why_of(r))
        for r in responses
    ]  # fmt: skip
    return table(("ID", "STATUS", "LEVEL", "PLAYBOOK", "ENTITY", "PROPOSED", "UNTIL", "INCIDENT", "WHY"), rows)


def why_of(response: dict[str, Any]) -> str:
    """Why a response is in the state in which it is."""
    errors = [action["error"] for action in response["actions"] if action["error"]]
    match response["status"]:
        case "proposed":
            return f"waits for an answer: `responses approve {short(response['id'])}`, or reject"
        case "failing" | "undoing" | "failed" | "refused" if errors:
            return str(errors[-1])
        case "undone":
            return f"taken back: {response['undone_because']}"
        case _:
            return str(response["reason"])


def status_of(response: dict[str, Any]) -> str:
    """Its status; and that it only rehearses, where all that was begun of it is a dry run."""
    return f"{response['status']} (dry run)" if is_rehearsed(response["actions"]) else str(response["status"])


def is_rehearsed(actions: list[dict[str, Any]]) -> bool:
    """Whether all actions that were begun are a dry run: in rows of before nobody wrote down who began them."""
    from domain.facts.response import DRY_RUN

    return {action.get("by", "") for action in actions if action["started_at"]} == {DRY_RUN}


def until_of(response: dict[str, Any]) -> str:
    """When what is in force ends by itself."""
    ends = response["expires_at"]
    return when(ends) if ends and response["status"] in LIVE_STATUS else "-"


def show(ctx: typer.Context, response: Response) -> None:
    """One response: its actions, their states, and when they end."""
    from projections.responses import document

    with opened(ctx) as reading:
        _, row = one(reading, response, ("responses",))
    emit(ctx, document(row), describe)


def describe(response: dict[str, Any]) -> str:
    """The response for people."""
    success, duration = response["success"], response["duration"]
    asset = response["asset_class"] or "no asset class"
    about = f"incident {short(response['incident'])}, threat {short(response['threat'])}"
    within = f"contained in {duration['mean']:.0f} s ({duration['low']:.0f}-{duration['high']:.0f})"
    sure = f"{success['mean']:.0%} ({success['low']:.0%}-{success['high']:.0%})"
    said = f"{response['decided_by']}: {response['reason']}" if response["decided_by"] else "waits for an answer"
    lines = [
        f"Response {response['id']}",
        f"{status_of(response)}  {response['level']}  playbook {response['playbook']} ({response['playbook_version']})",
        f"Against {response['threat_kind']} of {response['entity']} ({asset}); {about}",
        f"Proposed {when(response['proposed_at'])} in mode {response['mode']}; {said}",
        f"Chosen with probability {response['propensity']:.3f} among {', '.join(response['candidates'])}",
        f"Expected: success {sure}, {within}",
        "",
        "Actions:",
    ]
    for action in response["actions"]:
        lines += _action(action)
    if response["status"] == "proposed":
        lines += ["", f"`myrmidon responses approve {short(response['id'])}`, or reject; no answer means no action"]
    elif until_of(response) != "-":
        lines += [
            "",
            f"Taken back by itself at {until_of(response)}; now: `myrmidon responses undo {short(response['id'])}`",
        ]
    return "\n".join(lines)


def _action(action: dict[str, Any]) -> list[str]:
    head = (
        f"  {short(action['id'])}  {action['state']:<12}  {action['verb']} {action['target']}  by {action['actuator']}"
    )
    if is_rehearsed([action]):
        head += " (dry run)"
    if action["expires_at"]:
        head += f"  until {when(action['expires_at'])}"
    said = [("error", action["error"]), ("seen", action["evidence"]), ("taken back", action["undone_because"] or "")]
    return [head, *(f"            {name}: {text}" for name, text in said if text)]


def approve(ctx: typer.Context, response: Response, reason: Reason = "approved by an operator") -> None:
    """Let a proposed response begin; the gate looks at it once more."""
    from agents.responder.respond_commands import Approve

    _work(ctx, response, lambda found: Approve(response=found, reason=reason), "approved")


def reject(ctx: typer.Context, response: Response, reason: Reason = "rejected by an operator") -> None:
    """Refuse a proposed response: nothing is done."""
    from agents.responder.respond_commands import Reject

    _work(ctx, response, lambda found: Reject(response=found, reason=reason), "rejected")


def undo(ctx: typer.Context, response: Response) -> None:
    """Take back everything that a response did."""
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
    emit(ctx, document, _told)


def rates(ctx: typer.Context, playbook: Annotated[str | None, typer.Argument(help="Only this one.")] = None) -> None:
    """How well playbooks do, by kind of threat and class of asset."""
    with opened(ctx) as reading:
        document = reading.views.playbook_rates(playbook)
    emit(ctx, document, rates_table)


def rates_table(rows: list[dict[str, Any]]) -> Any:
    """The rates for people."""
    if not rows:
        return "no playbook was proposed yet"
    shown = [
        (r["playbook"], r["threat_kind"], r["asset_class"] or "-", r["proposed"], r["begun"], r["contained"],
         r["succeeded"], r["failed"], r["wrong"], "-" if r["success_rate"] is None else f"{r['success_rate']:.0%}",
         "-" if r["mean_seconds"] is None else f"{r['mean_seconds']:.1f}")
        for r in rows
    ]  # fmt: skip
    columns = (
        "PLAYBOOK",
        "KIND",
        "ASSET",
        "PROPOSED",
        "BEGUN",
        "CONTAINED",
        "SUCCEEDED",
        "FAILED",
        "WRONG",
        "SUCCESS",
        "SECONDS",
    )
    return table(columns, shown, right=columns[3:])


def _set_mode(ctx: typer.Context, wanted: Literal["observe", "suggest", "act"]) -> None:
    from scheduler import answers
    from scheduler.bootstrap import opened as opened_home
    from scheduler.bootstrap import settle, wall_clock

    with opened_home(known_home(ctx)) as parts:
        answers.set_mode(parts.journal, wanted, cause=uuid4(), now=wall_clock(), actor=_who())
        done = settle(parts)
        modes = _modes(parts) if done or wanted != "observe" else _let_go(parts)
        document = {**modes, "done_by": "this command" if done else "the running daemon"}
    emit(ctx, document, _told)
    beyond = document["mode"] != wanted
    if beyond:
        note(f"the settings allow no more than {document['settings']}: change [response] mode to go on to {wanted}")
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


def _told(document: dict[str, Any]) -> str:
    operators = document["operators"] or "nothing"
    said = f"the mode is {document['mode']} ([response] mode is {document['settings']}, operators said {operators})"
    still = (
        f"; {plural(document['in_force'], 'action')} still in force"
        if document["in_force"]
        else "; nothing is in force"
    )
    by = ", the running daemon goes on with it" if document.get("done_by") == "the running daemon" else ""
    return said + still + by


def _work(ctx: typer.Context, prefix: str, command: Any, what: str) -> None:
    from projections.responses import document as document_of
    from scheduler import answers, desk
    from scheduler.bootstrap import opened as opened_home
    from scheduler.bootstrap import settle, wall_clock
    from scheduler.crew import circumstances, response_policy

    with opened_home(known_home(ctx)) as parts:
        settle(parts)
        found: UUID = desk.find_one(parts.journal, prefix, ("response",))
        now = wall_clock()
        answers.work_response(
            parts.journal,
            command(found),
            policy=response_policy(parts.settings),
            around=circumstances(parts.settings, parts.home, now),
            cause=uuid4(),
            now=now,
            actor=_who(),
        )
        row = _came_of(parts, found, what, done=settle(parts))
    emit(ctx, {"done": what, "response": document_of(row) if row else None}, lambda shown: _answer(shown, found))
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


def _answer(shown: dict[str, Any], found: UUID) -> str:
    response = shown["response"]
    now = f"; it is {response['status']}" if response and response["status"] != shown["done"] else ""
    errors = [each["error"] for each in response["actions"] if each["error"]] if now else []
    why = f" ({errors[0]})" if errors else ""
    return f"response {str(found)[:8]} {shown['done']}{now}{why}"


def _who() -> str:
    return f"operator:{getpass.getuser()}"
