"""`audit rescore`: score the recorded evidence again with the recorded models, and compare to the last bit.

Rules:
    1. The evidence of an anomaly is the record that its sighting names (`detail`); sightings are in the ledger's list
       of candidates, which the ledger entry names by SHA-256.
    2. Everything comes from the log and the artifact store, which verifies what it gives. Nothing is trained.
    3. What is missing or changed counts as unequal, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from adapters.artifacts import Artifacts
from domain.errors import MyrmidonError
from domain.facts.telemetry import BatchScored
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.journal import Journal, follow
from domain.sighting import Sighting
from engine.models.evidence import Evidence, recompute


def rescore(journal: Journal, artifacts: Artifacts, threat: UUID | None = None) -> dict[str, Any]:
    """Score anew what the recorded anomalies (or the one threat) rest on.

    Returns:
        `{"equal", "checked", "unequal"}`; `unequal` lists row, entity and reason of what is not as recorded.
    """
    chosen = None if threat is None else set(_rows(journal, threat))
    checked = 0
    unequal: list[dict[str, Any]] = []
    for sighting in _sightings(journal, artifacts, unequal):
        if chosen is not None and (sighting.row, sighting.entity) not in chosen:
            continue
        checked += 1
        reason = _check(sighting, artifacts)
        if reason:
            unequal.append({"row": sighting.row, "entity": sighting.entity, "reason": reason})
    return {"equal": not unequal, "checked": checked, "unequal": unequal}


def _check(sighting: Sighting, artifacts: Artifacts) -> str:
    """Why a sighting is not as recorded; empty if it is."""
    try:
        evidence = Evidence.load(artifacts.get(sighting.detail))
        found = recompute(evidence, artifacts.get)
    except MyrmidonError as error:
        return str(error)
    if not found.equal:
        return f"p is {found.p}, recorded was {evidence.p}"
    recorded = {vote.p for vote in sighting.votes[:1]}
    return "" if recorded == {evidence.p} else f"the sighting says p = {recorded}, its evidence {evidence.p}"


def _sightings(journal: Journal, artifacts: Artifacts, unequal: list[dict[str, Any]]) -> Iterator[Sighting]:
    """Every recorded anomaly that has evidence."""
    for batch in follow(journal):
        for recorded in batch:
            fact = recorded.fact
            if not isinstance(fact, BatchScored) or not fact.candidates:
                continue
            try:
                lines = artifacts.get(fact.candidates_sha256).splitlines()
            except MyrmidonError as error:
                unequal.append({"row": 0, "entity": fact.feed, "reason": str(error)})
                continue
            sightings = (msgspec.json.decode(line, type=Sighting) for line in lines if b'"anomaly"' in line)
            yield from (sighting for sighting in sightings if sighting.kind == "anomaly" and sighting.detail)


def _rows(journal: Journal, threat: UUID) -> Iterator[tuple[int, str]]:
    """The rows and the entity of one threat's facts."""
    for batch in follow(journal):
        for recorded in batch:
            fact = recorded.fact
            if isinstance(fact, ThreatDetected | ThreatContinued) and fact.threat == threat:
                yield fact.row, fact.entity
