"""Password guessing: many short, similar connections to a log-in service, on one host or sprayed over many.

Two witnesses, and the stronger one speaks. A record and its connection (same ports and hosts) are one attempt, in
whichever order they come, and the connection is its sample:
    - flows: complete connections whose size and length fit one log-in attempt of that service (`SERVICES`), and whose
      bytes hardly vary; log-ins that a record shows to have succeeded are taken off. Where ordinary clients also come
      often, briefly and alike (busy services), it takes more of them, or as many hosts;
    - records (ssh, rdp, http): attempts that the log itself calls failed.
A success after the failures raises the score and is named first: somebody may be in.
"""

from __future__ import annotations

from hashlib import sha256
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND
from engine.behaviours.memory import SAMPLES, Fading, Measure, Trail, held_back
from engine.behaviours.places import INSIDE, NOWHERE, OUTSIDE, Places
from engine.behaviours.reporter import Reporter
from engine.behaviours.samples import FlowTuple, flow_at
from engine.behaviours.watch import Watch
from engine.frame import Frame


class Service(NamedTuple):
    """What one log-in attempt looks like: payload bytes sent and taken in, packets sent at most.

    `busy` holds the places whose ordinary clients come as often, as briefly and as alike.
    """

    name: str
    least: int
    most: int
    packets: int
    taken: int
    busy: tuple[int, ...] = ()


OURS: Final = (INSIDE,)
MAIL: Final = (INSIDE, OUTSIDE)


SERVICES: Final[dict[int, Service]] = {
    21: Service("ftp", 20, 2000, 60, 6000),
    22: Service("ssh", 500, 5000, 45, 5000),
    23: Service("telnet", 10, 2000, 60, 6000),
    110: Service("pop3", 20, 1000, 20, 3000, MAIL),
    139: Service("smb", 400, 4000, 25, 8000, OURS),
    143: Service("imap", 20, 1500, 20, 4500, MAIL),
    445: Service("smb", 400, 4000, 25, 8000, OURS),
    465: Service("smtp", 300, 3000, 25, 9000, MAIL),
    587: Service("smtp", 60, 3000, 25, 9000, MAIL),
    993: Service("imap", 300, 2500, 25, 7500, MAIL),
    995: Service("pop3", 300, 2500, 25, 7500, MAIL),
    1433: Service("mssql", 200, 3000, 20, 3000, OURS),
    1521: Service("oracle", 200, 4000, 30, 4000, OURS),
    2222: Service("ssh", 500, 5000, 45, 5000),
    3306: Service("mysql", 50, 400, 20, 500, OURS),
    3389: Service("rdp", 300, 9000, 60, 20_000),
    5432: Service("postgresql", 50, 600, 20, 600, OURS),
    5900: Service("vnc", 12, 1000, 30, 3000),
}
KEPT: Final = 256
"""Attempts remembered per source and service: scores end at KEPT / attempts."""

COMPLETE: Final = frozenset({"SF", "S1", "S2", "S3", "RSTO", "RSTR", ""})
HTTP_REFUSED: Final = "401"


class Guesses(msgspec.Struct, array_like=True):
    """One source on one service.

    `flows` holds (time, bytes sent, host); `failures` (one for each password) and `successes` hold times. `halves` are
    attempts of which one witness spoke so far: (source port, host, port) with the time and how many connections (below
    zero: records) wait for the other. The totals are those of the trail: records that failed, and their passwords.
    """

    flows: list[tuple[int, int, str]] = []
    failures: list[int] = []
    successes: list[int] = []
    halves: dict[tuple[int, str, int], tuple[int, int]] = {}
    refused: int = 0
    passwords: int = 0
    trail: Trail = msgspec.field(default_factory=Trail)


