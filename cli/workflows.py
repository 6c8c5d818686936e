"""`myrmidon workflows`: what one threat set going, step by step."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.output import emit, short, table, when
from cli.reading import Limit, Since, answer_list, one, opened

StatusOption = Annotated[Literal["open", "waiting", "stalled", "done"] | None, typer.Option(help="Only this status.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="What a threat set going, step by step.", no_args_is_help=True)
    group.command("list")(list_workflows)
    group.command("show")(show)
    app.add_typer(group, name="workflows")


def list_workflows(ctx: typer.Context, *, since: Since = None, status: StatusOption = None, limit: Limit = 100) -> None:
    """Workflows, the latest first."""
    answer_list(ctx, "workflows", lambda views: views.list_workflows, as_table, since=since, status=status, limit=limit)


def as_table(workflows: list[dict[str, Any]], _: dict[str, int]) -> Any:
    """The list for people."""
    if not workflows:
        return "no workflow fits: loosen --since or --status, or see what was detected with `myrmidon threats list`"
    rows = [
        (short(w["id"]), w["status"], w["count"], w["errors"], when(w["started_at"]), when(w["updated_at"]),
         w["title"] + (f" (waits for {', '.join(w['waiting'])})" if w["waiting"] else ""))
        for w in workflows
    ]  # fmt: skip
    return table(("ID", "STATUS", "STEPS", "ERRORS", "BEGAN", "LAST", "WHAT"), rows, right=("STEPS", "ERRORS"))


def show(ctx: typer.Context, workflow: Annotated[str, typer.Argument(help="Its id, or how it begins.")]) -> None:
    """One workflow: its steps in the order in which they ran, with results, durations and errors."""
    from projections.workflows import document

    with opened(ctx) as reading:
        _, row = one(reading, workflow, ("workflows",))
    emit(ctx, document(row), describe)


def describe(workflow: dict[str, Any]) -> str:
    """The workflow for people."""
    lines = [
        f"Workflow {workflow['id']}",
        f"{workflow['status']}  {workflow['count']} steps, {workflow['errors']} errors",
        workflow["title"],
    ]
    if workflow["waiting"]:
        lines.append(f"Waits for {', '.join(workflow['waiting'])}")
    lines += ["", "Steps (with the seconds since the one before):"]
    lines += [
        f"  {when(step['recorded_at'])}  {step['seconds']:>9.3f}  {step['result']:<5}  {step['what']:<19}  "
        f"{step['by']}  {step['says']}".rstrip()
        for step in workflow["steps"]
    ]
    return "\n".join(lines)
