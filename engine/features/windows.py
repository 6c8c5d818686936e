"""Host windows: what each host of ours did in each tumbling window of event time, as one vector.

Rules:
    1. A flow belongs to the window [k * width, (k + 1) * width) that holds its `ts`, and to the host that opened it.
    2. All windows of one start close together: at the first row whose clock reaches their end plus the grace. What
       closes at one row comes out ordered by (start, host).
    3. A row for a closed window changes nothing and is counted (`late_for_window`); so is a row whose time lies ahead
       of the feed's clock, which is a clock jump that nothing confirmed yet (`ahead_of_clock`).
    4. Only inside hosts have windows; as long as no inside host ever opened a flow, every source has.
    5. Memory is bounded. Beyond `max_hosts` a window start takes in no further host (`hosts_over_limit`: a flood of
       forged sources must not push out real ones); beyond the limits of remembered peers the host whose last window
       is the oldest is forgotten (`hosts_forgotten`).
    6. Nothing depends on where the stream was cut into frames: the state is that of the rows read so far.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TypeVar

import msgspec

from domain.anomaly_limits import AnomalyLimits
from domain.values import SECOND, Micros
from engine.features.inside import Inside
from engine.features.table import LOGARITHMIC
from engine.frame import Frame

FAILED = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"})
"""Connection states in which the other side never took part."""

_Key = TypeVar("_Key", str, int)

SAMPLE = 5
"""Flows that a window keeps to show."""

NEVER: Micros = 1 << 62

Sample = tuple[Micros, str, int, str, int, str, int, int]
"""ts, src_ip, src_port, dst_ip, dst_port, proto, bytes out, bytes in."""


class HostWindow(msgspec.Struct, array_like=True):
    """What one host did in one window, as counted so far (`previous`: time of the row before)."""

    host: str
    start: Micros
    evidence: str
    first: Micros
    last: Micros
    previous: Micros
    flows: int = 0
    bytes_out: float = 0.0
    bytes_in: float = 0.0
    packets_out: float = 0.0
    failed: int = 0
    udp: int = 0
    inside: int = 0
    duration: float = 0.0
    gap: int = 0
    gap_squares: float = 0.0
    peers: dict[str, int] = {}
    ports: dict[int, int] = {}
    sample: list[Sample] = []

    def arrive(self, ts: Micros, peer: str, port: int, most: int) -> None:
        """Count time, peer and port of a further flow; one that is older than the flow before has no gap."""
        gap = ts - self.previous
        if gap > 0:
            self.gap += gap
            self.gap_squares += gap * gap
            self.last = max(self.last, ts)
        elif ts < self.first:
            self.first = ts
        self.previous = ts
        if peer in self.peers:
            self.peers[peer] += 1
        else:
            _meet(self.peers, peer, most, "")
        if port in self.ports:
            self.ports[port] += 1
        else:
            _meet(self.ports, port, most, -1)


class ClosedWindow(msgspec.Struct, frozen=True):
    """A window that closed right after row `row`, when the feed's clock stood at `at`."""

    row: int
    at: Micros
    window: HostWindow
    vector: tuple[float, ...]


class _Open(msgspec.Struct, array_like=True):
    """The open windows of one start, and how many flows each inside host received."""

    hosts: dict[str, HostWindow] = {}
    received: dict[str, int] = {}

    def receive(self, host: str, most: int) -> None:
        """Count a flow to an inside host, up to `most` hosts."""
        if host in self.received:
            self.received[host] += 1
        elif len(self.received) < most:
            self.received[host] = 1


class _State(msgspec.Struct):
    """All that the rows so far left behind; `known` holds each host's peers, from the coldest to the latest."""

    inside_seen: bool = False
    late_for_window: int = 0
    ahead_of_clock: int = 0
    hosts_over_limit: int = 0
    hosts_forgotten: int = 0
    open: dict[Micros, _Open] = {}
    known: dict[str, dict[str, None]] = {}


