"""DNS tunnel: a client carries data inside the names of one registered domain.

Counted are distinct long, random-looking names left of the registered domain: their number and their characters. Record
types that only tunnels and mail ask for in bulk count double. Local names, reverse lookups and domains whose names are
data by design (reputation services, content networks) are left out.
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Fading, Trail
from engine.behaviours.names import entropy, registered
from engine.behaviours.places import INSIDE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

DATA_TYPES: Final = frozenset({"TXT", "NULL", "CNAME", "MX", "SRV", "PRIVATE", "10", "16", "5", "15"})


class Channel(msgspec.Struct, array_like=True):
    """One client and one domain: distinct names (last seen, cost in characters) and their sum."""

    names: dict[str, tuple[int, int]] = {}
    cost: int = 0
    trail: Trail = msgspec.field(default_factory=Trail)

    def add(self, name: str, ts: int, cost: int) -> None:
        """One more name."""
        before = self.names.pop(name, (0, 0))
        self.names[name] = (ts, cost)
        self.cost += cost - before[1]

    def prune(self, horizon: int, cap: int) -> None:
        """Forget names last seen before the horizon, and the oldest above the cap."""
        while self.names:
            first = next(iter(self.names))
            ts, cost = self.names[first]
            if ts >= horizon and len(self.names) <= cap:
                return
            del self.names[first]
            self.cost -= cost


class DnsTunnel(Watch):
    """See the module."""

    name = "dns-tunnel"
    kinds = ("dns-tunnel",)
    reads = frozenset({"dns"})
    version = 4

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.dns_tunnel
        self._ignored = frozenset(self._set.ignored_domains)
        self._window = self._set.window_seconds * SECOND
        self._cap = thresholds.limits.members
        self._places = places
        self.memory: Fading[tuple[str, str], Channel] = Fading(
            thresholds.limits.entities, tuple[str, str], Channel, span=self._window,
            quiet=thresholds.limits.quiet_seconds * SECOND,
        )  # fmt: skip
        self._reporter = Reporter("dns-tunnel", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        shortest = self._set.shortest_name
        for i, (log, detail) in enumerate(zip(frame.log, frame.detail, strict=True)):
            if log != "dns":
                continue
            query = detail.get("query")
            if isinstance(query, str) and len(query) > shortest:
                sub, domain = registered(query)
                if len(sub) >= shortest and domain not in self._ignored:
                    self._count(frame, i, sub, domain, found)

    def _count(self, frame: Frame, i: int, sub: str, domain: str, found: list[Sighting]) -> None:
        src, ts = frame.src_ip[i], frame.ts[i]
        packed = sub.replace(".", "")
        if self._places[src] == OUTSIDE and self._places[frame.dst_ip[i]] == INSIDE:
            return
        if entropy(packed) < self._set.entropy_bits:
            return
        key = (src, domain)
        channel = self.memory.get(key) or self.memory.put(key, Channel())
        trail = channel.trail = self._reporter.fresh(channel.trail, ts)
        kind = str(frame.detail[i].get("qtype_name") or "")
        channel.add(sub, ts, len(packed) * (2 if kind in DATA_TYPES else 1))
        channel.prune(ts - self._window, self._cap)
        trail.see(frame, i, domain, f"{kind} {sub[:80]}.{domain}"[:160])
        score = min(len(channel.names) / self._set.names, channel.cost / self._set.bytes)
        if score < 0.5:
            return
        measures = (
            ("characters inside names", channel.cost, "B", self._set.bytes),
            ("distinct names", len(channel.names), "names", self._set.names),
            ("entropy of the last name", entropy(packed), "bits", self._set.entropy_bits),
        )
        found += self._reporter.judge(frame, i, key, score, measures)
