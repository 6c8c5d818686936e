"""Why: a threat or an incident told from the log, as a structure (`cli.describe` puts it in words)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from cli.output import short, when
from cli.techniques import TECHNIQUES
from domain.facts.assessment import ThreatAssessed
from domain.facts.incident import IncidentContained, IncidentEscalated, IncidentReleased
from domain.facts.response import ActionRetried, ResponseDeferred
from domain.facts.telemetry import BatchScored
from domain.journal import Journal, Recorded
from domain.moments import rfc3339
from domain.values import MINUTE, SECOND, Micros, shown_risk
from projections import incidents as incident_view
from projections import threats as threat_view


def threat_story(journal: Journal, row: dict[str, Any]) -> dict[str, Any]:
    """All that explains a threat, from the ledger entry that covers its evidence to what operators said."""
    threat = threat_view.document(row)
    from engine.measures import named

    threat["features"] = named(threat["features"])
    return {
        "kind": "threat",
        "id": row["id"],
        "threat": threat,
        "what": row["title"],
        "who": {"entity": row["entity"], "peers": row["peers"]},
        "when": {name: threat[name] for name in ("first_seen", "last_seen", "detected_at")},
        "why": [*matched(row["kind"], threat["flows"]), *reasons(row["kind"], threat["features"])],
        "how_sure": {
            "confidence": row["confidence"],
            "score": row["score"],
            "risk": row["risk"],
            "level": row["level"],
            "votes": row["votes"],
            "contributions": row["contributions"],
            "weighed": weighed(journal, row["id"]),
        },
        "versions": {
            name.removesuffix("_version"): row[name] for name in ("model_version", "rules_version", "settings_version")
        },
        "rules": row["rules"],
        "techniques": [{"id": name, "name": TECHNIQUES.get(name, "")} for name in row["techniques"]],
        "flows": threat["flows"],
        "verdicts": threat["verdicts"],
        "chain": [step(*pair) for pair in threat_chain(journal, row)],
    }


def incident_story(
    journal: Journal,
    row: dict[str, Any],
    threats: Iterable[dict[str, Any]],
    responses: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """All that explains an incident: itself, its facts, what was done about it, and the story of each threat."""
    streams = [f"incident/{row['id']}", *(f"response/{each['id']}" for each in responses)]
    facts = sorted((r for stream in streams for r in journal.read_stream(stream)), key=lambda r: r.position)
    members = list(threats)
    row = incident_view.current(row, members)
    return {
        "kind": "incident",
        "id": row["id"],
        "what": summary(row, members),
        "incident": incident_view.document(row),
        "threats": [threat_story(journal, threat) for threat in members],
        "responses": list(responses),
        "chain": [step(recorded, spoken(recorded)) for recorded in facts],
    }


def summary(row: dict[str, Any], threats: list[dict[str, Any]]) -> str:
    """What an incident is: what, by whom, from when to when, how many threats of which kinds."""
    about = ", ".join(row["entities"])
    if not threats:
        return f"{row['title']}. It is {row['status']} and about {about}."
    kinds = Counter(threat["kind"] for threat in threats)
    first = min(threat["first_seen"] for threat in threats)
    last = max(threat["last_seen"] for threat in threats)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return (
        f"{row['title']}. It is {row['status']} and about {about}, from {when(first)} to {when(last)} "
        f"({lasted(first, last)}). It holds {len(threats)} threat{'s' if len(threats) != 1 else ''}: {counted}."
    )


def threat_chain(journal: Journal, row: dict[str, Any]) -> list[tuple[Recorded, str]]:
    """The facts that lead from telemetry over the threat to the incident and the verdicts, in log order."""
    chain: list[tuple[Recorded, str]] = []
    threat, first = row["id"], 0
    facts = journal.read_stream(f"threat/{threat}")
    if facts:
        first = facts[0].fact.row  # type: ignore[union-attr]  # a threat begins with threat-detected
        ledger = covering(journal, row["feed"], first)
        if ledger is not None:
            chain.append((ledger, f"rows up to {first:,} of feed {row['feed']} were scored"))
        chain.append((facts[0], f"row {first:,} completed the evidence"))
    if len(facts) > 1:
        chain.append((facts[-1], f"it went on; last of {len(facts) - 1} reports"))
    if row["incident"]:
        about = journal.read_stream(f"incident/{row['incident']}")
        chain += [(r, spoken(r)) for r in about if str(getattr(r.fact, "threat", "")) == threat]
    for stream in (f"assessment/{threat}", f"verdict/{threat}"):
        chain += [(r, spoken(r)) for r in journal.read_stream(stream)]
    return sorted(chain, key=lambda pair: pair[0].position)


def weighed(journal: Journal, threat: str) -> dict[str, Any] | None:
    """What was known when the risk was last weighed, and how many reports came after that; None before the first."""
    told = [r for r in journal.read_stream(f"assessment/{threat}") if isinstance(r.fact, ThreatAssessed)]
    if not told:
        return None
    reports = journal.read_stream(f"threat/{threat}")
    caused = [r for r in reports if r.event_id == told[-1].causation]
    known = (caused or [r for r in reports if r.position < told[-1].position])[-1]
    return {
        "at": rfc3339(told[-1].occurred_at),
        "confidence": known.fact.confidence,  # type: ignore[union-attr]  # only reports are in this stream
        "reports_since": sum(r.position > known.position for r in reports),
    }


def covering(journal: Journal, feed: str, row: int) -> Recorded | None:
    """The ledger entry of a feed that covers a row; None while its batch is still open."""
    received = 0
    for recorded in journal.read_stream(f"feed/{feed}"):
        if isinstance(recorded.fact, BatchScored):
            received += recorded.fact.received
            if received >= row:
                return recorded
    return None


def step(recorded: Recorded, says: str) -> dict[str, Any]:
    """A link of a chain."""
    return {
        "position": recorded.position,
        "event_id": str(recorded.event_id),
        "stream": recorded.stream,
        "kind": recorded.fact.kind,
        "at": rfc3339(recorded.occurred_at),
        "by": recorded.actor,
        "causation": str(recorded.causation) if recorded.causation else None,
        "says": says,
    }


SPEAKING: Final = (
    "title", "playbook", "reason", "into", "text", "verdict", "correction", "phase", "error", "target", "receipt",
    "evidence",
)  # fmt: skip
"""Fields of facts that say something to people."""


SPOKEN: Final[dict[type, Callable[[Any], str]]] = {
    ThreatAssessed: lambda fact: f"risk {shown_risk(fact.risk)} ({fact.level})",
    ResponseDeferred: lambda fact: f"waits for {'an answer' if fact.asks else 'room'}: {fact.check}: {fact.reason}",
    ActionRetried: lambda fact: f"attempt {fact.attempt}",
    IncidentEscalated: lambda fact: f"risk {shown_risk(fact.risk)} ({fact.level}); {fact.title}",
    IncidentContained: lambda fact: f"every action of response {short(str(fact.response))} is in force",
    IncidentReleased: lambda fact: (
        f"response {short(str(fact.response))} holds its gravest threat back no more ({fact.reason})"
    ),
}
"""Facts whose fields alone say too little."""


def spoken(recorded: Recorded) -> str:
    """What a fact says, in its own words."""
    fact = recorded.fact
    if type(fact) in SPOKEN:
        return SPOKEN[type(fact)](fact)
    return "; ".join(str(getattr(fact, name)) for name in SPEAKING if getattr(fact, name, ""))


COUNTED: Final = frozenset({"attempts", "calls", "characters", "hosts", "names", "passwords", "ports", "records"})
"""Units of which there may be one."""


SMALL_PROVES: Final = ("spread", "skew", "share answered", "median bytes")
"""Words in the names of measurements that must stay below their bound: being small is the proof."""


MATCHES: Final = 3
"""Different records that matched a rule and whose fields are told."""


def matched(kind: str, flows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What made a rule match: the fields of the first records with their values."""
    notes = dict.fromkeys(flow["note"] for flow in flows if flow["note"]) if kind == "rule-match" else {}
    feature = {
        "name": "matched",
        "measure": "records",
        "family": "behavioural",
        "unit": "",
        "value": 1.0,
        "baseline": None,
        "needed": True,
    }
    return [{**feature, "says": f"a record that matches: {note}"} for note in list(notes)[:MATCHES]]


