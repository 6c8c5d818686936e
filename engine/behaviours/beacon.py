"""Beacon: an inside client calls the same outside peer at a regular beat, with little to say and always alike.

As RITA does, regularity is the relative spread (MAD / median) and the quartile skewness of the intervals, beside the
spread of the bytes sent. Before that, what is one call is counted once: TCP retries (the same source port within
seconds) and bursts. A bot whose home is gone is seen by its retries. The looser the beat, the more calls it takes; a
pause is no part of the time that a beat was kept. What many clients do is a service, not a beacon; what a DNS answer
places at a trusted maker's (updates, telemetry) is none either. Calls through an HTTP proxy are read from its CONNECT
requests: there the peer is the name that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from struct import Struct, unpack
from typing import Any, Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import BeaconThresholds, Thresholds
from domain.values import SECOND
from engine.behaviours import ports, samples
from engine.behaviours.memory import Fading, Generations, Memory, Trail, held_back
from engine.behaviours.names import registered
from engine.behaviours.outcomes import TCP_FAILED
from engine.behaviours.places import INSIDE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.samples import flow_at
from engine.behaviours.watch import Watch
from engine.frame import Frame

KEPT: Final = 64
"""Last intervals and sizes kept per pair."""

STRIDE: Final = 4
FAR: Final = 16
"""Statistics are looked at with every 4th call, every 16th when no beat is in sight; once decided with each."""

PAUSE: Final = 3
"""An interval of more than so many beats is a pause."""

PORT: Final = re.compile(r"[0-9]{1,5}")
RETRY: Final = 10 * SECOND
PORTS: Final = 8
CLIENTS: Final = 64


NUMBER: Final = Struct("<q")
"""An interval or a size."""

ONCE: Final = Struct("<q?32s")
"""What stands in front of the sample of a glimpse: its time, whether it was answered, the hash of its row."""


class Beat(msgspec.Struct, array_like=True, gc=False):
    """One client and one peer's service; its statistics are looked at when `calls` comes to `look`.

    There are very many: the last intervals, bytes sent (`NUMBER` each) and source ports (see `ports`) are packed.
    """

    calls: int = 0
    look: int = STRIDE
    answered: int = 0
    last: int = 0
    intervals: bytes = b""
    sizes: bytes = b""
    ports: bytes = b""
    trail: Trail = msgspec.field(default_factory=Trail)


Glimpse = bytes
"""The only call of a pair so far: `ONCE` and its sample."""


class Crowd(msgspec.Struct, array_like=True):
    """Inside clients (of one peer, or all)."""

    members: dict[str, None] = {}

    def add(self, client: str, cap: int) -> None:
        """One more client, up to a cap."""
        if client not in self.members and len(self.members) < cap:
            self.members[client] = None


class Beacon(Watch):
    """See the module."""

    name = "beacon"
    kinds = ("beacon",)
    reads = frozenset({"conn", "dns", "http"})
    version = 5

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.beacon
        self._ignored = frozenset(self._set.ignored_ports)
        self._makers = frozenset(self._set.trusted_domains)
        self._window = 6 * self._set.longest_interval_seconds * SECOND
        self._places = places
        cap = thresholds.limits.entities
        self.memory: Fading[tuple[str, str, int, str], Beat] = Fading(
            cap, tuple[str, str, int, str], Beat, span=self._window, quiet=thresholds.limits.quiet_seconds * SECOND
        )
        self._reporter = Reporter("beacon", self.version, self._window, thresholds.limits, self.memory)
        self._once: Generations[tuple[str, str, int, str], Glimpse] = Generations(
            cap, tuple[str, str, int, str], Glimpse, span=self._window
        )
        self._clients: Memory[str, Crowd] = Memory(cap, str, Crowd)
        self._callers = Crowd()
        self._trusted: Memory[str, str] = Memory(cap, str, str)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        rows = zip(frame.log, frame.src_ip, frame.dst_ip, frame.dst_port, frame.proto, strict=True)
        places, ignored, trusted = self._places, self._ignored, self._trusted.entries
        for i, (log, src, dst, port, proto) in enumerate(rows):
            if log == "conn":
                if port in ignored or places[dst] != OUTSIDE or places[src] != INSIDE or proto == "icmp":
                    continue
                if dst not in trusted:
                    self._call(frame, i, (src, dst, port, proto), found)
            elif log == "dns":
                self._learn(frame.detail[i])
            elif log == "http" and frame.detail[i].get("method") == "CONNECT" and places[src] == INSIDE:
                self._ask(frame, i, found)

    def _learn(self, detail: dict[str, Any]) -> None:
        """Addresses that a DNS answer gives for a trusted name."""
        query, answers = detail.get("query"), detail.get("answers")
        if not isinstance(query, str) or not isinstance(answers, list):
            return
        domain = registered(query)[1]
        if domain in self._makers:
            for answer in answers:
                # an alias is a name; only addresses are outside
                if isinstance(answer, str) and self._places[answer] == OUTSIDE and not self._trusted.get(answer):
                    self._trusted.put(answer, domain)

    def _ask(self, frame: Frame, i: int, found: list[Sighting]) -> None:
        """A request to a proxy."""
        name, _, asked = str(frame.detail[i].get("uri") or frame.detail[i].get("host") or "").rpartition(":")
        if name and PORT.fullmatch(asked) and registered(name)[1] not in self._makers:
            self._call(frame, i, (frame.src_ip[i], name, int(asked), "proxy"), found)

    def _call(self, frame: Frame, i: int, key: tuple[str, str, int, str], found: list[Sighting]) -> None:
        ts = frame.ts[i]
        beat = self.memory.young.get(key) or self.memory.get(key)
        if beat is None:
            # most pairs meet once: a beat is kept from the second call on
            glimpse = self._once.get(key)
            if glimpse is None or ts - NUMBER.unpack_from(glimpse)[0] > self._window:
                self._once.put(key, self._glimpse(frame, i, key))
                return
            del self._once.young[key]
            beat = self.memory.put(key, _first(glimpse, key[1]))
        fresh = self._reporter.fresh(beat.trail, ts)
        if fresh is not beat.trail:
            beat = self.memory.young[key] = Beat(trail=fresh)
        if self._is_retry(beat, frame.src_port[i], ts):
            return
        gap = ts - beat.last
        if beat.calls and gap < self._set.burst_seconds * SECOND:
            return
        # twice the longest beat: else a slow beat with jitter would show its short intervals only
        if beat.calls and gap <= 2 * self._set.longest_interval_seconds * SECOND:
            beat.intervals = _kept(beat.intervals, gap)
        beat.sizes = _kept(beat.sizes, frame.src_bytes[i])
        beat.last = ts
        beat.calls += 1
        if beat.calls == 2:
            self._meet(key[0], key[1])
        beat.answered += self._is_answered(frame, i, key)
        beat.trail.see(frame, i, key[1], frame.conn_state[i])
        if beat.calls >= beat.look or beat.trail.step >= 1:
            self._judge(frame, i, key, beat, found)

    def _glimpse(self, frame: Frame, i: int, key: tuple[str, str, int, str]) -> Glimpse:
        flow = flow_at(frame, i, frame.conn_state[i])
        head = ONCE.pack(frame.ts[i], self._is_answered(frame, i, key), sha256(frame.raw[i]).digest())
        return head + samples.pack(flow)

    @staticmethod
    def _is_answered(frame: Frame, i: int, key: tuple[str, str, int, str]) -> bool:
        return key[3] == "proxy" or (frame.dst_bytes[i] > 0 and frame.conn_state[i] not in TCP_FAILED)

    def _meet(self, client: str, peer: str) -> None:
        """Whoever calls a second time is a client of the peer."""
        crowd = self._clients.get(peer) or self._clients.put(peer, Crowd())
        crowd.add(client, CLIENTS)
        self._callers.add(client, self.memory.cap)

    @staticmethod
    def _is_retry(beat: Beat, port: int, ts: int) -> bool:
        """The same source port within seconds: the same call (logs hold retries out of order)."""
        if not port:
            return False
        at = ports.place(beat.ports, port)
        if at >= 0 and abs(ts - ports.time_at(beat.ports, at)) < RETRY:
            return True
        beat.ports = ports.noted(beat.ports, at, port, ts, PORTS)
        return False

    def _judge(self, frame: Frame, i: int, key: tuple[str, str, int, str], beat: Beat, found: list[Sighting]) -> None:
        limits, trail = self._set, beat.trail
        beat.look = beat.calls + STRIDE
        known = len(beat.intervals) // NUMBER.size
        if 2 * known < limits.calls:
            return
        calls = beat.calls if known == KEPT else known + 1
        least = limits.dead_span_seconds if beat.answered * 10 < beat.calls else limits.span_seconds
        intervals = _numbers(beat.intervals)
        middle, spread, skew = _regularity(intervals)
        span = (trail.last - trail.first) / SECOND * _on_beat(intervals, middle)
        needed = limits.calls * max(1.0, spread / limits.interval_spread)
        score = held_back(min(calls / needed, span / least), spread / limits.loosest_spread)
        if score < 0.5:
            beat.look = beat.calls + (FAR if known == KEPT else STRIDE)
            return
        size, deviation = _spread(sorted(_numbers(beat.sizes)))
        slowness = middle / (1.1 * limits.longest_interval_seconds * SECOND)
        for excess in (skew / limits.skew, slowness, *self._excesses(key[1], size, deviation)):
            score = held_back(score, excess)
        measures = (
            ("calls", calls, "calls", needed),
            ("median interval", middle / SECOND, "s", None),
            ("spread of the intervals", spread, "", limits.loosest_spread),
            ("skewness of the intervals", skew, "", limits.skew),
            ("median bytes sent", size, "B", limits.largest_call_bytes),
            ("span", span, "s", least),
            ("calls answered", beat.answered, "calls", None),
        )
        found += self._reporter.judge(frame, i, key, score, measures)

    def _excesses(self, peer: str, size: float, deviation: float) -> tuple[float, ...]:
        """By what factor each condition is missed (1 and less: it holds)."""
        limits: BeaconThresholds = self._set
        crowd = len(self._clients.entries[peer].members) if peer in self._clients.entries else 1
        return (
            deviation / max(size * limits.size_spread, limits.size_spread_bytes),
            size / limits.largest_call_bytes,
            2.0 if crowd >= max(limits.common_clients, limits.common_share * len(self._callers.members)) else 0.0,
        )

    def _generations(self) -> tuple[Generations[Any, Any], ...]:
        return (self.memory, self._once)

    def _dump(self) -> Any:
        return (self.memory.dump(), self._once.dump(), self._clients.dump(), self._callers, self._trusted.dump())

    def _load(self, state: Any) -> None:
        memory, once, clients, callers, trusted = state
        self.memory.load(memory)
        self._once.load(once)
        self._trusted.load(trusted)
        self._clients.load(clients)
        self._callers = msgspec.convert(callers, Crowd)


def _first(glimpse: Glimpse, peer: str) -> Beat:
    """The beat after its first call."""
    ts, answered, evidence = ONCE.unpack_from(glimpse)
    [flow] = samples.unpack(glimpse[ONCE.size :])
    port, sent = flow[2], flow[6]
    used = ports.seen(b"", port, ts) if port else b""
    beat = Beat(calls=1, answered=int(answered), last=ts, sizes=NUMBER.pack(sent), ports=used)
    beat.trail.add(flow, peer, evidence)
    return beat


def _kept(numbers: bytes, number: int) -> bytes:
    """One more number; of more than `KEPT` the first one goes."""
    return (numbers + NUMBER.pack(number))[-KEPT * NUMBER.size :]


def _numbers(packed: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(packed) // NUMBER.size}q", packed)


def _middle(ordered: list[float] | list[int]) -> float:
    """Median of values in order."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _spread(ordered: list[int]) -> tuple[float, float]:
    """Median and MAD of values in order.

    >>> _spread([10, 10, 14])
    (10, 0)
    """
    middle = _middle(ordered)
    return middle, _middle(sorted([abs(value - middle) for value in ordered]))


def _on_beat(intervals: Sequence[int], middle: float) -> float:
    """Share of the time that passed on the beat: the rest are pauses, which are no part of its span.

    >>> _on_beat([60, 60, 60, 180, 540], 60.0)
    0.4
    """
    total = sum(intervals)
    return sum(interval for interval in intervals if interval <= PAUSE * middle) / total if total else 0.0


def _regularity(intervals: Sequence[int]) -> tuple[float, float, float]:
    """Median, relative spread and Bowley skewness of the intervals.

    A spread of under a tenth of the median says nothing of its shape: then there is no skew.

    >>> _regularity([60, 60, 60, 60])
    (60.0, 0.0, 0.0)
    """
    ordered = sorted(intervals)
    middle, deviation = _spread(ordered)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    width = high - low
    skew = abs(high + low - 2 * middle) / width if width > 0.1 * middle else 0.0
    return middle, deviation / middle if middle else 1.0, skew
