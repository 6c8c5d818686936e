"""How fast followers follow: the intake, the views catching up, and the replay, on a log of plain threats."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Final

from adapters.log import open_log
from adapters.views import Views
from agents.detector.decide import Sight, State, Versions, decide, evolve
from agents.detector.policy import Policy
from agents.responder.policy import Policy as ResponderPolicy
from bench.rate import rate_of
from domain.journal import Draft
from domain.sighting import Feature, Flow, Sighting
from domain.values import HOUR, SECOND, event_id
from scheduler.intake import intake

START: Final = 1_700_000_000 * SECOND
VERSIONS: Final = Versions(model="bench", rules="bench", settings="bench")
FLOWS: Final = 5
"""Sample flows of a threat: the behaviours keep 20 at most, most threats have few."""


def measure(folder: Path, *, threats: int) -> dict[str, float]:
    """Events a second of intake, catch-up and replay over `threats` threats of as many hosts, each continued once."""
    folder.mkdir(parents=True)
    journal = open_log(folder / "log.db", lambda: START)
    try:
        drafts = [draft for number in range(threats) for draft in _threat(number)]
        for begin in range(0, len(drafts), 1000):
            journal.append(drafts[begin : begin + 1000])
        gc.collect()
        gc.freeze()  # the input is not part of the work
        taken = rate_of(len(drafts), intake(journal, ResponderPolicy()).catch_up)
        events = journal.fingerprint().events
        with Views.open(str(folder), journal) as views:
            followed = rate_of(events, lambda: views.catch_up(journal))
            replayed = views.replay(journal)
    finally:
        gc.unfreeze()
        journal.close()
    if not replayed["equal"]:
        raise RuntimeError("the replay gave other views than the live ones")
    return {
        **taken.figures("intake_threat_facts"),
        **followed.figures("views_events"),
        "replay_events_per_second": replayed["events_per_second"],
        "views_events": events,
    }


def _threat(number: int) -> list[Draft]:
    """A threat of a host of its own and its continuation."""
    state, drafts = State(), []
    for ordinal, score in enumerate((1.0, 4.0), start=1):
        command = Sight(feed="bench", sighting=_sighting(number, score), versions=VERSIONS)
        for fact in decide(Policy(), command, state):
            state = evolve(state, fact)
            stream = f"threat/{fact.threat}"
            drafts.append(
                Draft(
                    event_id=event_id(fact.threat, stream, fact.kind, ordinal),
                    stream=stream,
                    fact=fact,
                    occurred_at=command.sighting.at,
                    actor="detector",
                    correlation=fact.threat,
                )
            )
    return drafts


def _sighting(number: int, score: float) -> Sighting:
    at = START + number * SECOND
    entity = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    peer = f"198.51.{number >> 8 & 255}.{number & 255}"
    flow = Flow(ts=at, src_ip=entity, src_port=40_000, dst_ip=peer, dst_port=443, proto="tcp", bytes_out=900, note="SF")
    return Sighting(
        row=number + 1,
        at=at,
        kind="beacon",
        entity=entity,
        score=score,
        first_seen=at - HOUR,
        last_seen=at,
        peers=(peer,),
        flow_count=60,
        flows=(flow,) * FLOWS,
        features=(Feature(name="calls", value=60.0, baseline=20.0), Feature(name="interval spread", value=0.02)),
        votes=(),
        evidence=f"{number:064x}",
    )