class HostWindows:
    """Feed it frames, take out the windows that closed."""

    def __init__(self, limits: AnomalyLimits, local_networks: Iterable[str]) -> None:
        self._limits = limits
        self._inside = Inside(local_networks)
        self._width = limits.window_s * SECOND
        self._span = self._width + (limits.window_s if limits.grace_s is None else limits.grace_s) * SECOND
        self._restore(_State())

    @property
    def counters(self) -> dict[str, int]:
        """What was left out or forgotten so far."""
        names = ("late_for_window", "ahead_of_clock", "hosts_over_limit", "hosts_forgotten")
        return {name: getattr(self._state, name) for name in names}

    def dump(self) -> bytes:
        """The whole state."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Go on from a dumped state."""
        self._restore(msgspec.msgpack.decode(state, type=_State))

    def feed(self, frame: Frame) -> list[ClosedWindow]:
        """Count the rows of `frame`; the windows that closed, in order."""
        closed: list[ClosedWindow] = []
        inside, opens, width, limits = self._inside, self._state.open, self._width, self._limits
        for status, log, late, row, clock, ts, src, dst, port, proto, duration, out, back, sent, end, sport, raw in zip(
            frame.status, frame.log, frame.late, frame.row, frame.clock, frame.ts, frame.src_ip, frame.dst_ip,
            frame.dst_port, frame.proto, frame.duration, frame.src_bytes, frame.dst_bytes, frame.src_pkts,
            frame.conn_state, frame.src_port, frame.raw, strict=True,
        ):  # fmt: skip
            if clock >= self._due and not status:
                closed.extend(self._close(row, clock))
            if status or log != "conn":
                continue
            opened = opens.get(ts - ts % width)
            if opened is None or late or ts > clock:
                opened = self._opened(ts, clock, late)
                if opened is None:
                    continue
            ours = inside[dst]
            if ours:
                opened.receive(dst, limits.max_hosts)
            w = opened.hosts.get(src) or self._new(opened, src, ts, raw)
            if w is None:
                continue
            if w.flows < SAMPLE:
                w.sample.append((ts, src, sport, dst, port, proto, out, back))
            w.flows += 1
            w.bytes_out += out
            w.bytes_in += back
            w.packets_out += sent
            w.failed += end in FAILED
            w.udp += proto == "udp"
            w.inside += ours
            w.duration += duration
            w.arrive(ts, dst, port, limits.max_distinct)
        return closed

    def _restore(self, state: _State) -> None:
        self._state = state
        self._due = min(state.open, default=NEVER) + self._span
        self._known_peers = sum(map(len, state.known.values()))

    def _opened(self, ts: Micros, clock: Micros, late: bool) -> _Open | None:
        """The open windows that the time of a row falls into; None if they are closed or lie ahead of the clock."""
        state = self._state
        start = ts - ts % self._width
        if late or start + self._span <= clock:
            state.late_for_window += 1
            return None
        if ts > clock:
            state.ahead_of_clock += 1
            return None
        opened = state.open.get(start)
        if opened is None:
            opened = state.open[start] = _Open()
            self._due = min(self._due, start + self._span)
        return opened

    def _new(self, opened: _Open, host: str, ts: Micros, raw: bytes) -> HostWindow | None:
        """A window for a host that has none yet; None if it is not to have one."""
        state = self._state
        if self._inside[host]:
            state.inside_seen = True
        elif state.inside_seen:
            return None
        if len(opened.hosts) >= self._limits.max_hosts:
            state.hosts_over_limit += 1
            return None
        window = opened.hosts[host] = HostWindow(
            host=host, start=ts - ts % self._width, evidence=sha256(raw).hexdigest(), first=ts, last=ts, previous=ts
        )
        return window

    def _close(self, row: int, clock: Micros) -> list[ClosedWindow]:
        """Close all that is due at `clock`."""
        state = self._state
        closed = []
        for start in sorted(state.open):
            if start + self._span > clock:
                break
            opened = state.open.pop(start)
            for host, window in sorted(opened.hosts.items()):
                vector = _vector(window, self._new_peers(window), opened.received.get(host, 0))
                closed.append(ClosedWindow(row, clock, window, vector))
        self._due = min(state.open, default=NEVER) + self._span
        return closed

    def _new_peers(self, window: HostWindow) -> int:
        """How many of the window's peers its host never met; it knows them from now on."""
        known = self._state.known.pop(window.host, {})
        before = len(known)
        new = 0
        for peer in window.peers:
            if peer in known:
                del known[peer]
            else:
                new += 1
            known[peer] = None
        while len(known) > self._limits.max_host_peers:
            del known[next(iter(known))]
        self._state.known[window.host] = known
        self._known_peers += len(known) - before
        self._forget()
        return new

    def _forget(self) -> None:
        """Forget the coldest hosts as long as there is too much to remember."""
        known = self._state.known
        while len(known) > 1 and (
            len(known) > self._limits.max_hosts or self._known_peers > self._limits.max_known_peers
        ):
            self._known_peers -= len(known.pop(next(iter(known))))
            self._state.hosts_forgotten += 1


def _meet(counts: dict[_Key, int], key: _Key, most: int, other: _Key) -> None:
    """Count a key for the first time, or as `other` if there are `most` already."""
    if len(counts) < most:
        counts[key] = 1
    else:
        counts[other] = counts.get(other, 0) + 1


def _entropy(counts: Mapping[_Key, int], total: int) -> float:
    """Shannon entropy in bits.

    >>> _entropy({"a": 2, "b": 2}, 4), _entropy({"a": 3}, 3)
    (1.0, 0.0)
    """
    return max(0.0, math.log2(total) - math.fsum(n * math.log2(n) for n in counts.values() if n > 1) / total)


def _gap(window: HostWindow) -> tuple[float, float]:
    """Mean (in seconds) and coefficient of variation of the time between two flows; 0 below two flows."""
    gaps = window.flows - 1
    if not gaps or not window.gap:
        return 0.0, 0.0
    mean = window.gap / gaps
    variance = max(0.0, window.gap_squares / gaps - mean * mean)
    return mean / SECOND, math.sqrt(variance) / mean


def _vector(window: HostWindow, new_peers: int, received: int) -> tuple[float, ...]:
    """The window's features, in the order of `FEATURES`."""
    flows, peers = window.flows, len(window.peers)
    out, back = max(0.0, window.bytes_out), max(0.0, window.bytes_in)
    gap_mean, gap_cv = _gap(window)
    values = (
        flows,
        gap_mean,
        gap_cv,
        max(0.0, window.duration) / flows if math.isfinite(window.duration) else 0.0,
        new_peers / peers,
        window.failed / flows,
        out,
        back,
        out / (out + back) if out + back else 0.0,
        out / window.packets_out if window.packets_out > 0 else 0.0,
        _entropy(window.peers, flows),
        _entropy(window.ports, flows),
        window.udp / flows,
        peers,
        len(window.ports),
        window.inside / flows,
        received,
    )
    return tuple([math.log1p(value) if log else value for log, value in zip(LOGARITHMIC, values, strict=True)])
