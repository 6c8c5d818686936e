"""What is hidden in a story: the truth that findings are measured against."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from domain.values import Micros, ThreatKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack as it was played.

    Attributes:
        kind: the kind of threat that should be found.
        entity: whom the threat should be about, by the rule of `domain.values.KINDS`.
        peers: the other ends.
        first_seen: event time of the first flow.
        last_seen: event time at which the last flow began.
        flows: uids of all its rows in conn.log, in order of time.
    """

    kind: ThreatKind
    entity: str
    peers: tuple[str, ...]
    first_seen: Micros
    last_seen: Micros
    flows: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The attacks of a day, the inside hosts that did nothing wrong (and were not flooded), and the rows written."""

    attacks: tuple[Attack, ...]
    benign_hosts: tuple[str, ...]
    rows_by_log: dict[str, int]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read back what `save` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        attacks = tuple(
            Attack(**{**attack, "peers": tuple(attack["peers"]), "flows": tuple(attack["flows"])})
            for attack in raw["attacks"]
        )
        return cls(attacks=attacks, benign_hosts=tuple(raw["benign_hosts"]), rows_by_log=raw["rows_by_log"])
