"""Vertical scan: one source tries many ports of one host, and most do not answer (fast ones and slow ones)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from domain.sighting import Feature, Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Memory, Reporter, Trail, flow_at, held_back, prune
from engine.behaviours.outcomes import FAILED, TCP_FAILED, outcome_at
from engine.behaviours.places import NOWHERE, Places
from engine.frame import Frame

PORTED: Final = frozenset({"tcp", "udp"})


class Probe(msgspec.Struct, array_like=True):
    """One source on one host: ports that failed and ports that answered since the first failure, with their times."""

    failed: dict[int, int] = {}
    answered: dict[int, int] = {}
    trail: Trail = msgspec.field(default_factory=Trail)


class VerticalScan:
    """See the module."""

    name = "vertical-scan"
    kinds = ("vertical-scan",)
    reads = frozenset({"conn"})
    version = 1

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.vertical_scan
        self._window = self._set.window_seconds * SECOND
        self._cap = thresholds.limits.members
        self._places = places
        self._reporter = Reporter("vertical-scan", self.version, self._window, thresholds.limits)
        self.memory: Memory[tuple[str, str], Probe] = Memory(thresholds.limits.entities, tuple[str, str], Probe)

    def sense(self, frame: Frame) -> list[Sighting]:
        """Sightings of the frame's rows."""
        found: list[Sighting] = []
        rows = zip(
            frame.log, frame.proto, frame.src_ip, frame.dst_ip, frame.dst_port, frame.dst_bytes, frame.conn_state,
            strict=True,
        )  # fmt: skip
        get, known = self.memory.get, self.memory.entries
        for i, (log, proto, src, dst, port, taken, state) in enumerate(rows):
            if log != "conn" or proto not in PORTED:
                continue
            if taken and state not in TCP_FAILED:
                if (src, dst) in known and (probe := get((src, dst))):
                    probe.answered.pop(port, None)
                    probe.answered[port] = frame.ts[i]
                    prune(probe.answered, frame.ts[i] - self._window, self._cap)
            elif self._places[dst] != NOWHERE and outcome_at(frame, i) == FAILED:
                self._count(frame, i, found)
        return found

    def _count(self, frame: Frame, i: int, found: list[Sighting]) -> None:
        ts, key, port = frame.ts[i], (frame.src_ip[i], frame.dst_ip[i]), frame.dst_port[i]
        probe = self.memory.get(key) or self.memory.put(key, Probe())
        trail = probe.trail = self._reporter.fresh(probe.trail, ts)
        probe.failed.pop(port, None)
        probe.failed[port] = ts
        prune(probe.failed, ts - self._window, self._cap)
        trail.add(flow_at(frame, i, frame.conn_state[i]), key[1], frame.raw[i])
        ports = len(probe.failed)
        if ports * 2 < self._set.ports:
            return
        share = ports / (ports + len(probe.answered))
        score = held_back(ports / self._set.ports, self._set.failed_share / share)
        if self._reporter.due(trail, score, frame.clock[i]):
            features = (
                Feature(name="ports that did not answer", value=ports, unit="ports", baseline=self._set.ports),
                Feature(name="share of failures", value=round(share, 4), baseline=self._set.failed_share),
            )
            found.append(self._reporter.report(trail, frame, i, entity=key[0], score=score, features=features))

    @property
    def evicted(self) -> int:
        """Entities forgotten for want of room."""
        return self.memory.evicted

    def dump(self) -> Any:
        """Working state."""
        return self.memory.dump()

    def load(self, data: Any) -> None:
        """Go on from a dumped state."""
        self.memory.load(data)
