"""The rules of host windows in plain Python, slow and simple: what the kernels are held against."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise

import networkx as nx

from domain.anomaly_limits import AnomalyLimits
from domain.values import SECOND
from engine.features.inside import Inside
from engine.features.letters import ALPHABET
from engine.features.services import CLASSES, SERVICES
from engine.features.windows import FAILED
from engine.frame import COLUMNS

DAY_S, MEMORY, STEPS = 86_400, 48, 4096


@dataclass
class Window:
    host: str
    start: int
    evidence: str
    flows: list[dict] = field(default_factory=list)


@dataclass
class Profile:
    first: int
    windows: list[int] = field(default_factory=lambda: [0, 0])
    means: list[list[float]] = field(default_factory=lambda: [[0.0] * 3, [0.0] * 3])
    mix: list[float] = field(default_factory=lambda: [0.0] * CLASSES)
    levels: list[float] = field(default_factory=lambda: [0.0] * CLASSES)
    hours: Counter = field(default_factory=Counter)
    core: float = 0.0
    peers: dict[str, None] = field(default_factory=dict)
    ports: dict[int, None] = field(default_factory=dict)


class Reference:
    """Host windows without a limit on pairs: feed it row tuples, read `closed` and `counters`."""

    def __init__(self, limits: AnomalyLimits, local: tuple[str, ...]) -> None:
        self.limits, self.inside = limits, Inside(local)
        self.width = limits.window_s * SECOND
        self.span = self.width + (limits.window_s if limits.grace_s is None else limits.grace_s) * SECOND
        self.open: dict[int, dict[str, Window]] = {}
        self.received: dict[int, dict[str, list[str]]] = {}
        self.profiles: dict[str, Profile] = {}
        self.inside_seen = False
        self.counters: Counter = Counter()
        self.closed: list[dict] = []

    def feed(self, rows: list[tuple]) -> None:
        for values in rows:
            self._row(dict(zip(COLUMNS, values, strict=True)))

    def _row(self, r: dict) -> None:
        if r["status"]:
            return
        for start in sorted(self.open):
            if start + self.span <= r["clock"]:
                self._close(start, r)
        if r["log"] != "conn":
            return
        start = r["ts"] - r["ts"] % self.width
        if r["late"] or start + self.span <= r["clock"]:
            self.counters["late_for_window"] += 1
        elif r["ts"] > r["clock"]:
            self.counters["ahead_of_clock"] += 1
        else:
            self._count(r, start)

    def _count(self, r: dict, start: int) -> None:
        windows, received = self.open.setdefault(start, {}), self.received.setdefault(start, {})
        if self.inside[r["dst_ip"]]:
            if r["dst_ip"] in received or len(received) < self.limits.max_hosts:
                received.setdefault(r["dst_ip"], []).append(r["src_ip"])
            else:
                self.counters["receivers_over_limit"] += 1
        host = r["src_ip"]
        if host not in windows:
            if self.inside[host]:
                self.inside_seen = True
            elif self.inside_seen:
                return
            if len(windows) >= self.limits.max_hosts:
                self.counters["hosts_over_limit"] += 1
                return
            windows[host] = Window(host, start, sha256(r["raw"]).hexdigest())
        windows[host].flows.append(r)

    def _close(self, start: int, r: dict) -> None:
        windows, received = self.open.pop(start), self.received.pop(start)
        graph = nx.Graph()
        for w in windows.values():
            graph.add_edges_from((w.host, f["dst_ip"]) for f in w.flows if f["dst_ip"] != w.host)
        cores = nx.core_number(graph)
        calls = Counter(peer for w in windows.values() for peer in {f["dst_ip"] for f in w.flows})
        for host in sorted(windows):
            w, p = windows[host], self.profiles.pop(host, None) or Profile(start)
            self.profiles[host] = p
            values = self._measure(w, p, windows, received, cores.get(host, 0), calls)
            self._learn(w, p, values)
            self._forget()
            peers = Counter(f["dst_ip"] for f in w.flows).items()
            self.closed.append({
                "row": r["row"], "at": r["clock"], "host": host, "start": start, "evidence": w.evidence,
                "first": min(f["ts"] for f in w.flows), "last": max(f["ts"] for f in w.flows), "flows": len(w.flows),
                "peers": dict(sorted(peers, key=lambda item: (-item[1], item[0].encode()))[:20]),
                "sample": [
                    (f["ts"], host, f["src_port"], f["dst_ip"], f["dst_port"], f["proto"], f["src_bytes"],
                     f["dst_bytes"])
                    for f in w.flows[:5]
                ],
                "letters": letters(w.flows), "values": values,
            })  # fmt: skip

    def _measure(self, w: Window, p: Profile, windows: dict, received: dict, core: int, calls: Counter) -> dict:
        flows, n = w.flows, len(w.flows)
        peers, ports = Counter(f["dst_ip"] for f in flows), Counter(f["dst_port"] for f in flows)
        gaps = [b["ts"] - a["ts"] for a, b in pairwise(flows)]
        later = [gap for gap in gaps if gap > 0]
        mean = sum(later) / (n - 1) if n > 1 else 0.0
        squares = sum(gap * gap for gap in later) / (n - 1) if n > 1 else 0.0
        slices = Counter((f["ts"] - w.start) * 16 // self.width for f in flows)
        here = (w.start + self.width // 2) // SECOND + self.limits.utc_offset_minutes * 60
        turn = 2 * math.pi * (here % DAY_S) / DAY_S
        out, back = sum(max(0, f["src_bytes"]) for f in flows), sum(max(0, f["dst_bytes"]) for f in flows)
        sent, got = sum(max(0, f["src_pkts"]) for f in flows), sum(max(0, f["dst_pkts"]) for f in flows)
        sizes = [max(0, f["src_bytes"]) + max(0, f["dst_bytes"]) for f in flows]
        reached = self._reach(w, windows)
        callers = received.get(w.host, [])
        usual = deviations(w, p, len(peers), self.limits)
        return {
            "flows": n, "gap_mean": mean / SECOND,
            "gap_cv": math.sqrt(max(0.0, squares - mean * mean)) / mean if mean else 0.0,
            "steady_share": sum(steady(a, b) for a, b in pairwise(later)) / (n - 2) if n > 2 else 0,
            "busiest_share": max(slices.values()) / n,
            "duration_mean": sum(f["duration"] for f in flows if 0 <= f["duration"] <= 1e9) / n,
            "day_sine": math.sin(turn), "day_cosine": math.cos(turn),
            "new_peers_share": sum(peer not in p.peers for peer in peers) / len(peers),
            "new_ports_share": sum(port not in p.ports for port in ports) / len(ports),
            "failed_share": sum(f["conn_state"] in FAILED for f in flows) / n,
            **usual,
            "bytes_out": out, "bytes_in": back, "out_share": out / (out + back) if out + back else 0.0,
            "packets_out": sent, "packets_in": got, "packet_size": out / sent if sent else 0.0,
            "packet_size_in": back / got if got else 0.0, "empty_share": sizes.count(0) / n,
            "peer_entropy": entropy(peers), "port_entropy": entropy(ports),
            "size_entropy": entropy(Counter(min(31, size.bit_length()) for size in sizes)),
            "size_median": quantile(sizes, 0.5), "size_p90": quantile(sizes, 0.9),
            "udp_share": sum(f["proto"] == "udp" for f in flows) / n, "top_peer_share": max(peers.values()) / n,
            "peers": len(peers), "ports": len(ports),
            "inside_share": sum(self.inside[f["dst_ip"]] for f in flows) / n,
            "received_flows": len(callers), "callers": len(set(callers)),
            "rare_peers_share": sum(calls[peer] == 1 for peer in peers) / len(peers),
            "reach": reached, "core": core, "core_growth": core - p.core if sum(p.windows) else 0.0,
        }  # fmt: skip

    def _reach(self, w: Window, windows: dict[str, Window]) -> int:
        met, steps = {}, 0
        for peer in dict.fromkeys(f["dst_ip"] for f in w.flows):
            met[peer] = None
            for step in dict.fromkeys(f["dst_ip"] for f in (windows[peer].flows if peer in windows else [])):
                if steps < STEPS:
                    met[step] = None
                    steps += 1
        return len(set(met) - {w.host})

    def _learn(self, w: Window, p: Profile, values: dict) -> None:
        part = working(w.start, self.limits)
        p.windows[part] += 1
        seen = sum(p.windows)
        for k, amount in enumerate((values["flows"], values["bytes_out"], values["peers"])):
            p.means[part][k] = moved(p.means[part][k], math.log2(1 + amount), p.windows[part])
        counts = services(w)
        for k in range(CLASSES):
            p.mix[k] = moved(p.mix[k], counts[k] / len(w.flows), seen)
            p.levels[k] = moved(p.levels[k], math.log2(1 + counts[k]), seen)
        p.hours[hour_of(w.start, self.limits)] += 1
        p.core = moved(p.core, values["core"], seen)
        for known, column in ((p.peers, "dst_ip"), (p.ports, "dst_port")):
            for value in dict.fromkeys(f[column] for f in w.flows):
                known.pop(value, None)
                known[value] = None
            for value in list(known)[: max(0, len(known) - self.limits.max_host_peers)]:
                del known[value]

    def _forget(self) -> None:
        def too_much() -> bool:
            known = [sum(len(getattr(p, kind)) for p in self.profiles.values()) for kind in ("peers", "ports")]
            return len(self.profiles) > self.limits.max_hosts or max(known) > self.limits.max_known_peers

        while len(self.profiles) > 1 and too_much():
            del self.profiles[next(iter(self.profiles))]
            self.counters["hosts_forgotten"] += 1


def moved(mean: float, value: float, windows: int) -> float:
    return mean + (value - mean) / min(windows, MEMORY)


def working(start: int, limits: AnomalyLimits) -> int:
    at = datetime.fromtimestamp(start // SECOND + limits.utc_offset_minutes * 60, UTC)
    return int(at.weekday() < 5 and limits.day_begins <= at.hour < limits.day_ends)


def hour_of(start: int, limits: AnomalyLimits) -> int:
    return (start // SECOND + limits.utc_offset_minutes * 60) % DAY_S // 3600


def services(w: Window) -> list[int]:
    counts = [0] * CLASSES
    for f in w.flows:
        classes = list(SERVICES.values())
        named = [k for part in f["service"].split(",") for k, (_, names) in enumerate(classes) if part in names]
        port = f["dst_port"] & 0xFFFF
        by_port = [k for k, (ports, _) in enumerate(classes) if port in ports]
        counts[(named or by_port or [CLASSES - 2 if port < 1024 else CLASSES - 1])[0]] += 1
    return counts


def deviations(w: Window, p: Profile, peers: int, limits: AnomalyLimits) -> dict[str, float]:
    names = ("flows_growth", "bytes_out_growth", "peers_growth", "service_shift", "service_growth", "unusual_hour")
    seen = sum(p.windows)
    if not seen:
        return dict.fromkeys(names, 0.0)
    part = working(w.start, limits)
    usual = p.means[part if p.windows[part] else 1 - part]
    amounts = (len(w.flows), sum(max(0, f["src_bytes"]) for f in w.flows), peers)
    counts = services(w)
    hour = hour_of(w.start, limits)
    grown = [math.log2(1 + a) - b for a, b in zip(amounts, usual, strict=True)]
    shift = sum(abs(counts[k] / len(w.flows) - p.mix[k]) for k in range(CLASSES)) / 2
    most = max(0.0, *(math.log2(1 + counts[k]) - p.levels[k] for k in range(CLASSES)))
    old = w.start // SECOND - p.first // SECOND >= DAY_S
    unusual = 1 - min(1, 24 * p.hours[hour] / seen) if old else 0.0
    return dict(zip(names, (*grown, shift, most, unusual), strict=True))


def entropy(counts: Counter) -> float:
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values()) + 0.0


def quantile(sizes: list[int], share: float) -> float:
    bins = Counter(min(31, size.bit_length()) for size in sizes)
    rank, before = math.ceil(share * len(sizes)), 0
    for k in sorted(bins):
        if before + bins[k] >= rank:
            return 2 ** (k - 1 + (rank - before - 0.5) / bins[k]) if k else 0.0
        before += bins[k]
    raise AssertionError("a quantile lies among the sizes")


def steady(before: int, gap: int) -> bool:
    return abs(gap - before) <= before / 4


def letters(flows: list[dict]) -> bytes:
    made, previous, before = [], None, 0
    for f in flows[:64]:
        back, size = max(0, f["dst_bytes"]), max(0, f["src_bytes"]) + max(0, f["dst_bytes"])
        gap = f["ts"] - previous if previous is not None else 0
        outcome = 0 if f["conn_state"] in FAILED else 1 if not back else 2
        amount = sum(size > most for most in (300, 3_000, 100_000))
        pace = 0 if gap <= 0 else 1 if before and steady(before, gap) else 2 if gap < 10 * SECOND else 3
        made.append(ALPHABET[(outcome * 4 + amount) * 4 + pace])
        previous, before = f["ts"], gap if gap > 0 else before
    return bytes(made)