def reasons(kind: str, features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The measurements in words: a success among failed log-ins first, those that played no part last."""
    return [told for _, told in sorted((measured(kind, feature) for feature in features), key=lambda pair: pair[0])]


def measured(kind: str, feature: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """A measurement beside what it was compared with, also in words, after its place among all."""
    value, baseline, name = feature["value"], feature["baseline"], feature["name"]
    unit = feature["unit"][:-1] if value == 1 and feature["unit"] in COUNTED else feature["unit"]
    says, rank = f"{name}: {number(value)} {unit}".rstrip(), 1
    if name == "successes on record" and value > 0:
        says, rank = f"a log-in SUCCEEDED beside the failed ones: {number(value)} on record, somebody may be in", 0
    elif baseline is not None and kind == "anomaly":
        says += f" (usually {number(baseline)})"
    elif baseline is not None and any(word in name for word in SMALL_PROVES):
        says += f" (at most {number(baseline)}: {'met' if abs(value) <= baseline else 'not met, not needed'})"
    elif baseline is not None and value < baseline:
        says, rank = f"{says} (threshold {number(baseline)}: not met, not needed)", 2
    elif baseline is not None:
        says += f" (threshold {number(baseline)}{compared(value, baseline)})"
    return rank, {**feature, "says": says, "needed": rank < 2}


def compared(value: float, baseline: float) -> str:
    """How a value stands to the threshold that it reached, in words.

    >>> compared(30, 10), compared(10, 10), compared(1, 0)
    (', 3 times that', ', just reached', ', above it')
    """
    if baseline <= 0:
        return ", above it"
    times = value / baseline
    return ", just reached" if times < 1.05 else f", {times:,.3g} times that"


def number(value: float) -> str:
    """A number for reading.

    >>> number(1234567.0), number(0.123456)
    ('1,234,567', '0.1235')
    """
    return f"{int(value):,}" if value == int(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def lasted(first: Micros, last: Micros) -> str:
    """A span in words.

    >>> lasted(0, 120 * SECOND), lasted(0, 5)
    ('2 minutes', 'less than a second')
    """
    span = last - first
    for unit, name in ((60 * MINUTE, "hours"), (MINUTE, "minutes"), (SECOND, "seconds")):
        if span > 1.5 * unit:
            return f"{round(span / unit):,} {name}"
    return "a second" if span >= SECOND else "less than a second"
