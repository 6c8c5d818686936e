"""The one sentence that an analyst would write over a threat."""

from __future__ import annotations

from typing import Final

from domain.sighting import OTHERS, Feature, Flow, Sighting
from domain.values import KINDS, ThreatKind

TAILS: Final[dict[ThreatKind, str]] = {
    "horizontal-scan": "{flows} connections to {service}, {hosts}",
    "vertical-scan": "{flows} connections to {peer}",
    "password-guessing": "{flows} attempts at {service} of {peer}",
    "beacon": "{flows} connections to {peer}, {service}",
    "exfiltration": "to {peer}, {service}",
    "flood": "{flows} connections at {service}, {hosts} on the other side",
    "dns-tunnel": "{flows} queries",
    "generated-domains": "{flows} queries",
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
    return f"{flow.dst_port}/{flow.proto}" if flow.proto else f"port {flow.dst_port}"


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
    peer = seen.peers[0] if seen.peers else "unknown hosts"
    if len(seen.peers) > 1:
        more = len(seen.peers) - 1
        peer = f"{peer} and {more} other{'s' if more > 1 else ''}"
    tail = TAILS[seen.kind].format(
        flows=seen.flow_count,
        peer=peer,
        hosts="1 host" if len(seen.peers) == 1 else f"{len(seen.peers)} hosts",
        rules=" and ".join(f"“{rule.title}” ({rule.level})" for rule in seen.rules),
        records="1 record" if seen.flow_count == 1 else f"{seen.flow_count} records",
        service=service_of(flow) if flow else "an unknown service",
        shows=shown_by(seen.features[0]) if seen.features else "in several ways",
    )
    says = SAYS.get(seen.votes[0].model if seen.votes else "", KINDS[seen.kind].says)
    rest = ", the gravest of the others" if seen.about == OTHERS else ""
    return f"{seen.entity} {says}: {tail}{rest}"
