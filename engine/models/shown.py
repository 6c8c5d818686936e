"""What an anomaly looks like as a sighting: score, votes, the features that show it, and its record of evidence."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Final, NamedTuple

from domain.sighting import Feature, Flow, Sighting, Vote
from engine.features.windows import ClosedWindow, Sample
from engine.models.words import WORDS
from engine.sensed import Sensed
from engine.verdict.severity import severity_of

PEERS: Final = 20
CANDIDATE: Final = 0.99
"""Most that a vote scores whose deviation decides nothing."""

LEAST_RECORDS: Final = 4
"""Records of a window below which it says nothing: one or two odd connections are no odd host."""

MOST_SCORE: Final = 12.0
"""Scores end here, so that the risk of an anomaly alone stays below medium."""


class Finding(NamedTuple):
    """What became of a window.

    Attributes:
        p: of the voter that decides (the consensus, or the peers), `level` the bound of a vote.
        voter: its name and version.
        votes: of the models behind it.
        deviation: how far the window lies from what is usual; `shown` the features that show it.
        against: what it was held against, in words, and how many of these there are.
        record: the evidence, as bytes.
    """

    p: float
    level: float
    voter: tuple[str, str]
    votes: tuple[Vote, ...]
    deviation: float
    shown: tuple[Feature, ...]
    record: bytes
    against: tuple[str, int]


def telling(p: float, closed: ClosedWindow) -> float:
    """The p-value of a window that would be a candidate; 1 when it has too few flows to say anything."""
    return 1.0 if closed.flows < LEAST_RECORDS else p


def report(closed: ClosedWindow, finding: Finding, sensed: Sensed) -> bool:
    """Add the sighting of a window, and its evidence, to what was sensed; whether it is an alarm (scores 1 or more)."""
    window = closed.window
    severity = severity_of(finding.deviation)
    vote = finding.p <= finding.level
    score = finding.level / finding.p * (severity.factor if vote else 1.0)
    model, version = finding.voter
    deviation = Feature(name=f"deviation ({severity.name})", value=finding.deviation, unit="MAD", baseline=0.0)
    shown = (replace(feature, name=WORDS[feature.name]) for feature in finding.shown)
    held = Feature(name=finding.against[0], value=float(finding.against[1]), unit="", baseline=None)
    peers = sorted(window.peers.items(), key=lambda peer: (-peer[1], peer[0]))
    sensed.blobs.append(finding.record)
    sighting = Sighting(
        row=closed.row,
        at=closed.at,
        kind="anomaly",
        entity=window.host,
        score=round(min(score, MOST_SCORE if severity.decides else CANDIDATE), 6),
        first_seen=window.first,
        last_seen=window.last,
        peers=tuple(peer for peer, _ in peers[:PEERS] if peer),
        flow_count=window.flows,
        flows=tuple(map(_flow, window.sample)),
        features=(*shown, held, deviation),
        votes=(Vote(model=model, version=version, p=finding.p, vote=vote), *finding.votes),
        evidence=window.evidence,
        detail=sha256(finding.record).hexdigest(),
    )
    sensed.sightings.append(sighting)
    return sighting.score >= 1.0


def _flow(sample: Sample) -> Flow:
    ts, src, sport, dst, port, proto, out, back = sample
    return Flow(ts=ts, src_ip=src, src_port=sport, dst_ip=dst, dst_port=port, proto=proto, bytes_out=out, bytes_in=back)
