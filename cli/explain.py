"""Why: a threat or an incident told from the log, as a structure and as an analyst's note."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from cli.output import WIDTH, plural, short, when
from cli.techniques import TECHNIQUES
from domain.facts.assessment import ThreatAssessed
from domain.facts.incident import IncidentContained, IncidentEscalated, IncidentReleased
from domain.facts.response import ActionRetried
from domain.facts.telemetry import BatchScored
from domain.journal import Journal, Recorded
from domain.moments import rfc3339
from domain.values import MINUTE, SECOND, Micros
from projections import incidents as incident_view
from projections import threats as threat_view


def threat_story(journal: Journal, row: dict[str, Any]) -> dict[str, Any]:
    """All that explains a threat, from the ledger entry that covers its evidence to what operators said."""
    threat = threat_view.document(row)
    return {
        "kind": "threat",
        "id": row["id"],
        "threat": threat,
        "what": row["title"],
        "who": {"entity": row["entity"], "peers": row["peers"]},
        "when": {name: threat[name] for name in ("first_seen", "last_seen", "detected_at")},
        "why": [*matched(row["kind"], threat["flows"]), *reasons(row["kind"], row["features"])],
        "how_sure": {
            "confidence": row["confidence"],
            "score": row["score"],
            "risk": row["risk"],
            "level": row["level"],
            "votes": row["votes"],
            "contributions": row["contributions"],
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
    ThreatAssessed: lambda fact: f"risk {fact.risk:.2f} ({fact.level})",
    ActionRetried: lambda fact: f"attempt {fact.attempt}",
    IncidentEscalated: lambda fact: f"risk {fact.risk:.1f} ({fact.level}); {fact.title}",
    IncidentContained: lambda fact: f"every action of response {short(str(fact.response))} is in force",
    IncidentReleased: lambda fact: f"response {short(str(fact.response))} was taken back ({fact.reason})",
}
"""Facts whose fields alone say too little."""


def spoken(recorded: Recorded) -> str:
    """What a fact says, in its own words."""
    fact = recorded.fact
    if type(fact) in SPOKEN:
        return SPOKEN[type(fact)](fact)
    return "; ".join(str(getattr(fact, name)) for name in SPEAKING if getattr(fact, name, ""))


SMALL_PROVES: Final = ("spread", "skew", "share answered", "median bytes")
"""Words in the names of measurements that must stay below their bound: being small is the proof."""


MATCHES: Final = 3
"""Different records that matched a rule and whose fields are told."""


def matched(kind: str, flows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What made a rule match: the fields of the first records with their values."""
    notes = dict.fromkeys(flow["note"] for flow in flows if flow["note"]) if kind == "rule-match" else {}
    feature = {"name": "matched", "unit": "", "value": 1.0, "baseline": None, "needed": True}
    return [{**feature, "says": f"a record that matches: {note}"} for note in list(notes)[:MATCHES]]


