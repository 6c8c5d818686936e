"""What operators do not want to hear of: exceptions, and which threats they cover.

Rules:
    1. Every field of a scope that is not empty must fit; a scope without any covers nothing.
    2. An exception covers what happens before it expires, in event time: a history that is read late is covered too.
    3. Of several that cover a threat, the one that was made first is named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from uuid import UUID

from domain.facts.assessment import Scope
from domain.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An exception in force."""

    suppression: UUID
    scope: Scope
    expires_at: Micros
    reason: str

    @property
    def says(self) -> str:
        """How it is named where it acts."""
        return f"suppressed by {str(self.suppression)[:8]}: {self.reason}"


def fits(scope: Scope, *, entity: str, peers: Iterable[str], kind: str, rules: Iterable[str]) -> bool:
    """Whether a scope covers a threat.

    Args:
        scope: what is covered.
        entity: that of the threat.
        peers: those of the threat.
        kind: that of the threat.
        rules: ids and titles of the rules that matched.

    >>> fits(Scope(network="10.0.0.0/8", threat_kind="beacon"), entity="10.1.1.1", peers=(), kind="beacon", rules=())
    True
    """
    return is_something(scope) and all(
        (
            scope.entity in {"", entity},
            scope.threat_kind in {"", kind},
            not scope.peer or scope.peer in peers,
            not scope.rule or scope.rule in rules,
            not scope.network or _lies_in(scope.network, entity),
        )
    )


def is_something(scope: Scope) -> bool:
    """Whether a scope says anything at all."""
    return any(astuple(scope))


def in_words(scope: Scope) -> str:
    """A scope for people.

    >>> in_words(Scope(entity="10.0.0.5", threat_kind="beacon"))
    'kind beacon, entity 10.0.0.5'
    """
    named = (
        ("kind", scope.threat_kind),
        ("rule", scope.rule),
        ("entity", scope.entity),
        ("network", scope.network),
        ("peer", scope.peer),
    )
    return ", ".join(f"{name} {value}" for name, value in named if value)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _lies_in(network: str, address: str) -> bool:
    try:
        return ip_address(address) in _network(network)
    except ValueError:
        return False
