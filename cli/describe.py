"""A threat or an incident as an analyst's note: what `cli.explain` found, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from agents.responder.assess import MOVED
from cli.explain import lasted
from cli.output import WIDTH, plural, short, when
from domain.moments import to_moment
from domain.values import Micros, shown_risk, volume


def describe(story: dict[str, Any]) -> str:
    """The note on a threat or an incident."""
    return _incident_note(story) if story["kind"] == "incident" else _threat_note(story)


def _threat_note(story: dict[str, Any]) -> str:
    threat = story["threat"]
    sections = [
        [
            f"Threat {threat['id']}",
            f"{threat['level'].upper()} {shown_risk(threat['risk'])}  {threat['kind']}  {threat['status']}",
        ],
        ["What", *_wrapped(threat["title"])],
        ["Who", *_wrapped(_who(threat))],
        ["When", *_wrapped(_when(threat))],
        ["Why", *(line for why in story["why"] if why["value"] or why["needed"] for line in _item(why["says"]))],
        ["How sure", *_wrapped(_sure(threat)), *(_vote(vote) for vote in threat["votes"])],
        ["How grave", *map(_part, threat["contributions"]), *_weighed(story["how_sure"]["weighed"])],
        ["Set aside", *_set_aside(threat)],
        ["Decided by", *_wrapped("; ".join(f"{name} {version or '-'}" for name, version in story["versions"].items()))],
        ["Rules", *(line for hit in story["rules"] for line in _wrapped(_rule(hit)))],
        ["ATT&CK", *(f"  {known['id']:<10} {known['name']}" for known in story["techniques"])],
        [f"Flows that show it ({_of_how_many(threat)})", *map(_flow, threat["flows"])],
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
        f"{incident['level'].upper()} {shown_risk(incident['risk'])}  {incident['status']}",
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
    return to_moment(text, 0)


def _sure(threat: dict[str, Any]) -> str:
    return (
        f"{threat['confidence']:.0%}: the evidence is {threat['score']:.3g} times what a decision needs. Risk "
        f"{shown_risk(threat['risk'])} of 10 is {threat['level']}."
    )


def _part(part: dict[str, Any]) -> str:
    return f"  {part['points']:+6.2f}  {part['name']}: {part['says']}"


def _weighed(then: dict[str, Any] | None) -> list[str]:
    """That the contributions are older than the evidence, where they are."""
    if then is None or not then["reports_since"]:
        return []
    return _wrapped(
        f"Weighed at {when(then['at'])}, {plural(then['reports_since'], 'report')} ago, when it was "
        f"{then['confidence']:.0%} sure; it is weighed again when the risk moves by {MOVED:g} or to another level."
    )


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


def _of_how_many(threat: dict[str, Any]) -> str:
    calls = " calls; bursts and retries count once" if threat["kind"] == "beacon" else ""
    return f"{len(threat['flows'])} of {threat['flow_count']:,}{calls}"


def _flow(flow: dict[str, Any]) -> str:
    ends = f"{flow['src_ip']}:{flow['src_port']} -> {flow['dst_ip']}:{flow['dst_port']}/{flow['proto']}"
    # most logs count no bytes, and a connection that failed has none
    known = flow["bytes_out"] or flow["bytes_in"]
    size = f"{volume(flow['bytes_out'])} out, {volume(flow['bytes_in'])} in" if known else ""
    return "  " + "  ".join(text for text in (f"{flow['ts'][:23]:<23}", ends, size, flow["note"]) if text)


def _link(link: dict[str, Any]) -> str:
    return f"  {link['position']:>8}  {when(link['at'])}  {link['kind']:<21}  {link['by']}: {link['says']}"


def _verdict(verdict: dict[str, Any]) -> str:
    corrected = f": {verdict['correction']}" if verdict["correction"] else ""
    return (
        f"  {when(verdict['at'])}  {verdict['by']}: {verdict['verdict']} ({verdict['confidence']:.0%} sure){corrected}"
    )