def reasons(kind: str, features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The measurements in words: a success among failed log-ins first, those that played no part last."""
    return [told for _, told in sorted((measured(kind, feature) for feature in features), key=lambda pair: pair[0])]


def measured(kind: str, feature: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """A measurement beside what it was compared with, also in words, after its place among all."""
    value, baseline, name = feature["value"], feature["baseline"], feature["name"]
    says, rank = f"{name}: {number(value)} {feature['unit']}".rstrip(), 1
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


def describe(story: dict[str, Any]) -> str:
    """The note on a threat or an incident."""
    return _incident_note(story) if story["kind"] == "incident" else _threat_note(story)


def _threat_note(story: dict[str, Any]) -> str:
    threat = story["threat"]
    sections = [
        [
            f"Threat {threat['id']}",
            f"{threat['level'].upper()} {threat['risk']:.1f}  {threat['kind']}  {threat['status']}",
        ],
        ["What", *_wrapped(threat["title"])],
        ["Who", *_wrapped(_who(threat))],
        ["When", *_wrapped(_when(threat))],
        ["Why", *(line for why in story["why"] if why["value"] or why["needed"] for line in _item(why["says"]))],
        ["How sure", *_wrapped(_sure(threat)), *(_vote(vote) for vote in threat["votes"])],
        ["How grave", *(_part(part) for part in threat["contributions"])],
        ["Set aside", *_set_aside(threat)],
        ["Decided by", *_wrapped("; ".join(f"{name} {version or '-'}" for name, version in story["versions"].items()))],
        ["Rules", *(line for hit in story["rules"] for line in _wrapped(_rule(hit)))],
        ["ATT&CK", *(f"  {known['id']:<10} {known['name']}" for known in story["techniques"])],
        [f"Flows that show it ({len(threat['flows'])} of {threat['flow_count']:,})", *map(_flow, threat["flows"])],
        ["How it came about", *map(_link, story["chain"])],
        ["Operators said", *map(_verdict, threat["verdicts"])],
    ]
    return "\n\n".join("\n".join(section) for section in sections if len(section) > 1)


def _rule(hit: dict[str, Any]) -> str:
    written = f"by {hit['author'] or 'an unnamed author'}" + (f", {hit['licence']}" if hit["licence"] else "")
    return f"{hit['title']} ({hit['level']}), {written}; {hit['id']} {hit['version']} {hit['reference']}".rstrip()


def _incident_note(story: dict[str, Any]) -> str:
    incident, threats = story["incident"], story["threats"]
    head = [
        f"Incident {incident['id']}",
        f"{incident['level'].upper()} {incident['risk']:.1f}  {incident['status']}",
        "",
        *_wrapped(story["what"]),
    ]
    chain = ["How it came about", *map(_link, story["chain"])]
    done = ["Responses", *(line for response in story["responses"] for line in _response(response))]
    parts = ["\n".join(head), "\n".join(chain)]
    if len(done) > 1:
        parts.insert(1, "\n".join(done))
    notes = (f"{'-' * WIDTH}\n{_threat_note(threat)}" for threat in threats)
    return "\n\n".join([*parts, *notes])


def _response(response: dict[str, Any]) -> Iterator[str]:
    """A response and its actions."""
    chosen = f"{response['playbook']}, chosen with probability {response['propensity']:.3f}"
    said = f"{response['decided_by']}: {response['reason']}" if response["decided_by"] else "waits for an answer"
    yield from _wrapped(f"{response['id'][:8]}  {response['status']}: {chosen}; {said}")
    for action in response["actions"]:
        ends = f", until {when(action['expires_at'])}" if action["expires_at"] and not action["ended_at"] else ""
        told = action["error"] or action["evidence"]
        yield from _wrapped(
            f"  - {action['verb']} {action['target']} by {action['actuator']}: {action['state']}{ends}. {told}"
        )


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 4, initial_indent="  - ", subsequent_indent="    ")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 4, initial_indent="  ", subsequent_indent="  ")


def _who(threat: dict[str, Any]) -> str:
    peers = threat["peers"]
    shown = ", ".join(peers[:8]) + (f" and {len(peers) - 8} more" if len(peers) > 8 else "")
    return f"{threat['entity']}, seen in feed {threat['feed']}" + (f"; on the other side: {shown}" if peers else "")


def _when(threat: dict[str, Any]) -> str:
    span = lasted(_micros(threat["first_seen"]), _micros(threat["last_seen"]))
    return (
        f"from {when(threat['first_seen'])} to {when(threat['last_seen'])} ({span}), detected at "
        f"{when(threat['detected_at'])} of the feed's clock"
    )


def _micros(text: str) -> Micros:
    from domain.moments import to_moment

    return to_moment(text, 0)


def _sure(threat: dict[str, Any]) -> str:
    return (
        f"{threat['confidence']:.0%}: the evidence is {threat['score']:.3g} times what a decision needs. Risk "
        f"{threat['risk']:.1f} of 10 is {threat['level']}."
    )


def _part(part: dict[str, Any]) -> str:
    return f"  {part['points']:+6.2f}  {part['name']}: {part['says']}"


def _set_aside(threat: dict[str, Any]) -> list[str]:
    """Why nobody was bothered with it."""
    lines = []
    if threat["suppression"]:
        lines.append(f"  covered by exception {short(threat['suppression'])}: see `myrmidon suppress list --all`")
    if threat["merged_into"]:
        lines.append(f"  repeats threat {short(threat['merged_into'])}, which is worked in its place")
    if threat["duplicates"]:
        repeats = plural(threat["duplicates"], "threat that repeats it was", "threats that repeat it were")
        lines.append(f"  {repeats} merged into it")
    return lines


def _vote(vote: dict[str, Any]) -> str:
    p = "" if vote["p"] is None else f", p = {vote['p']:.4g}"
    return f"  - {vote['model']} ({vote['version']}) voted {'yes' if vote['vote'] else 'no'}{p}"


def _flow(flow: dict[str, Any]) -> str:
    ends = f"{flow['src_ip']}:{flow['src_port']} -> {flow['dst_ip']}:{flow['dst_port']}/{flow['proto']}"
    size = f"{volume(flow['bytes_out'])} out, {volume(flow['bytes_in'])} in"
    return f"  {flow['ts'][:23]:<23}  {ends}  {size}  {flow['note']}".rstrip()


def _link(link: dict[str, Any]) -> str:
    return f"  {link['position']:>8}  {when(link['at'])}  {link['kind']:<21}  {link['by']}: {link['says']}"


def _verdict(verdict: dict[str, Any]) -> str:
    corrected = f": {verdict['correction']}" if verdict["correction"] else ""
    return (
        f"  {when(verdict['at'])}  {verdict['by']}: {verdict['verdict']} ({verdict['confidence']:.0%} sure){corrected}"
    )