class PasswordGuessing(Watch):
    """See the module."""

    name = "password-guessing"
    kinds = ("password-guessing",)
    reads = frozenset({"conn", "ssh", "rdp", "http"})
    version = 5

    def __init__(self, thresholds: Thresholds, places: Places) -> None:
        self._set = thresholds.password_guessing
        self._window = self._set.window_seconds * SECOND
        self._places = places
        self.memory: Fading[tuple[str, str], Guesses] = Fading(
            thresholds.limits.entities, tuple[str, str], Guesses, span=self._window,
            quiet=thresholds.limits.quiet_seconds * SECOND,
        )  # fmt: skip
        self._reporter = Reporter("password-guessing", self.version, self._window, thresholds.limits, self.memory)

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        services = SERVICES
        for i, (log, port) in enumerate(zip(frame.log, frame.dst_port, strict=True)):
            if log == "conn":
                if port in services and self._fits(frame, i, services[port]):
                    self._attempt(frame, i, services[port], found)
            elif log in self.reads:
                self._record(frame, i, found)

    def _fits(self, frame: Frame, i: int, service: Service) -> bool:
        return (
            frame.proto[i] == "tcp"
            and service.least <= frame.src_bytes[i] <= service.most
            and 0 < frame.dst_bytes[i] <= service.taken
            and frame.src_pkts[i] <= service.packets
            and frame.conn_state[i] in COMPLETE
            and self._places[frame.dst_ip[i]] != NOWHERE
        )

    def _attempt(self, frame: Frame, i: int, service: Service, found: list[Sighting]) -> None:
        guesses = self._of(frame, i, service.name)
        self._witness(frame, i, guesses, service.name)
        guesses.flows.append((frame.ts[i], frame.src_bytes[i], frame.dst_ip[i]))
        busy = self._places[frame.src_ip[i]] in service.busy
        self._judge(frame, i, service.name, found, self._set.busy_factor if busy else 1.0)

    def _record(self, frame: Frame, i: int, found: list[Sighting]) -> None:
        log, detail, ts = frame.log[i], frame.detail[i], frame.ts[i]
        failed, succeeded = VERDICTS[log](detail)
        if not failed and not succeeded:
            return
        service = log if log != "http" else f"http {detail.get('host') or frame.dst_ip[i]}"
        if not failed and not self.memory.peek((frame.src_ip[i], service)):
            return
        guesses = self._of(frame, i, service)
        self._witness(frame, i, guesses, service)
        passwords = min(failed, 10)
        guesses.failures.extend([ts] * passwords)
        guesses.passwords += passwords
        if succeeded:
            guesses.successes.append(ts)
            _hold(guesses.trail, _sample(frame, i, f"{service}: logged in"))
        else:
            guesses.refused += 1
        self._judge(frame, i, service, found)

    def _of(self, frame: Frame, i: int, service: str) -> Guesses:
        key = (frame.src_ip[i], service)
        guesses = self.memory.get(key) or self.memory.put(key, Guesses())
        fresh = self._reporter.fresh(guesses.trail, frame.ts[i])
        if fresh is not guesses.trail:
            guesses.trail, guesses.refused, guesses.passwords = fresh, 0, 0
        return guesses

    def _witness(self, frame: Frame, i: int, guesses: Guesses, service: str) -> None:
        """Row `i` counts, unless it is the other half of an attempt that counted already."""
        ts, recorded = frame.ts[i], frame.log[i] != "conn"
        flow, trail = _sample(frame, i, service), guesses.trail
        pair = (frame.src_port[i], frame.dst_ip[i], frame.dst_port[i])
        since, waiting = guesses.halves.pop(pair, (ts, 0))
        if not trail.count or abs(ts - since) > self._window:
            waiting = 0
        now = waiting + (-1 if recorded else 1)
        if pair[0] and now:
            guesses.halves[pair] = (ts, now)
        if abs(now) < abs(waiting):
            if not recorded:
                trail.first, trail.last = min(trail.first, ts), max(trail.last, ts)
                _prefer(trail, flow)
            return
        trail.add(flow, frame.dst_ip[i], b"" if trail.count else sha256(frame.raw[i]).digest())
        if len(guesses.halves) > KEPT:
            del guesses.halves[next(iter(guesses.halves))]

    def _judge(self, frame: Frame, i: int, service: str, found: list[Sighting], factor: float = 1.0) -> None:
        key = (frame.src_ip[i], service)
        guesses = self.memory.young[key]
        horizon = frame.ts[i] - self._window
        _forget(guesses, horizon)
        attempts = max(len(guesses.flows) - len(guesses.successes), 0)
        failures = len(guesses.failures)
        if 2 * max(attempts, failures) < self._set.attempts:
            return
        spread = _spread([size for _, size, _ in guesses.flows])
        hosts = len({host for _, _, host in guesses.flows})
        enough = max(attempts / factor, min(attempts, hosts)) / self._set.attempts
        by_flow = held_back(enough, spread / self._set.size_spread)
        inside_now = failures >= self._set.attempts // 2 and bool(guesses.successes)
        score = max(by_flow, failures / self._set.attempts) * (self._set.success_factor if inside_now else 1.0)
        measures: tuple[Measure, ...] = (
            ("log-in attempts", guesses.trail.count, "attempts", self._set.attempts * factor),
            ("attempts that failed on record", guesses.refused, "attempts", None),
            ("passwords refused on record", guesses.passwords, "passwords", self._set.attempts),
            ("spread of the bytes sent", spread, "", self._set.size_spread),
        )
        if guesses.successes:
            success: Measure = ("successes on record", len(guesses.successes), "", None)
            measures = (success, *measures) if inside_now else (*measures, success)
        found += self._reporter.judge(frame, i, key, score, measures)


