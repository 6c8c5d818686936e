"""The routing table: rules that choose channels, and what each channel wants.

`config.alerts` makes it of the settings; `agents.responder.routing` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from agents.responder.hours import Hours, within
from domain.values import LEVELS, MINUTE, Level, Micros, ThreatKind

RANK: Final[dict[Level, int]] = {level: rank for rank, (_, level) in enumerate(reversed(LEVELS), 1)}
"""low 1 ... critical 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the routing table. An empty condition fits everything.

    Attributes:
        level: this level or a graver one.
        kinds: one of the incident's threats is of one of these.
        names, networks: one of the incident's entities is one of these hosts, or in one of these networks.
        hours: the change occurred in one of these spans (event time).
        regions: the region that recorded the incident.
        last: rules below are not read when this one fits.
        escalate_after: us after delivery without an acknowledgement, after which `escalate_to` is told; 0 is never.
    """

    name: str
    channels: tuple[str, ...]
    level: Level = "low"
    kinds: frozenset[ThreatKind] = frozenset()
    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hours: tuple[Hours, ...] = ()
    regions: frozenset[str] = frozenset()
    last: bool = False
    escalate_after: Micros = 0
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What a channel wants.

    Attributes:
        per_minute: alerts a minute at most, in the long run; 0 is no limit.
        burst: alerts at once at most.
        quiet: when nothing but critical alerts goes out.
        critical_passes: whether critical ones go out in quiet hours.
        follow_ups: whether it is told that an incident was acknowledged or is over.
    """

    per_minute: float = 0.0
    burst: int = 10
    quiet: tuple[Hours, ...] = ()
    critical_passes: bool = True
    follow_ups: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The whole table, and the manners of each channel that it names."""

    rules: tuple[Rule, ...] = ()
    channels: Mapping[str, Manners] = field(default_factory=dict)
    group_window: Micros = 15 * MINUTE


def networks_of(entities: Sequence[str]) -> tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]:
    """Host names, and the networks among `entities`.

    Raises:
        ValueError: it looks like a network and is none.

    >>> networks_of(["10.0.0.0/8", "mail"])
    (frozenset({'mail'}), (IPv4Network('10.0.0.0/8'),))
    """
    nets = tuple(ip_network(text) for text in entities if "/" in text)
    return frozenset(text for text in entities if "/" not in text), nets


def fits(
    rule: Rule, level: Level, kinds: Collection[ThreatKind], entities: Iterable[str], *, at: Micros, region: str
) -> bool:
    """Whether every condition of a rule holds for an incident that changes at `at` (event time) in a region."""
    return (
        RANK[level] >= RANK[rule.level]
        and (not rule.kinds or not rule.kinds.isdisjoint(kinds))
        and (not rule.regions or region in rule.regions)
        and (not rule.hours or within(rule.hours, at))
        and (not (rule.names or rule.networks) or any(_named(rule, entity) for entity in entities))
    )


def _named(rule: Rule, entity: str) -> bool:
    if entity in rule.names:
        return True
    try:
        address = ip_address(entity)
    except ValueError:
        return False
    return any(address in network for network in rule.networks)
