"""`myrmidon audit rescore`: the recorded evidence, scored by the recorded models, gives the recorded scores."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import context_of
from cli.output import emit, fail
from cli.reading import opened_log

if TYPE_CHECKING:
    from uuid import UUID

    from domain.journal import Journal


def rescore(
    ctx: typer.Context,
    threat: Annotated[str, typer.Argument(help="A threat, by the first digits of its id; all without it.")] = "",
) -> None:
    """Score the recorded evidence of model votes anew; exit code 1 when a score is not the recorded one."""
    from adapters.artifacts import Artifacts
    from scheduler import rescore as scoring

    with opened_log(ctx) as journal:
        wanted = _one(journal, threat.strip().lower()) if threat else None
        with redirect_stdout(sys.stderr):  # what a model of another package prints is no answer of ours
            document = scoring.rescore(journal, Artifacts(context_of(ctx).where().artifacts), wanted)
    emit(ctx, document, rescored)
    if not document["equal"]:
        raise typer.Exit(1)


def rescored(document: dict[str, Any]) -> str:
    """The comparison in words."""
    checked = document["checked"]
    records = f"{checked:,} record{'s' if checked != 1 else ''} of evidence"
    if document["equal"]:
        return f"{records} scored anew: every score is the recorded one"
    lines = [f"{len(document['unequal']):,} of {records} DIFFER:"]
    lines += [f"  row {found['row']:,}, {found['entity']}: {found['reason']}" for found in document["unequal"]]
    return "\n".join(lines)


def _one(journal: Journal, prefix: str) -> UUID:
    """The threat whose id begins with `prefix`; ends the command when it is not exactly one."""
    from domain.facts.threat import ThreatDetected
    from domain.journal import follow

    found = [
        recorded.fact.threat
        for facts in follow(journal)
        for recorded in facts
        if isinstance(recorded.fact, ThreatDetected) and str(recorded.fact.threat).startswith(prefix)
    ]
    if len(found) != 1:
        many = "begins more than one id" if found else "begins no id of a threat"
        fail(f"{prefix!r} {many}: see `myrmidon threats list --json`")
    return found[0]
