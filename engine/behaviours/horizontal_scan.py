"""Horizontal scan: one source asks many hosts for the same service, and most do not answer (also ICMP sweeps).

The idea of the threshold random walk (Jung et al., 2004): a benign client mostly reaches the hosts that it tries for
the first time, a scanner mostly does not. So hosts are counted that failed and never answered this source on this
service, and they must be a fair share of all the hosts it tried there: a browser, a resolver or a mail server never
trips it. A host that opens a connection without a byte is neither: monitors and scanners find them alike. Left out is
what fails by design: peers of peer-to-peer networks, QUIC behind a firewall and the web over a dead IPv6 uplink (a
client falls back from both without a word).
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import Fading, Trail, held_back, prune
from engine.behaviours.outcomes import ANSWERED, FAILED, NEITHER, TCP_FAILED, TCP_OPENED, outcome_at
from engine.behaviours.places import NOWHERE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.watch import Watch
from engine.frame import Frame

COUNTED: Final = frozenset({"tcp", "udp", "icmp"})
WEB: Final = frozenset({80, 443})
QUIC: Final = 443
REFRESH: Final = 8
"""The time when a host was last seen is kept to an eighth of the window."""

KNOWN: Final = 128
"""So many hosts that answered stay known to a source for good; of more, only those of the window do."""


class Sweep(msgspec.Struct, array_like=True, gc=False):
    """One source on one service: hosts that answered, hosts that failed (with the time they were last seen).

    Most sources never fail: before the first failure there is no trail and no table of such hosts.
    """

    answered: dict[str, int] = {}
    failed: dict[str, int] | None = None
    trail: Trail | None = None


class HorizontalScan(Watch):
    """See the module."""

    name = "horizontal-scan"
    kinds = ("horizontal-scan",)
    reads = frozenset({"conn"})
    version = 5

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.horizontal_scan
        self._window = self._set.window_seconds * SECOND
        self._peers = frozenset(self._set.peer_ports)
        self._cap = thresholds.limits.members
        self._places = places
        self.memory: Fading[tuple[str, int, str], Sweep] = Fading(
            thresholds.limits.entities, tuple[str, int, str], Sweep, span=self._window,
            quiet=thresholds.limits.quiet_seconds * SECOND,
        )  # fmt: skip
        self._refresh = self._window // REFRESH
        self._reporter = Reporter("horizontal-scan", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        rows = zip(
            frame.log, frame.proto, frame.src_ip, frame.dst_ip, frame.dst_port, frame.dst_bytes, frame.conn_state,
            frame.ts, strict=True,
        )  # fmt: skip
        get, put, places, young = self.memory.get, self.memory.put, self._places, self.memory.young
        refresh = self._refresh
        for i, (log, proto, src, dst, port, taken, state, ts) in enumerate(rows):
            if log != "conn" or proto not in COUNTED:
                continue
            result = ANSWERED if taken and state not in TCP_FAILED else self._outcome(frame, i)
            if not result or places[dst] == NOWHERE:
                continue
            key = (src, port if proto != "icmp" else 0, proto)
            sweep = young.get(key) or get(key) or put(key, Sweep())
            known = sweep.answered.get(dst)
            if known is None and result == FAILED:
                self._failed(frame, i, key, sweep, found)
            elif known is None or sweep.failed or ts - known >= refresh:
                self._known(sweep, dst, ts)

    def _outcome(self, frame: Frame, i: int) -> int:
        """What became of a flow that brought nothing back, as far as it says something of a scan."""
        proto, port, dst = frame.proto[i], frame.dst_port[i], frame.dst_ip[i]
        if port in self._peers or (proto == "tcp" and frame.conn_state[i] in TCP_OPENED and not frame.src_bytes[i]):
            return NEITHER
        falls_back = (proto == "udp" and port == QUIC) or (proto == "tcp" and port in WEB and ":" in dst)
        return NEITHER if falls_back and self._places[dst] == OUTSIDE else outcome_at(frame, i)

    def _known(self, sweep: Sweep, dst: str, ts: int) -> None:
        """The host answers; it stays known while it is asked again, even when it is switched off for the night."""
        answered = sweep.answered
        if dst in answered:
            del answered[dst]
        elif len(answered) >= KNOWN:
            prune(answered, ts - self._window, self._cap)
        answered[dst] = ts
        if sweep.failed:
            sweep.failed.pop(dst, None)

    def _failed(self, frame: Frame, i: int, key: tuple[str, int, str], sweep: Sweep, found: list[Sighting]) -> None:
        ts, dst = frame.ts[i], frame.dst_ip[i]
        trail = sweep.trail = self._reporter.fresh(sweep.trail or Trail(), ts)
        failed = sweep.failed or {}
        failed.pop(dst, None)
        failed[dst] = ts
        prune(failed, ts - self._window, self._cap)
        sweep.failed = failed or None
        trail.see(frame, i, dst, frame.conn_state[i])
        hosts = len(failed)
        least = self._set.icmp_hosts if frame.proto[i] == "icmp" else self._set.hosts
        if hosts * 2 < least:
            return
        prune(sweep.answered, ts - self._window, self._cap)
        share = hosts / (hosts + len(sweep.answered))
        outward = frame.proto[i] == "udp" and self._places[dst] == OUTSIDE
        bar = self._set.udp_outside_share if outward else self._set.failed_share
        score = held_back(hosts / least, bar / share)
        measures = (
            ("hosts that did not answer", hosts, "hosts", least),
            ("share of failures", share, "", bar),
            ("port", key[1], "", None),
        )
        found += self._reporter.judge(frame, i, key, score, measures)
