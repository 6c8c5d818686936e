"""Exfiltration: an inside client sends one outside peer much more than it takes in, and more than it ever does.

Bytes are summed per client and peer over a sliding window of twelve buckets, so that many small uploads count like a
large one; of a flow longer than the window its share counts. The bar is the setting, or a multiple of what this host
usually sends in a window, whichever is higher; a peer that many inside hosts upload to is a service and has a higher
bar. What nobody took in is not counted: unanswered bytes are a flood's.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Fading, Memory, Trail, held_back
from engine.behaviours.outcomes import TCP_OPENED
from engine.behaviours.places import INSIDE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

BUCKETS: Final = 12
CLIENTS: Final = 64
LARGEST: Final = 1 << 48
"""Bytes of one flow above which a number is no measurement: sums stay within 64 bits."""

FORGET: Final = 0.3
"""Weight of the newest window in what a host usually sends."""


BUCKET: Final = Struct("<3q")
"""Number of a bucket of time, bytes out and in."""


class Upload(msgspec.Struct, array_like=True, gc=False):
    """One client and one peer: bytes per bucket of time, packed."""

    buckets: bytes = b""
    trail: Trail = msgspec.field(default_factory=Trail)

    def add(self, bucket: int, sent: int, taken: int) -> tuple[int, int]:
        """Count in a bucket; bytes out and in of the window that ends with it."""
        counts = {number: (out, back) for number, out, back in BUCKET.iter_unpack(self.buckets)}
        out, back = counts.get(bucket, (0, 0))
        counts[bucket] = (out + sent, back + taken)
        kept = [(number, *both) for number, both in counts.items() if number > bucket - BUCKETS]
        self.buckets = b"".join([BUCKET.pack(*each) for each in kept])
        return sum([each[1] for each in kept]), sum([each[2] for each in kept])


class Habit(msgspec.Struct, array_like=True):
    """What a host sends outside in a window: the present one, and usually (bytes)."""

    window: int = 0
    sent: int = 0
    usual: float = 0.0

    def add(self, window: int, sent: int) -> None:
        """Count `sent`; what went before is history when a new window begins."""
        if window > self.window:
            self.usual += FORGET * (self.sent - self.usual) if self.window else 0.0
            self.window, self.sent = window, 0
        self.sent += sent


class Exfiltration(Watch):
    """See the module."""

    name = "exfiltration"
    kinds = ("exfiltration",)
    reads = frozenset({"conn"})
    version = 4

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.exfiltration
        self._window = self._set.window_seconds * SECOND
        self._places = places
        cap = thresholds.limits.entities
        quiet = thresholds.limits.quiet_seconds * SECOND
        self.memory: Fading[tuple[str, str], Upload] = Fading(
            cap, tuple[str, str], Upload, span=self._window, quiet=quiet
        )
        self._reporter = Reporter("exfiltration", self.version, self._window, thresholds.limits, self.memory)
        self._habits: Memory[str, Habit] = Memory(cap, str, Habit)
        self._clients: Memory[str, dict[str, None]] = Memory(cap, str, dict[str, None])

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        rows = zip(frame.log, frame.src_ip, frame.dst_ip, frame.src_bytes, strict=True)
        places, large = self._places, self._set.smallest_flow_bytes
        young, old = self.memory.young, self.memory.old
        for i, (log, src, dst, sent) in enumerate(rows):
            if log != "conn" or (sent < large and (src, dst) not in young and (src, dst) not in old):
                continue
            if places[src] == INSIDE and places[dst] == OUTSIDE and _taken_in(frame, i):
                self._count(frame, i, (src, dst), found)

    def _count(self, frame: Frame, i: int, key: tuple[str, str], found: list[Sighting]) -> None:
        ts = frame.ts[i]
        upload = self.memory.get(key) or self._meet(key)
        upload.trail = self._reporter.fresh(upload.trail, ts)
        share = min(1.0, self._set.window_seconds / max(1.0, frame.duration[i]))
        sent, taken = (int(min(size, LARGEST) * share) for size in (frame.src_bytes[i], frame.dst_bytes[i]))
        bucket = ts * BUCKETS // self._window
        totals = upload.add(bucket, sent, taken)
        habit = self._habits.get(key[0]) or self._habits.put(key[0], Habit())
        habit.add(ts // self._window, sent)
        upload.trail.see(frame, i, key[1], frame.conn_state[i])
        self._judge(frame, i, totals, habit.usual, found)

    def _meet(self, key: tuple[str, str]) -> Upload:
        clients = self._clients.get(key[1])
        if clients is None:
            clients = self._clients.put(key[1], {})
        if len(clients) < CLIENTS:
            clients[key[0]] = None
        return self.memory.put(key, Upload())

    def _judge(self, frame: Frame, i: int, totals: tuple[int, int], usual: float, found: list[Sighting]) -> None:
        sent, taken = totals
        if 2 * sent < self._set.bytes:
            return
        src, dst = frame.src_ip[i], frame.dst_ip[i]
        common = len(self._clients.entries.get(dst, {})) >= self._set.common_clients
        bar = max(self._set.bytes * (10 if common else 1), self._set.usual_factor * usual)
        ratio = sent / max(taken, 1)
        score = held_back(sent / bar, self._set.ratio / max(ratio, 1e-9))
        measures = (
            ("bytes sent to the peer", sent, "B", bar),
            ("bytes sent per byte received", ratio, "", self._set.ratio),
            ("bytes the host usually sends", usual, "B", None),
        )
        found += self._reporter.judge(frame, i, (src, dst), score, measures)

    def _dump(self) -> Any:
        return (self.memory.dump(), self._habits.dump(), self._clients.dump())

    def _load(self, state: Any) -> None:
        memory, habits, clients = state
        self.memory.load(memory)
        self._habits.load(habits)
        self._clients.load(clients)


def _taken_in(frame: Frame, i: int) -> bool:
    """Whether the peer took part."""
    opened = frame.proto[i] == "tcp" and frame.conn_state[i] in TCP_OPENED
    return opened or frame.dst_bytes[i] > 0 or frame.dst_pkts[i] > 0
