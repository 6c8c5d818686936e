"""Flood: connections rain on one service of one victim and ask for nothing: unanswered, or answered without a byte.

The rate is a sliding window of two halves (this window's count and what is left of the last one's), so a victim costs
a few numbers however many sources there are. TCP counts per port, so that a port scan is no flood. The entity is the
victim when it is inside; else the source, and then every source counts alone.

Two more measures, of the same window: packets that nobody answers (few long flows can flood as well; ICMP at such a
rate is one even if answered), and the connections of a single source, which flood a service that answers them all.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Fading, Trail, held_back
from engine.behaviours.outcomes import TCP_FAILED, TCP_OPENED
from engine.behaviours.places import INSIDE, NOWHERE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

LARGEST: Final = 1 << 40
"""Packets of one flow above which a number is no measurement."""

STRAY: Final = 2
"""Packets up to which a connection without a beginning may be one of a flood; more are the middle of a stream."""


class Rain(msgspec.Struct, array_like=True, gc=False):
    """Counts of the present window and of the one before."""

    window: int = 0
    useless: int = 0
    total: int = 0
    useless_before: int = 0
    total_before: int = 0
    packets: float = 0.0
    packets_before: float = 0.0
    trail: Trail = msgspec.field(default_factory=Trail)

    def turn(self, window: int) -> None:
        """Go on to `window`; rows of an earlier one count in the present."""
        if window <= self.window:
            return
        follows = window == self.window + 1
        self.useless_before, self.total_before = (self.useless, self.total) if follows else (0, 0)
        self.packets_before = self.packets if follows else 0.0
        self.window, self.useless, self.total, self.packets = window, 0, 0, 0.0


class Burst(msgspec.Struct, array_like=True):
    """Connections of each source to each service in the present window, answered or not."""

    window: int = 0
    counts: dict[tuple[str, str, int], int] = {}

    def add(self, window: int, key: tuple[str, str, int], cap: int) -> int:
        """One more; how many there are now. Above the cap the oldest entry is forgotten."""
        if window > self.window:
            self.window, self.counts = window, {}
        count = self.counts.get(key, 0) + 1
        if count == 1 and len(self.counts) >= cap:
            del self.counts[next(iter(self.counts))]
        self.counts[key] = count
        return count


class Flood(Watch):
    """See the module."""

    name = "flood"
    kinds = ("flood",)
    reads = frozenset({"conn"})
    version = 4

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.flood
        self._window = self._set.window_seconds * SECOND
        self._places = places
        self._burst = Burst()
        self._unit = f"in {self._set.window_seconds} s"
        self.memory: Fading[tuple[str, str, int, str], Rain] = Fading(
            thresholds.limits.entities, tuple[str, str, int, str], Rain, span=thresholds.limits.repeat_seconds * SECOND,
            quiet=thresholds.limits.quiet_seconds * SECOND,
        )  # fmt: skip
        self._reporter = Reporter("flood", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        rows = zip(
            frame.log, frame.proto, frame.src_ip, frame.dst_ip, frame.dst_port, frame.dst_bytes, frame.conn_state,
            strict=True,
        )  # fmt: skip
        places, most = self._places, self._set.answered_connections
        young, old = self.memory.young, self.memory.old
        for i, (log, proto, src, dst, port, taken, state) in enumerate(rows):
            if log != "conn":
                continue
            place = places[dst]
            key = (dst if place == INSIDE else src, dst, port if proto == "tcp" else 0, proto)
            if not taken or state in TCP_FAILED or proto == "icmp":
                if place != NOWHERE and (state != "OTH" or proto == "icmp" or _stray(frame, i)):
                    self._count(frame, i, key, found)
                continue
            rain = young.get(key) or old.get(key)
            if rain:
                rain.turn(frame.ts[i] // self._window)
                rain.total += 1
            if proto == "tcp":
                count = self._burst.add(frame.ts[i] // self._window, (src, dst, port), self.memory.cap)
                if count * 2 >= most:
                    self._hammered(frame, i, key, count, found)

    def _hammered(
        self, frame: Frame, i: int, key: tuple[str, str, int, str], count: int, found: list[Sighting]
    ) -> None:
        """One source opens so many connections that it does not matter that they are answered."""
        ts, src, dst = frame.ts[i], frame.src_ip[i], frame.dst_ip[i]
        rain = self.memory.get(key) or self.memory.put(key, Rain(window=ts // self._window))
        trail = rain.trail = self._reporter.fresh(rain.trail, ts)
        trail.see(frame, i, src if key[0] == key[1] else dst, frame.conn_state[i])
        bar = self._set.answered_connections * (2 if self._places[src] == self._places[dst] else 1)
        measures = (("connections of one source", count, self._unit, bar),)
        found += self._reporter.judge(frame, i, key, count / bar, measures)

    def _count(self, frame: Frame, i: int, key: tuple[str, str, int, str], found: list[Sighting]) -> None:
        ts = frame.ts[i]
        rain = self.memory.get(key) or self.memory.put(key, Rain(window=ts // self._window))
        rain.turn(ts // self._window)
        rain.useless += not frame.dst_bytes[i] or frame.conn_state[i] in TCP_FAILED
        rain.total += 1
        rain.packets += self._packets(frame, i)
        trail = rain.trail = self._reporter.fresh(rain.trail, ts)
        victim = key[0] == key[1]
        trail.see(frame, i, frame.src_ip[i] if victim else key[1], frame.conn_state[i])
        left = 1.0 - (ts % self._window) / self._window
        useless = rain.useless + left * rain.useless_before
        share = useless / max(1.0, rain.total + left * rain.total_before)
        score = held_back(useless / self._set.connections, self._set.useless_share / max(share, 1e-9))
        rate = (rain.packets + left * rain.packets_before) / self._set.window_seconds
        outward = not victim and self._places[key[0]] == INSIDE
        low = outward or frame.proto[i] == "icmp"
        bar = self._set.outward_packets_per_second if low else self._set.packets_per_second
        score = max(score, rate / bar)
        if score < 0.5:
            return
        measures = (
            ("connections that asked for nothing", useless, self._unit, self._set.connections),
            ("share of such connections", share, "", self._set.useless_share),
            ("unanswered packets", rate, "1/s", bar),
        )
        found += self._reporter.judge(frame, i, key, score, measures)

    def _packets(self, frame: Frame, i: int) -> float:
        """Packets of the flow that fall in one window and that nobody answered (of ICMP: all).

        An open connection is answered, even where a feed counts no packets of the other side.
        """
        if frame.proto[i] != "icmp" and (frame.dst_pkts[i] or frame.conn_state[i] in TCP_OPENED):
            return 0.0
        window = self._set.window_seconds
        return min(frame.src_pkts[i], LARGEST) * min(1.0, window / max(1.0, frame.duration[i]))

    def _dump(self) -> Any:
        return (self.memory.dump(), self._burst)

    def _load(self, state: Any) -> None:
        memory, burst = state
        self.memory.load(memory)
        self._burst = msgspec.convert(burst, Burst)


def _stray(frame: Frame, i: int) -> bool:
    """Whether a connection without a beginning is so small that it is none."""
    return 0 < frame.src_pkts[i] <= STRAY and frame.dst_pkts[i] <= STRAY
