"""Seeded input of the anomaly tests: small offices as frames, stationary hosts as closed windows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from domain.values import SECOND
from engine.features.table import FEATURES
from engine.features.windows import ClosedWindow, HostWindow
from engine.frame import Frame

START = 1_700_000_100 * SECOND
LOCAL = ("10.0.0.0/8",)


def row(number: int, ts: int, clock: int | None = None, **values: object) -> tuple[object, ...]:
    """One row tuple in the order of the columns: an ordinary answered flow, unless told otherwise."""
    given = {
        "order": number, "row": number, "status": "", "source": "conn", "size": 80, "clock": clock or ts,
        "late": False, "log": "conn", "ts": ts, "src_ip": "10.0.0.1", "src_port": 50_000, "dst_ip": "10.0.0.2",
        "dst_port": 443, "proto": "tcp", "service": "", "duration": 1.0, "src_bytes": 100, "dst_bytes": 300,
        "src_pkts": 2, "dst_pkts": 3, "conn_state": "SF", "detail": {}, "raw": b"row %d" % number,
    }  # fmt: skip
    return tuple((given | values).values())


def office(rows: int, hosts: int = 8, seed: int = 1, gap_s: float = 4.0) -> list[tuple[object, ...]]:
    """Rows of an office whose hosts talk at random, a little out of order, some of them late or unreadable."""
    draw = random.Random(seed)
    made, now, clock = [], START, 0
    for number in range(1, rows + 1):
        now += int(draw.expovariate(1 / gap_s) * SECOND)
        ts = now - draw.choice((0, 0, 0, draw.randrange(400))) * SECOND
        clock = max(clock, ts)
        made.append(
            row(
                number, ts, clock,
                status=draw.choice(("",) * 30 + ("malformed: too short",)),
                log=draw.choice(("conn",) * 9 + ("dns",)),
                late=draw.random() < 0.01,
                src_ip=draw.choice(("10.0.0.", "10.0.0.", "10.0.0.", "8.8.4.")) + str(draw.randrange(hosts)),
                dst_ip=draw.choice(("10.0.0.", "93.184.216.")) + str(draw.randrange(20)),
                dst_port=draw.choice((53, 80, 443, 8080)),
                proto=draw.choice(("tcp", "tcp", "udp")),
                duration=draw.random() * 9,
                src_bytes=draw.randrange(5_000),
                dst_bytes=draw.randrange(90_000),
                conn_state=draw.choice(("SF", "SF", "S0", "REJ")),
            )
        )  # fmt: skip
    return made


def frames(rows: list[tuple[object, ...]], size: int) -> Iterator[Frame]:
    """The rows cut into frames of `size`."""
    for begin in range(0, len(rows), size):
        yield Frame.of(rows[begin : begin + size])


def closed(number: int, host: str, vector: np.ndarray, start: int = START, flows: int = 9) -> ClosedWindow:
    """A closed window of `host` that shows only its vector."""
    window = HostWindow(
        host=host, start=start, evidence="ab" * 32, first=start, last=start + SECOND, flows=flows,
        peers={"10.0.0.2": 1}, sample=[(start, host, 1, "10.0.0.2", 443, "tcp", 10, 20)],
    )  # fmt: skip
    return ClosedWindow(number, start + 600 * SECOND, host, Shown(np.round(np.asarray(vector, float), 6), window))


@dataclass(frozen=True)
class Shown:
    """One window that was not counted from rows."""

    vector: np.ndarray
    host_window: HostWindow

    def entries(self, _: int) -> np.ndarray:
        return self.vector

    def start(self, _: int) -> int:
        return self.host_window.start

    def flows(self, _: int) -> int:
        return self.host_window.flows

    def letters(self, _: Sequence[int]) -> list[bytes]:
        return [self.host_window.letters]

    def window(self, _: int) -> HostWindow:
        return self.host_window


def stationary(hosts: int, windows: int, seed: int, *, together: bool = False) -> Iterator[ClosedWindow]:
    """Window after window of hosts that each keep a level and a spread; each at a row of its own, or all `together`."""
    draw = np.random.default_rng(seed)
    level = draw.normal(4, 2, (hosts, len(FEATURES)))
    spread = draw.uniform(0.1, 1.0, (hosts, 1))
    for k in range(windows):
        vectors = level + spread * draw.standard_t(5, level.shape)
        for h in range(hosts):
            yield closed(k * hosts + 1 + h * (not together), f"10.0.1.{h}", vectors[h], START + k * 300 * SECOND)
