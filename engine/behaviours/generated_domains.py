"""Generated domains: a client asks for many distinct names that do not exist and that no person would choose.

Only the registered domain is looked at, so search suffixes, WPAD and reverse lookups count once or not at all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Fading, Trail, held_back, prune
from engine.behaviours.names import registered, strangeness
from engine.behaviours.places import INSIDE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

MISSING: Final = frozenset({"NXDOMAIN", "NXDomain", "3"})


class Misses(msgspec.Struct, array_like=True):
    """One client: registered domains that did not exist, strange and plain, with the time they were last asked for."""

    strange: dict[str, int] = {}
    plain: dict[str, int] = {}
    trail: Trail = msgspec.field(default_factory=Trail)


class GeneratedDomains(Watch):
    """See the module."""

    name = "generated-domains"
    kinds = ("generated-domains",)
    reads = frozenset({"dns"})
    version = 4

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.generated_domains
        self._window = self._set.window_seconds * SECOND
        self._cap = thresholds.limits.members
        self._places = places
        self.memory: Fading[str, Misses] = Fading(
            thresholds.limits.entities, str, Misses, span=self._window, quiet=thresholds.limits.quiet_seconds * SECOND
        )
        self._reporter = Reporter("generated-domains", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        for i, (log, detail) in enumerate(zip(frame.log, frame.detail, strict=True)):
            if log == "dns" and str(detail.get("rcode_name") or detail.get("rcode")) in MISSING:
                _, domain = registered(str(detail.get("query") or ""))
                if domain:
                    self._count(frame, i, domain, found)

    def _count(self, frame: Frame, i: int, domain: str, found: list[Sighting]) -> None:
        src, ts = frame.src_ip[i], frame.ts[i]
        if self._places[src] == OUTSIDE and self._places[frame.dst_ip[i]] == INSIDE:
            return
        misses = self.memory.get(src) or self.memory.put(src, Misses())
        label = domain.partition(".")[0]
        made_up = len(label) >= self._set.shortest_name and strangeness(label) >= self._set.strangeness_bits
        names = misses.strange if made_up else misses.plain
        names.pop(domain, None)
        names[domain] = ts
        prune(names, ts - self._window, self._cap)
        if not made_up:
            return
        prune(misses.plain, ts - self._window, self._cap)
        trail = misses.trail = self._reporter.fresh(misses.trail, ts)
        trail.see(frame, i, domain, domain[:160])
        count = len(misses.strange)
        share = count / (count + len(misses.plain))
        score = held_back(count / self._set.domains, self._set.random_share / share)
        if score < 0.5:
            return
        measures = (
            ("made-up names that do not exist", count, "names", self._set.domains),
            ("share among missing names", share, "", self._set.random_share),
            ("surprise of the last name", strangeness(label), "bits a letter", self._set.strangeness_bits),
        )
        found += self._reporter.judge(frame, i, src, score, measures)
