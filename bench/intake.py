"""The intake under a flood: threats in, incidents out; nothing lost, memory bounded, work linear in the threats.

Protocol: threats are recorded beforehand in batches of 1,000; measured is the responder's `catch_up` over them, in CPU
time of this process (user and system), and the memory that its state holds afterwards (`tracemalloc`, in a run of its
own). Two floods: `spread`, each threat of another host and peer; `one-peer`, all hosts call the same outside peer, so
that all threats are one incident. `python -m bench.intake [THREATS]` prints the figures as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections import Counter
from typing import Any, Final

from adapters.log import open_log
from agents.detector.decide import Sight, State, Versions, decide
from agents.detector.policy import Policy as DetectorPolicy
from agents.responder.decide import UNKNOWN
from agents.responder.policy import Policy
from domain.journal import Draft, Journal, follow
from domain.sighting import Flow, Sighting
from domain.values import HOUR, SECOND, event_id
from scheduler.intake import IntakeMind, intake

START: Final = 1_700_000_000 * SECOND
FLOODS: Final = ("spread", "one-peer")
SIZES: Final = (25_000, 50_000, 100_000)


def flood(journal: Journal, name: str, threats: int) -> None:
    """Record a flood of threats inside one minute of event time."""
    for begin in range(0, threats, 1000):
        journal.append([_draft(name, number, threats) for number in range(begin, min(begin + 1000, threats))])


def _draft(name: str, number: int, threats: int) -> Draft:
    at = START + number * 60 * SECOND // threats
    entity = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    peer = "203.0.113.9" if name == "one-peer" else f"2001:db8::{number:x}"
    flow = Flow(ts=at, src_ip=entity, src_port=40_000, dst_ip=peer, dst_port=443, proto="tcp", bytes_out=900)
    sighting = Sighting(
        row=number + 1,
        at=at,
        kind="beacon",
        entity=entity,
        score=1.5,
        first_seen=at - HOUR,
        last_seen=at,
        peers=(peer,),
        flow_count=60,
        flows=(flow,),
        features=(),
        votes=(),
        evidence=f"{number:064x}",
    )
    versions = Versions(model="bench", rules="bench", settings="bench")
    (fact,) = decide(DetectorPolicy(), Sight(feed="bench", sighting=sighting, versions=versions), State())
    stream = f"threat/{fact.threat}"
    identity = event_id(fact.threat, stream, fact.kind, 1)
    return Draft(event_id=identity, stream=stream, fact=fact, occurred_at=at, actor="detector", correlation=fact.threat)


def measure(name: str, threats: int) -> dict[str, Any]:
    """CPU seconds, counts and what is left of the state after a flood."""
    journal = open_log("memory:", lambda: START)
    flood(journal, name, threats)
    agent = intake(journal, Policy())
    begin = time.process_time()
    agent.catch_up()
    seconds = time.process_time() - begin
    mind = agent.mind
    assert isinstance(mind, IntakeMind)  # noqa: S101 - narrows the type
    kinds = Counter(recorded.fact.kind for facts in follow(journal) for recorded in facts)
    journal.close()
    lost = threats - kinds["incident-opened"] - kinds["threat-linked"]
    if lost or kinds["threat-assessed"] != threats:
        raise RuntimeError(f"{lost} of {threats} threats stand in no incident")
    return {
        "threats": threats,
        "cpu_seconds": round(seconds, 2),
        "threats_per_cpu_second": round(threats / seconds),
        "incidents": kinds["incident-opened"],
        "remembered": len(mind.state.threats),
        "forgotten": mind.state.forgotten,
    }


def held_mib(name: str, threats: int) -> float:
    """Memory that the state alone holds after a flood."""
    mind = IntakeMind(Policy(), UNKNOWN)
    journal = open_log("memory:", lambda: START)
    flood(journal, name, threats)
    tracemalloc.start()
    for facts in follow(journal):
        for recorded in facts:
            mind.decide(recorded)
    del facts, recorded
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    journal.close()
    return round(held / 2**20, 1)


def main(largest: int) -> dict[str, Any]:
    """All figures, for floods up to the largest size."""
    sizes = [size for size in SIZES if size < largest] + [largest]
    figures = {name: [measure(name, size) for size in sizes] for name in FLOODS}
    held = {name: [held_mib(name, size) for size in sizes[-2:]] for name in FLOODS}
    return {"figures": figures, "state_mib": held, "protocol": __doc__}


if __name__ == "__main__":
    answer = main(int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1])
    json.dump(answer, sys.stdout, indent=2)
