"""Words that every part shares: severity bands, threat kinds, identities, time.

Rules:
    1. Time is UTC, an integer number of microseconds since the epoch (`Micros`).
    2. Risk is 0-10; a level is a band of risk (`LEVELS`).
    3. The kinds of threat are a closed list (`KINDS`), each with its entity rule, base risk and ATT&CK techniques.
    4. An identity is derived (uuid5), never drawn: the same cause gives the same id.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, Literal, TypeAlias
from uuid import UUID, SafeUUID

Micros: TypeAlias = int
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

NAMESPACE: Final = UUID("6d79726d-6964-6f6e-8000-000000000001")
"""The uuid5 namespace of every id of ours ("myrmidon" in ASCII)."""

_NAMESPACE: Final = NAMESPACE.bytes
_FIXED: Final = 5 << 76 | 2 << 62
_VARIABLE: Final = ~(15 << 76 | 3 << 62)
"""RFC 9562, 5.5: four bits say that it is a version 5, two that it is of this variant."""

Level = Literal["low", "medium", "high", "critical"]
RuleLevel = Literal["informational", "low", "medium", "high", "critical"]
Verdict = Literal["correct", "incorrect", "partial"]
ThreatKind = Literal[
    "horizontal-scan",
    "vertical-scan",
    "password-guessing",
    "beacon",
    "exfiltration",
    "flood",
    "dns-tunnel",
    "generated-domains",
    "anomaly",
    "rule-match",
]

LEVELS: Final[tuple[tuple[float, Level], ...]] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.0, "low"))
"""Lower bound of risk and the level that begins there, highest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """What is known of a kind of threat before anything is assessed.

    Attributes:
        risk: the documented risk (0-10) of a sighting that just reaches its threshold.
        techniques: MITRE ATT&CK ids.
        entity: which end of the flows the threat is about (`inside client`, `source`, `victim`).
        says: one clause of plain English, used in titles.
    """

    risk: float
    techniques: tuple[str, ...]
    entity: Literal["source", "client", "victim"]
    says: str


KINDS: Final[dict[ThreatKind, KindRule]] = {
    "horizontal-scan": KindRule(
        risk=5.0, techniques=("T1046", "T1595.001"), entity="source", says="looked for one service on many hosts"
    ),
    "vertical-scan": KindRule(
        risk=5.0, techniques=("T1046", "T1595.001"), entity="source", says="tried many ports of one host"
    ),
    "password-guessing": KindRule(
        risk=6.5, techniques=("T1110.001", "T1110.003"), entity="source", says="tried to log in again and again"
    ),
    "beacon": KindRule(risk=7.0, techniques=("T1071", "T1571"), entity="client", says="calls home at a regular beat"),
    "exfiltration": KindRule(
        risk=8.0, techniques=("T1041", "T1048"), entity="client", says="sent out far more than it took in"
    ),
    "flood": KindRule(risk=7.5, techniques=("T1498", "T1499"), entity="victim", says="is flooded with connections"),
    "dns-tunnel": KindRule(
        risk=7.5, techniques=("T1071.004", "T1572"), entity="client", says="carries data inside DNS names"
    ),
    "generated-domains": KindRule(
        risk=7.0, techniques=("T1568.002",), entity="client", says="asks for names that a program made up"
    ),
    "anomaly": KindRule(risk=3.0, techniques=(), entity="client", says="behaves unlike its own past"),
    "rule-match": KindRule(risk=4.5, techniques=(), entity="source", says="matches a rule"),
}
"""The closed list. `anomaly` stays below medium: a vote alone opens no incident.

A `rule-match` has the techniques of its rule and the risk of its rule's level (`RULE_RISK`).
"""

RULE_RISK: Final[dict[RuleLevel, float]] = {
    "informational": 0.5, "low": 2.0, "medium": 4.5, "high": 7.0, "critical": 9.0,
}  # fmt: skip
"""Risk of the first match of a rule by the level that its author gave it. However often it matches, it stays in that
level's band; so a low rule never opens an incident."""


ALONE: Final = 8.99
"""Most that a behaviour is worth by itself: just below critical."""


def shown_risk(risk: float) -> str:
    """A risk as people read it, wherever they do: rounded down, so that it never stands on the other side of its level.

    >>> shown_risk(3.99), shown_risk(4.0), shown_risk(10.0)
    ('3.9', '4.0', '10.0')
    """
    return f"{int(risk * 10 + 1e-9) / 10:.1f}"


def volume(size: int) -> str:
    """Bytes for people, in decimal units.

    >>> volume(0), volume(999), volume(35_345_278)
    ('0 B', '999 B', '35.3 MB')
    """
    value, unit = float(size), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def level_of(risk: float) -> Level:
    """The level whose band holds `risk`.

    >>> level_of(9.0), level_of(8.99), level_of(4.0), level_of(0.0)
    ('critical', 'high', 'medium', 'low')
    """
    return next(level for bound, level in LEVELS if risk >= bound)


def risk_of(kind: ThreatKind, score: float, rule: RuleLevel | None = None) -> float:
    """Risk of a sighting before assessment: the kind's documented value, a quarter more per doubling of the score.

    Of a `rule-match` it is the value of the level of its `rule`. What one behaviour showed stays below critical
    (`ALONE`), however large it was: what lifts it there is weighed with the threat (another kind of threat beside it,
    what is at stake, verdicts).

    `score` is the measured evidence over its decision threshold (1 = just reached). At most 1.5 is added, so that
    the size of one behaviour never outweighs its nature.

    >>> risk_of("beacon", 1.0), risk_of("beacon", 4.0), risk_of("horizontal-scan", 1e9)
    (7.0, 7.5, 6.5)
    >>> risk_of("exfiltration", 1e9)
    8.99
    >>> risk_of("rule-match", 1.0, "critical"), risk_of("rule-match", 1e9, "low")
    (9.0, 3.5)
    """
    rise = 0.25 * math.log2(score) if score > 1.0 else 0.0
    base, most = (KINDS[kind].risk, ALONE) if rule is None else (RULE_RISK[rule], 10.0)
    return round(min(most, base + min(1.5, rise)), 2)


def confidence_of(score: float) -> float:
    """How sure a sighting is, 0-1: one half at the threshold, halving the rest with every doubling of the score.

    >>> confidence_of(1.0), confidence_of(2.0), confidence_of(8.0)
    (0.5, 0.75, 0.9375)
    """
    return round(1.0 - 0.5 / max(score, 0.5), 4)


def named(name: str) -> UUID:
    """The uuid5 of a name in our namespace; what `uuid.uuid5` gives, in a quarter of its time.

    >>> from uuid import uuid5
    >>> named("a") == uuid5(NAMESPACE, "a"), named("a").version
    (True, 5)
    """
    digest = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()
    made = object.__new__(UUID)
    object.__setattr__(made, "int", int.from_bytes(digest[:16], "big") & _VARIABLE | _FIXED)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


def event_id(cause: UUID, stream: str, kind: str, ordinal: int = 0) -> UUID:
    """Id of the `ordinal`-th fact of `kind` that `cause` put into `stream`: the same cause gives the same id."""
    return named(f"{cause.hex}|{stream}|{kind}|{ordinal}")


def threat_id(feed: str, entity: str, kind: str, evidence: str) -> UUID:
    """Id of a threat; `evidence` is the SHA-256 (hex) of the first row that shows it."""
    return named(f"threat|{feed}|{entity}|{kind}|{evidence}")


def incident_id(threat: UUID) -> UUID:
    """Id of the incident that `threat` opened."""
    return named(f"incident|{threat.hex}")
