"""What a sighting is about beside its entity: by it, threats of one entity and kind are told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from domain.values import ThreatKind


def _second(key: Any) -> str:
    return str(key[1])


def _service(key: Any) -> str:
    return f"{key[1]}/{key[2]}" if key[1] else str(key[2])


def _victim(key: Any) -> str:
    return "" if key[1] == key[0] else str(key[1])


ABOUT: Final[dict[ThreatKind, Callable[[Any], str]]] = {
    "horizontal-scan": _service,
    "vertical-scan": _second,
    "password-guessing": _second,
    "beacon": _second,
    "exfiltration": _second,
    "flood": _victim,
    "dns-tunnel": _second,
}
"""From the key of a behaviour's memory: the service that is looked for or guessed at, the peer, the domain, the victim
where the source is the entity. Made-up names and matches of rules are about no more than that."""


def about(kind: ThreatKind, key: Any) -> str:
    """See the module.

    >>> about("beacon", ("10.0.0.1", "203.0.113.9", 443, "tcp")), about("horizontal-scan", ("10.0.0.1", 22, "tcp"))
    ('203.0.113.9', '22/tcp')
    >>> about("flood", ("10.0.0.1", "10.0.0.1", 80, "tcp")), about("generated-domains", "10.0.0.1")
    ('', '')
    """
    tell = ABOUT.get(kind)
    return tell(key) if tell else ""