def _sample(frame: Frame, i: int, service: str) -> FlowTuple:
    """Row `i` as a sample; every log-in goes over TCP, though its record does not say so."""
    flow = flow_at(frame, i, service)
    return flow if flow[5] else (*flow[:5], "tcp", *flow[6:])


def _prefer(trail: Trail, flow: FlowTuple) -> None:
    """The connection instead of its record, if that is among the samples."""
    head, tail = trail.flows()
    for samples in (tail, head):
        for n in reversed(range(len(samples))):
            if samples[n][1:5] == flow[1:5]:
                samples[n] = (*flow[:8], samples[n][8])
                trail.hold(head, tail)
                return


def _hold(trail: Trail, flow: FlowTuple) -> None:
    """Keep a log-in that succeeded among the first samples, which no later attempt pushes out."""
    head, tail = trail.flows()
    for samples in (head, tail):
        places = [n for n, known in enumerate(samples) if known[1:5] == flow[1:5]]
        if places:
            known = samples.pop(places[0])
            flow = (*known[:8], flow[8])
            break
    head[SAMPLES - 1 :] = [flow]
    trail.hold(head, tail)


def _ssh(detail: dict[str, Any]) -> tuple[int, bool]:
    success, attempts = detail.get("auth_success"), detail.get("auth_attempts")
    tries = attempts if isinstance(attempts, int) else 0
    if success in (True, "T", "true"):
        return max(0, tries - 1), True
    if success in (False, "F", "false"):
        return max(1, tries), False
    return 0, False


def _rdp(detail: dict[str, Any]) -> tuple[int, bool]:
    return (0, True) if str(detail.get("result", "")).lower().startswith("succe") else (1, False)


def _http(detail: dict[str, Any]) -> tuple[int, bool]:
    if detail.get("username") in (None, "", "-"):
        return 0, False
    return (1, False) if str(detail.get("status_code")) == HTTP_REFUSED else (0, True)


VERDICTS: Final = {"ssh": _ssh, "rdp": _rdp, "http": _http}
"""What a record says: failed attempts, and whether one succeeded."""


def _forget(guesses: Guesses, horizon: int) -> None:
    """Drop what is older than the window, or too much."""
    flows, failures, successes = guesses.flows, guesses.failures, guesses.successes
    while flows and (flows[0][0] < horizon or len(flows) > KEPT):
        del flows[0]
    for times in (failures, successes):
        while times and (times[0] < horizon or len(times) > KEPT):
            del times[0]


def _spread(sizes: list[int]) -> float:
    """MAD over median: 0 when all are alike.

    >>> _spread([100, 100, 100]), _spread([50, 100, 150])
    (0.0, 0.5)
    """
    if not sizes:
        return 0.0
    middle = median(sizes)
    return median(abs(size - middle) for size in sizes) / middle if middle else 0.0
