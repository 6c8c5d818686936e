"""`audit rescore`: score the recorded evidence again with the recorded models, and compare to the last bit.

Rules:
    1. Evidence is what the facts of threats name (`detail`): a threat keeps its evidence, at each of its steps. What
       stayed below a threat left no record of its own: the ledger's list of candidates has its score, and that the list
       is still there, as it was written, is all there is to check about it.
    2. A record holds if the models that it names give the scores, votes and p that it holds, and the fact tells the
       same p and votes.
    3. Everything comes from the log and the artifact store, which verifies what it gives. Nothing is trained.
    4. What is missing or changed counts as unequal, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID

from adapters.artifacts import Artifacts
from domain.errors import MyrmidonError
from domain.facts.telemetry import BatchScored
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.journal import Journal, follow
from engine.models.evidence import Evidence, recompute

Step: TypeAlias = ThreatDetected | ThreatContinued

HELD: Final = 256
"""Records kept at hand: the steps of a threat name the gravest one again and again."""


def rescore(journal: Journal, artifacts: Artifacts, threat: UUID | None = None) -> dict[str, Any]:
    """Score anew what the recorded threats (or the one) rest on.

    Returns:
        `{"equal", "checked", "unequal"}`: `checked` counts records of evidence; `unequal` lists row, entity and reason
        of what is not as recorded.
    """
    recomputed = lru_cache(HELD)(lambda detail: _recomputed(detail, artifacts))
    checked: set[str] = set()
    unequal: list[dict[str, Any]] = []
    for fact in _facts(journal):
        if isinstance(fact, BatchScored):
            reason = "" if threat is not None or not fact.candidates else artifacts.fault(fact.candidates_sha256)
            row, entity = sum(log.rows for log in fact.cursor), f"candidates of feed {fact.feed}"
        elif (threat is not None and fact.threat != threat) or not fact.detail:
            continue
        else:
            known = fact.detail in checked
            checked.add(fact.detail)
            evidence, reason = recomputed(fact.detail)
            reason = ("" if known else reason) or _untold(fact, evidence)
            row, entity = fact.row, fact.entity
        if reason:
            unequal.append({"row": row, "entity": entity, "reason": reason})
    return {"equal": not unequal, "checked": len(checked), "unequal": unequal}


def _facts(journal: Journal) -> Iterator[Step | BatchScored]:
    for batch in follow(journal):
        for recorded in batch:
            if isinstance(recorded.fact, ThreatDetected | ThreatContinued | BatchScored):
                yield recorded.fact


def _recomputed(detail: str, artifacts: Artifacts) -> tuple[Evidence | None, str]:
    """A record, and why it does not hold; no record when it cannot be read."""
    try:
        evidence = Evidence.load(artifacts.get(detail))
        found = recompute(evidence, artifacts.get)
    except MyrmidonError as error:
        return None, str(error)
    return evidence, "" if found.equal else f"p is {found.p}, recorded was {evidence.p}"


def _untold(fact: Step, evidence: Evidence | None) -> str:
    """Why a fact does not tell what its record says; empty if it does."""
    if evidence is None:
        return ""
    told = tuple(vote.p for vote in fact.votes)
    held = (evidence.p, *(evidence.votes if evidence.models else ()))
    return "" if told == held else f"the threat says p = {told}, its evidence {held}"
