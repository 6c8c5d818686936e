"""One big conn.log for measuring throughput: the traffic of 2,000 inside hosts, column by column.

Rules:
    1. The rate (two million rows a day, more by day than by night) and the mix are the same at any number of rows.
    2. Rows stand in the order of their end; memory does not grow with the number of rows.
    3. Some clients scan or call home, so that there is something to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bench.story.day import START
from bench.story.network import public_address
from bench.story.zeek import SCHEMAS, footer, header
from domain.values import DAY, MINUTE, SECOND

Columns = dict[str, np.ndarray[Any, Any]]

ROWS_A_DAY: Final = 2_000_000
CHUNK: Final = 100_000
CLIENTS: Final = 1_900
SERVERS: Final = 100
PEERS: Final = 20_000
BEACONS: Final = 6
SCAN_EVERY: Final = 40 * MINUTE
MIX: Final[tuple[tuple[float, str, int, str, str, int, int, float], ...]] = (
    # share, ends (from-to), port, proto, service, bytes out, bytes back, seconds
    (0.310, "client-resolver", 53, "udp", "dns", 48, 120, 0.02),
    (0.330, "client-peer", 443, "tcp", "ssl", 1_900, 9_000, 9.0),
    (0.060, "client-peer", 443, "udp", "quic", 3_000, 20_000, 12.0),
    (0.070, "client-peer", 80, "tcp", "http", 420, 6_000, 0.4),
    (0.030, "client-resolver", 123, "udp", "ntp", 48, 48, 0.02),
    (0.060, "client-server", 445, "tcp", "gssapi,smb,krb", 9_000, 40_000, 30.0),
    (0.040, "client-server", 88, "tcp", "krb_tcp", 1_500, 1_600, 0.02),
    (0.030, "client-server", 389, "tcp", "ldap_tcp", 4_000, 8_000, 3.0),
    (0.030, "client-server", 993, "tcp", "ssl", 900, 6_000, 1.0),
    (0.004, "client-server", 22, "tcp", "ssh", 6_000, 30_000, 300.0),
    (0.003, "client-peer", 5228, "tcp", "ssl", 9_000, 20_000, 3_000.0),
    (0.020, "client-peer", 443, "tcp", "-", 0, 0, 0.05),
    (0.013, "client-server", 5432, "tcp", "-", 1_500, 20_000, 1.0),
)
"""The mix of the traffic; sizes and durations are medians of log-normal laws."""
STATES: Final = (("SF", 0.90), ("RSTO", 0.04), ("RSTR", 0.03), ("S1", 0.02), ("S0", 0.01))
HISTORY: Final = ("ShADadFf", "ShADadR", "ShADadr", "ShADad", "S", "Dd")
S0: Final = 4
UDP: Final = 5
NO_SERVICE: Final = next(row for row, kind in enumerate(MIX) if kind[4] == "-" and kind[2] == 443)
WEB: Final = 1
LETTERS: Final = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzxy", dtype=np.uint8)


def write_flows(path: Path, *, rows: int, seed: int) -> None:
    """Write a conn.log of `rows` rows; its events span `rows` / 2,000,000 days."""
    rng = np.random.Generator(np.random.PCG64(seed))
    pool = _addresses(seed)
    closed = START + DAY * max(1, rows) // ROWS_A_DAY
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with path.open("wb") as file:
        file.write(header("conn", START).encode())
        for columns in _in_order_of_end(_chunks(rng, rows)):
            csv.write_csv(_table(rng, columns, pool), file, options)
        file.write(footer(closed).encode())


def _addresses(seed: int) -> pa.Array:
    clients = [f"10.50.{1 + i // 250}.{2 + i % 250}" for i in range(CLIENTS)]
    servers = [f"10.50.0.{2 + i}" for i in range(SERVERS)]
    numbers = np.random.Generator(np.random.PCG64(seed + 1)).integers(0, 2**32, PEERS).tolist()
    scanned = [f"10.50.77.{1 + i}" for i in range(254)]
    return pa.array([*clients, *servers, *(public_address(number) for number in numbers), *scanned])


def _chunks(rng: np.random.Generator, rows: int) -> Iterator[Columns]:
    """Rows in the order of their beginning, `CHUNK` at a time."""
    hours = np.arange(0, 25 * 40 * 24 + 1) / 24.0
    rate = 1.0 + 0.6 * np.sin((hours % 24 - 2.0) / 24 * 2 * np.pi)
    reached = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2)]) / 24 / 24 * ROWS_A_DAY
    weights = {
        "client": _zipf(CLIENTS, 0.4),
        "server": _zipf(SERVERS, 0.9),
        "peer": _zipf(PEERS, 1.05),
        "resolver": _zipf(2, 0.5),
    }
    done, work = 0, 0.0
    while done < rows:
        count = min(CHUNK, rows - done)
        steps = work + np.cumsum(rng.standard_exponential(count))
        done, work = done + count, float(steps[-1])
        ts = START + (np.interp(steps, reached, hours) * 3600 * SECOND).astype(np.int64)
        columns = _background(rng, ts, weights)
        _beacons(rng, columns)
        _scans(rng, columns)
        yield columns


def _background(rng: np.random.Generator, ts: np.ndarray[Any, Any], weights: Columns) -> Columns:
    count = len(ts)
    kind = np.searchsorted(np.cumsum([row[0] for row in MIX])[:-1], rng.random(count), side="right")
    first = {"client": 0, "server": CLIENTS, "resolver": CLIENTS, "peer": CLIENTS + SERVERS}
    ends = [row[1].split("-") for row in MIX]
    src = np.searchsorted(weights["client"], rng.random(count))
    dst = np.zeros(count, dtype=np.int64)
    for to, begin in first.items():
        of = np.array([end[1] == to for end in ends])[kind]
        dst[of] = begin + np.searchsorted(weights[to], rng.random(int(of.sum())))
    udp = np.array([row[3] == "udp" for row in MIX])[kind]
    state = np.searchsorted(np.cumsum([share for _, share in STATES])[:-1], rng.random(count), side="right")
    state = np.where(udp, 0, np.where(kind == NO_SERVICE, S0, state))
    silent = state == S0
    sizes = {}
    for name, place, sigma in (("out", 5, 0.9), ("back", 6, 1.4)):
        median = np.array([row[place] for row in MIX], dtype=float)[kind]
        sizes[name] = np.where(silent, 0, median * np.exp(sigma * rng.standard_normal(count))).astype(np.int64)
    ntp = np.array([row[4] == "ntp" for row in MIX])[kind]
    seconds = np.array([row[7] for row in MIX])[kind] * np.exp(0.8 * rng.standard_normal(count))
    return {
        "ts": ts,
        "src": src,
        "dst": dst,
        "sport": np.where(ntp, 123, rng.integers(32768, 65536, count)),
        "dport": np.array([row[2] for row in MIX])[kind],
        "kind": kind,
        "state": state,
        "udp": udp,
        "out": np.where(ntp, 48, sizes["out"]),
        "back": np.where(ntp, 48, sizes["back"]),
        "duration": np.where(silent, 0, seconds * SECOND).astype(np.int64),
    }


def _zipf(count: int, power: float) -> np.ndarray[Any, Any]:
    weight = 1.0 / np.arange(1, count + 1) ** power
    reached = np.cumsum(weight)
    return np.asarray(reached / reached[-1])


def _beacons(rng: np.random.Generator, columns: Columns) -> None:
    """Some clients call one outside host every minute, ±5 %: the row nearest to each beat becomes theirs."""
    ts = columns["ts"].copy()
    for number in range(BEACONS):
        beats = np.arange(ts[0] // MINUTE + 1, ts[-1] // MINUTE) * MINUTE + number * 7 * SECOND
        beats = beats + ((rng.random(len(beats)) - 0.5) * 3 * SECOND).astype(np.int64)
        at = np.minimum(np.searchsorted(ts, beats), len(ts) - 1)
        _overwrite(columns, at, beats, src=97 * number + 11, dst=CLIENTS + SERVERS + PEERS - 1 - number, kind=WEB)
        columns["out"][at] = rng.integers(800, 900, len(at))
        columns["back"][at] = rng.integers(3600, 3700, len(at))
        columns["duration"][at] = SECOND // 4


def _scans(rng: np.random.Generator, columns: Columns) -> None:
    """Now and then a client tries port 445 of a whole /24 within a few minutes."""
    ts = columns["ts"].copy()
    for begin in np.arange(ts[0] // SCAN_EVERY + 1, ts[-1] // SCAN_EVERY + 1) * SCAN_EVERY:
        times = begin + np.arange(254) * SECOND // 2
        times = times[times < ts[-1]]
        at = np.searchsorted(ts, times)
        _overwrite(
            columns, at, times, src=int(rng.integers(0, CLIENTS)), dst=CLIENTS + SERVERS + PEERS, kind=NO_SERVICE
        )
        columns["dst"][at] += np.arange(len(at))
        columns["dport"][at] = 445
        columns["state"][at] = S0
        for name in ("out", "back", "duration"):
            columns[name][at] = 0


def _overwrite(
    columns: Columns, at: np.ndarray[Any, Any], ts: np.ndarray[Any, Any], *, src: int, dst: int, kind: int
) -> None:
    for name, value in (("ts", ts), ("src", src), ("dst", dst), ("kind", kind), ("state", 0), ("udp", False)):
        columns[name][at] = value
    columns["dport"][at] = MIX[kind][2]


def _in_order_of_end(chunks: Iterator[Columns]) -> Iterator[Columns]:
    """Hold back the rows that are not over when the next chunk begins."""
    kept: Columns = {}
    for chunk in chunks:
        both = {name: np.concatenate([kept[name], column]) for name, column in chunk.items()} if kept else chunk
        end = both["ts"] + both["duration"]
        order = np.argsort(end, kind="stable")
        cut = int(np.searchsorted(end[order], chunk["ts"].max(), side="right"))
        yield {name: column[order[:cut]] for name, column in both.items()}
        kept = {name: column[order[cut:]] for name, column in both.items()}
    if kept:
        yield kept


def _table(rng: np.random.Generator, columns: Columns, pool: pa.Array) -> pa.Table:
    """The columns of conn.log, as text where Zeek writes `-`."""
    count, silent, udp = len(columns["ts"]), columns["state"] == S0, columns["udp"]
    inside = columns["dst"] < CLIENTS + SERVERS
    inside |= columns["dst"] >= CLIENTS + SERVERS + PEERS
    frame = np.where(udp, 28, 40)
    out_pkts = np.where(udp, 1, np.where(silent, 1, 4)) + columns["out"] // 1400
    back_pkts = np.where(silent, 0, np.where(udp, 1, 3)) + columns["back"] // 1400
    text = {
        "proto": [row[3] for row in MIX],
        "service": [row[4] for row in MIX],
    }
    named = {name: pa.array(values).take(pa.array(columns["kind"])) for name, values in text.items()}
    history = np.where(udp, UDP, columns["state"])
    dash = pa.array(["-"]).take(pa.array(np.zeros(count, dtype=np.int64)))
    true = pa.array(["T"]).take(pa.array(np.zeros(count, dtype=np.int64)))
    arrays = (
        _decimal(columns["ts"]),
        _uids(rng, count),
        pool.take(pa.array(columns["src"])),
        columns["sport"],
        pool.take(pa.array(columns["dst"])),
        columns["dport"],
        named["proto"],
        named["service"],
        _or_dash(_decimal(columns["duration"]), silent),
        _or_dash(pa.array(columns["out"]), silent),
        _or_dash(pa.array(columns["back"]), silent),
        pa.array([name for name, _ in STATES]).take(pa.array(columns["state"])),
        true,
        pa.array(["F", "T"]).take(pa.array(inside.astype(np.int64))),
        np.zeros(count, dtype=np.int64),
        pa.array(HISTORY).take(pa.array(history)),
        out_pkts,
        columns["out"] + out_pkts * frame,
        back_pkts,
        columns["back"] + back_pkts * frame,
        dash,
    )
    names = [item.split(":", 1)[0] for item in SCHEMAS["conn"].split()]
    return pa.table(dict(zip(names, arrays, strict=True)))


def _decimal(micros: np.ndarray[Any, Any]) -> pa.Array:
    """Seconds with six places, exact."""
    wide = np.zeros((len(micros), 2), dtype=np.int64)
    wide[:, 0] = micros
    return pa.Array.from_buffers(pa.decimal128(18, 6), len(micros), [None, pa.py_buffer(wide)])


def _or_dash(values: pa.Array, unset: np.ndarray[Any, Any]) -> pa.Array:
    return pc.if_else(pa.array(unset), "-", pc.cast(values, pa.string()))


def _uids(rng: np.random.Generator, count: int) -> pa.Array:
    letters = LETTERS[rng.integers(0, 64, (count, 18), dtype=np.uint8)]
    letters[:, 0] = ord("C")
    offsets = np.arange(count + 1, dtype=np.int32) * 18
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(letters)])
