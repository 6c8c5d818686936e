"""Vertical scan: one source tries many ports of one host, and most do not answer (fast ones and slow ones)."""

from __future__ import annotations

from typing import Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND, Micros
from engine.behaviours import ports
from engine.behaviours.memory import Fading, Trail, held_back
from engine.behaviours.outcomes import FAILED, TCP_FAILED, outcome_at
from engine.behaviours.places import NOWHERE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

PORTED: Final = frozenset({"tcp", "udp"})


class Probe(msgspec.Struct, array_like=True, gc=False):
    """One source on one host: ports that failed, and that answered since the first failure (packed, see `ports`)."""

    failed: bytes = b""
    answered: bytes = b""
    trail: Trail = msgspec.field(default_factory=Trail)


class VerticalScan(Watch):
    """See the module."""

    name = "vertical-scan"
    kinds = ("vertical-scan",)
    reads = frozenset({"conn"})
    version = 3

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.vertical_scan
        self._window = self._set.window_seconds * SECOND
        self._cap = thresholds.limits.members
        self._places = places
        self.memory: Fading[tuple[str, str], Probe] = Fading(
            thresholds.limits.entities, tuple[str, str], Probe, span=self._window,
            quiet=thresholds.limits.quiet_seconds * SECOND,
        )  # fmt: skip
        self._reporter = Reporter("vertical-scan", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        rows = zip(
            frame.log, frame.proto, frame.src_ip, frame.dst_ip, frame.dst_port, frame.dst_bytes, frame.conn_state,
            strict=True,
        )  # fmt: skip
        get, young, old = self.memory.get, self.memory.young, self.memory.old
        for i, (log, proto, src, dst, port, taken, state) in enumerate(rows):
            if log != "conn" or proto not in PORTED:
                continue
            if taken and state not in TCP_FAILED:
                key = (src, dst)
                if (key in young or key in old) and (probe := get(key)):
                    probe.answered = self._with(probe.answered, port, frame.ts[i])
            elif self._places[dst] != NOWHERE and outcome_at(frame, i) == FAILED:
                self._count(frame, i, found)

    def _with(self, known: bytes, port: int, ts: Micros) -> bytes:
        """With a port that was seen now, and without what is older than the window."""
        return ports.pruned(ports.seen(known, port, ts), ts - self._window, self._cap)

    def _count(self, frame: Frame, i: int, found: list[Sighting]) -> None:
        ts, key, port = frame.ts[i], (frame.src_ip[i], frame.dst_ip[i]), frame.dst_port[i]
        probe = self.memory.get(key) or self.memory.put(key, Probe())
        trail = probe.trail = self._reporter.fresh(probe.trail, ts)
        probe.failed = self._with(probe.failed, port, ts)
        trail.see(frame, i, key[1], frame.conn_state[i])
        failed = ports.count(probe.failed)
        if failed * 2 < self._set.ports:
            return
        share = failed / (failed + ports.count(probe.answered))
        score = held_back(failed / self._set.ports, self._set.failed_share / share)
        measures = (
            ("ports that did not answer", failed, "ports", self._set.ports),
            ("share of failures", share, "", self._set.failed_share),
        )
        found += self._reporter.judge(frame, i, key, score, measures)
