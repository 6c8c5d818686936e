"""What the engine senses and an agent decides about: the border between measuring and deciding.

A `Sighting` says: up to this row, this entity showed this much evidence of this kind. `score` is the evidence over
its threshold; the engine reports from half a threshold on (a *candidate*), the detector decides from 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.values import Micros, RuleLevel, ThreatKind

OTHERS: Final = "others"
"""What the threat is about that stands for all beyond the most that go on at a time."""


MOST_PEERS: Final = 50
"""Peers that a sighting of a behaviour names; there may be more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One sample record of a threat's evidence."""

    ts: Micros
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    proto: str
    bytes_out: int = 0
    bytes_in: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One contributing measurement: its value beside the bound or baseline that it is compared with."""

    name: str
    value: float
    unit: str = ""
    baseline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one voter said. `p` is a conformal p-value, or None where the voter gives none (a behaviour, a rule)."""

    model: str
    version: str
    p: float | None
    vote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHit:
    """A rule that matched, with what must stay beside its match: who wrote it, under which licence.

    Attributes:
        id: the rule's own id; `version` is the beginning of the hash of what it says.
        level: as its author gave it.
        techniques: MITRE ATT&CK ids.
        reference: where to read on.
    """

    id: str
    version: str
    title: str
    level: RuleLevel
    author: str
    techniques: tuple[str, ...]
    licence: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Evidence of one kind about one entity, as it stood right after row `row` of the feed.

    Attributes:
        row: 1-based number of the row in the feed's merged order that completed it.
        at: the feed's clock at that row (its watermark).
        score: evidence over threshold, rounded to 6 places; candidates begin at 0.5, decisions at 1.
        first_seen, last_seen: event time of the first and last flow that counts.
        flow_count: how many records count; `flows` is a bounded sample of them (at most 20). Of a beacon they are
            calls: bursts and retries count once.
        evidence: SHA-256 (hex) of the first row of the evidence: it enters the threat's id.
        rules: the rules that matched (of a `rule-match`, one).
        detail: SHA-256 (hex) of the stored record that its score can be computed from again; empty when there is none.
        about: what the finding is about beside its entity (the peer, domain or service); empty where that is all of it.
    """

    row: int
    at: Micros
    kind: ThreatKind
    entity: str
    score: float
    first_seen: Micros
    last_seen: Micros
    peers: tuple[str, ...]
    flow_count: int
    flows: tuple[Flow, ...]
    features: tuple[Feature, ...]
    votes: tuple[Vote, ...]
    evidence: str
    detail: str = ""
    rules: tuple[RuleHit, ...] = ()
    about: str = ""

    @property
    def topic(self) -> str:
        """What tells threats of one entity apart: the kind, and what it is about (of a rule match, the rule)."""
        return topic_of(self.kind, self.rules, self.about)


def topic_of(kind: ThreatKind, rules: tuple[RuleHit, ...], about: str) -> str:
    """See `Sighting.topic`."""
    about = rules[0].id if kind == "rule-match" and rules else about
    return f"{kind}:{about}" if about else kind
