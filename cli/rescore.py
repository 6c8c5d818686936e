"""`myrmidon audit rescore`: the recorded evidence, scored by the recorded models, gives the recorded scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import context_of
from cli.output import emit, fail, short
from cli.reading import opened_log

if TYPE_CHECKING:
    from adapters.artifacts import Artifacts
    from domain.facts.threat import ThreatContinued, ThreatDetected
    from domain.journal import Journal


def rescore(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(help="A threat, by the first digits of its id; all without it.")] = "",  # noqa: A002
) -> None:
    """Score the recorded evidence of model votes anew; exit code 1 when a score is not the recorded one."""
    from adapters.artifacts import Artifacts

    artifacts = Artifacts(context_of(ctx).where().artifacts)
    with opened_log(ctx) as journal:
        told = list(_with_evidence(journal, id.strip().lower()))
    if id and not told:
        fail(f"no threat with stored evidence has an id that begins with {id!r}: only votes of models store theirs")
    differing = [found for fact in told if (found := _differs(fact, artifacts)) is not None]
    document = {"rescored": len(told), "equal": not differing, "different": differing}
    emit(ctx, document, rescored)
    if differing:
        raise typer.Exit(1)


def rescored(document: dict[str, Any]) -> str:
    """The comparison in words."""
    if document["equal"]:
        number = document["rescored"]
        return f"{number:,} record{'s' if number != 1 else ''} of evidence scored anew: every score is the recorded one"
    lines = [f"{len(document['different']):,} of {document['rescored']:,} records of evidence DIFFER:"]
    lines += [
        f"  threat {short(found['threat'])} ({found['entity']}): {found['why']}" for found in document["different"]
    ]
    return "\n".join(lines)


def _with_evidence(journal: Journal, prefix: str) -> Iterator[ThreatDetected | ThreatContinued]:
    """The facts of threats that name a record of evidence, each record once."""
    from domain.facts.threat import ThreatContinued, ThreatDetected
    from domain.journal import follow

    known: set[str] = set()
    for facts in follow(journal):
        for recorded in facts:
            fact = recorded.fact
            if not isinstance(fact, ThreatDetected | ThreatContinued) or not fact.detail or fact.detail in known:
                continue
            if str(fact.threat).startswith(prefix):
                known.add(fact.detail)
                yield fact


def _differs(fact: ThreatDetected | ThreatContinued, artifacts: Artifacts) -> dict[str, Any] | None:
    """Why a fact's evidence does not give its score; None when it does."""
    from domain.errors import MyrmidonError
    from engine.models.evidence import Evidence, recompute

    try:
        evidence = Evidence.load(artifacts.get(fact.detail))
        found = recompute(evidence, artifacts.get)
    except MyrmidonError as error:
        why = str(error)
    else:
        if found.equal:
            return None
        why = f"recorded p {evidence.p}, scored anew {found.p}"
    return {"threat": str(fact.threat), "entity": fact.entity, "detail": fact.detail, "why": why}
