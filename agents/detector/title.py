"""The one sentence that an analyst would write over a threat."""

from __future__ import annotations

from typing import Final

from domain.sighting import MOST_PEERS, OTHERS, Feature, Flow, Sighting
from domain.values import KINDS, ThreatKind, volume

TAILS: Final[dict[ThreatKind, str]] = {
    "horizontal-scan": "{flows} to {service}, {silent}",
    "vertical-scan": "{flows} to {peer}",
    "password-guessing": "{attempts} at {service} of {peer}",
    "beacon": "{calls} to {peer}, {service}",
    "exfiltration": "{sent}to {peer}, {service}",
    "flood": "{rate} at {service}, {hosts} on the other side",
    "dns-tunnel": "{queries} below {peer}",
    "generated-domains": "{queries}",
    "anomaly": "{shows}; {records} in the window",
    "rule-match": "{rules}, {records}, {hosts} on the other side",
}


WEB: Final = frozenset({80, 443, 8000, 8080, 8443})
"""Ports on which a call home hides among the web's."""


def techniques_of(seen: Sighting) -> tuple[str, ...]:
    """MITRE ATT&CK ids that fit what was seen: those of the kind, narrowed where the evidence tells.

    A beacon is T1071.001 on a port of the web and T1571 elsewhere; guessing at one host is T1110.001, at several
    T1110.003.
    """
    port = seen.flows[0].dst_port if seen.flows else 0
    match seen.kind:
        case "beacon":
            return ("T1071.001",) if port in WEB else ("T1071", "T1571")
        case "password-guessing":
            return ("T1110.003",) if len(seen.peers) > 1 else ("T1110.001",)
        case "rule-match":
            return tuple(dict.fromkeys(technique for rule in seen.rules for technique in rule.techniques))
        case _:
            return KINDS[seen.kind].techniques


def service_of(flow: Flow) -> str:
    """Port and protocol, as far as the record names them."""
    if not flow.proto:
        return f"port {flow.dst_port}"
    return f"{flow.dst_port}/{flow.proto}" if flow.dst_port else flow.proto


def shown_by(feature: Feature) -> str:
    """A measurement beside what is usual.

    >>> shown_by(Feature(name="data sent", value=35345278.0, unit="bytes", baseline=1200.5))
    'data sent 35,345,278 bytes, usually 1,200'
    """
    usual = "" if feature.baseline is None else f", usually {_number(feature.baseline)}"
    return f"{feature.name} {_number(feature.value)} {feature.unit}".rstrip() + usual


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


SAYS: Final = {"peers": "behaves unlike its peers"}
"""What a sighting says when this voter decided, in place of what its kind says."""


def title_of(seen: Sighting) -> str:
    """One sentence: who did what, with the number that shows it."""
    flow = seen.flows[0] if seen.flows else None
    count, measured = seen.flow_count, {feature.name: feature.value for feature in seen.features}
    sent = measured.get("bytes sent to the peer")
    tail = TAILS[seen.kind].format(
        flows=_counted(count, "connection"),
        attempts=_counted(count, "attempt"),
        calls=_counted(count, "call"),
        queries=_counted(count, "query", "queries"),
        records=_counted(count, "record"),
        peer=_peer(seen),
        hosts=_hosts(seen),
        silent=_silent(seen, measured),
        sent="" if sent is None else f"{volume(int(sent))} ",
        rate=_rate(seen),
        rules=" and ".join(f"“{rule.title}” ({rule.level})" for rule in seen.rules),
        service=service_of(flow) if flow else "an unknown service",
        shows=shown_by(seen.features[0]) if seen.features else "in several ways",
    )
    says = SAYS.get(seen.votes[0].model if seen.votes else "", KINDS[seen.kind].says)
    rest = ", the gravest of the others" if seen.about == OTHERS else ""
    return f"{seen.entity} {says}: {tail}{rest}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _peer(seen: Sighting) -> str:
    if not seen.peers:
        return "unknown hosts"
    more = len(seen.peers) - 1
    least = "at least " if len(seen.peers) >= MOST_PEERS else ""
    return f"{seen.peers[0]} and {least}{_counted(more, 'other')}" if more else seen.peers[0]


def _hosts(seen: Sighting) -> str:
    least = "at least " if len(seen.peers) >= MOST_PEERS else ""
    return least + _counted(len(seen.peers), "host")


def _silent(seen: Sighting, measured: dict[str, float]) -> str:
    """How many hosts a scan found silent: measured, since only some of the peers are kept."""
    hosts = measured.get("hosts that did not answer")
    return _hosts(seen) if hosts is None else f"{_counted(int(hosts), 'host')} did not answer"


def _rate(seen: Sighting) -> str:
    """The measurement by which a flood is one: that which is farthest above its bar."""
    rates = [feature for feature in seen.features if feature.baseline and feature.unit]
    if not rates:
        return _counted(seen.flow_count, "connection")
    most = max(rates, key=lambda feature: feature.value / (feature.baseline or 1.0))
    return f"{most.value:,.0f} {most.name} {'a second' if most.unit == '1/s' else most.unit}"
