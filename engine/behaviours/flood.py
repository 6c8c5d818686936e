"""Flood: connections rain on one service of one victim and ask for nothing: unanswered, or answered without a byte.

The rate is a sliding window of two halves (this window's count and what is left of the last one's), so a victim costs
a few numbers however many sources there are. TCP counts per port, so that a port scan is no flood. The entity is the
victim when it is inside; else the source, and then every source counts alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from domain.sighting import Feature, Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Memory, Reporter, Trail, flow_at, held_back
from engine.behaviours.outcomes import TCP_FAILED
from engine.behaviours.places import INSIDE, NOWHERE, Places
from engine.frame import Frame


class Rain(msgspec.Struct, array_like=True):
    """Counts of the present window and of the one before."""

    window: int = 0
    useless: int = 0
    total: int = 0
    useless_before: int = 0
    total_before: int = 0
    trail: Trail = msgspec.field(default_factory=Trail)

    def turn(self, window: int) -> None:
        """Go on to `window`; rows of an earlier one count in the present."""
        if window <= self.window:
            return
        follows = window == self.window + 1
        self.useless_before, self.total_before = (self.useless, self.total) if follows else (0, 0)
        self.window, self.useless, self.total = window, 0, 0


class Flood:
    """See the module."""

    name = "flood"
    kinds = ("flood",)
    reads = frozenset({"conn"})
    version = 1

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.flood
        self._window = self._set.window_seconds * SECOND
        self._places = places
        self._reporter = Reporter("flood", self.version, self._window, thresholds.limits)
        self.memory: Memory[tuple[str, str, int, str], Rain] = Memory(
            thresholds.limits.entities, tuple[str, str, int, str], Rain
        )

    def sense(self, frame: Frame) -> list[Sighting]:
        """Sightings of the frame's rows."""
        found: list[Sighting] = []
        rows = zip(
            frame.log, frame.proto, frame.src_ip, frame.dst_ip, frame.dst_port, frame.dst_bytes, frame.conn_state,
            strict=True,
        )  # fmt: skip
        known, places = self.memory.entries, self._places
        for i, (log, proto, src, dst, port, taken, state) in enumerate(rows):
            if log != "conn":
                continue
            place = places[dst]
            key = (dst if place == INSIDE else src, dst, port if proto == "tcp" else 0, proto)
            if not taken or state in TCP_FAILED:
                if place != NOWHERE and state != "OTH":
                    self._count(frame, i, key, found)
            elif key in known:
                rain = known[key]
                rain.turn(frame.ts[i] // self._window)
                rain.total += 1
        return found

    def _count(self, frame: Frame, i: int, key: tuple[str, str, int, str], found: list[Sighting]) -> None:
        ts = frame.ts[i]
        rain = self.memory.get(key) or self.memory.put(key, Rain(window=ts // self._window))
        rain.turn(ts // self._window)
        rain.useless += 1
        rain.total += 1
        trail = rain.trail = self._reporter.fresh(rain.trail, ts)
        victim = key[0] == key[1]
        trail.add(flow_at(frame, i, frame.conn_state[i]), frame.src_ip[i] if victim else key[1], frame.raw[i])
        rate = self._packets_per_second(frame, i)
        left = 1.0 - (ts % self._window) / self._window
        useless = rain.useless + left * rain.useless_before
        share = useless / max(1.0, rain.total + left * rain.total_before)
        score = held_back(useless / self._set.connections, self._set.useless_share / share)
        score = max(score, rate / self._set.packets_per_second)
        if self._reporter.due(trail, score, frame.clock[i]):
            features = (
                Feature(
                    name="connections that asked for nothing", value=round(useless, 1),
                    unit=f"in {self._set.window_seconds} s", baseline=self._set.connections,
                ),
                Feature(name="share of such connections", value=round(share, 4), baseline=self._set.useless_share),
                Feature(
                    name="unanswered packets", value=round(rate, 1), unit="1/s", baseline=self._set.packets_per_second
                ),
            )  # fmt: skip
            found.append(self._reporter.report(trail, frame, i, entity=key[0], score=score, features=features))

    @staticmethod
    def _packets_per_second(frame: Frame, i: int) -> float:
        return 0.0 if frame.dst_pkts[i] else frame.src_pkts[i] / max(1.0, frame.duration[i])

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
