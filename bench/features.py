"""How fast host windows take rows in, and how flat their memory is: generated rows, each measure in a fresh process."""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bench.story.day import START
from bench.story.flows import MIX
from domain.anomaly_limits import AnomalyLimits
from domain.values import SECOND
from engine.features.windows import HostWindows
from engine.frame import COLUMNS, Coded, Frame

PROTOCOL: Final = (
    "rows of the mix of `bench.story.flows`, 25 a second of event time, in frames whose columns are arrays (`arrays`: "
    "made by the feed) or lists (`lists`: made here); CPU seconds of HostWindows.feed alone, kernels compiled before, "
    "median of 3 rounds; hosts: 2 rows of each of a million inside hosts in 60 windows, peak RSS of the whole process "
    "as the kernel counts it, Python, numpy and numba included"
)
LOCAL: Final = ("10.0.0.0/8",)
ROUNDS: Final = 3
CLIENTS: Final = 1_900
WINDOWS: Final = 60
SPEED, HOSTS = "speed", "hosts"


def measure(*, rows: int, hosts: int, seed: int) -> dict[str, Any]:
    """Figures of the host windows, in the form of `bench throughput`."""
    figures = _apart(SPEED, rows, seed) | _apart(HOSTS, hosts, seed)
    return {
        "name": "features",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"generated rows, seed {seed}: {rows} of {CLIENTS} hosts, {2 * hosts} of {hosts} hosts",
    }


def _apart(what: str, size: int, seed: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        __name__ if __name__ != "__main__" else "bench.features",
        what,
        str(size),
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def speed(rows: int, seed: int) -> dict[str, float]:
    """Rows per CPU second, by the size of the frames and the form of their columns."""
    figures: dict[str, float] = {}
    for size in (1_000, 60_000):
        for form in ("arrays", "lists"):
            _feed(HostWindows(AnomalyLimits(), LOCAL), frames(min(rows, 20_000), size, seed, form))
            seconds = []
            for _ in range(ROUNDS):
                given = list(frames(rows, size, seed, form))
                gc.collect()
                gc.freeze()  # the input is not part of the work
                seconds.append(_feed(HostWindows(AnomalyLimits(), LOCAL), given))
                gc.unfreeze()
            figures[f"{form}_of_{size}_rows_per_second"] = round(rows / float(np.median(seconds)))
            figures[f"{form}_of_{size}_us_a_row"] = round(float(np.median(seconds)) / rows * 1e6, 3)
    return figures


def many_hosts(hosts: int, seed: int) -> dict[str, float]:
    """Peak memory over a stream of so many distinct hosts."""
    windows = HostWindows(AnomalyLimits(), LOCAL)
    before, dumped, seconds = _rss(), 0, 0.0
    rng = np.random.default_rng(seed)
    numbers = np.repeat(rng.permutation(hosts), 2)
    chunk, step = 10_000, WINDOWS * 300 / len(numbers)
    for begin in range(0, len(numbers), chunk):
        src = numbers[begin : begin + chunk]
        ts = START + ((begin + np.arange(len(src))) * step * SECOND).astype(np.int64)
        seconds += _feed(windows, [frame_of(begin, ts, src, rng)])
        if begin % (chunk * 50) == 0:
            dumped = max(dumped, len(windows.dump()))
    return {
        "hosts": hosts,
        "hosts_us_a_row": round(seconds / len(numbers) * 1e6, 3),
        "hosts_peak_rss_mib": round(_rss()),
        "hosts_rss_before_mib": round(before),
        "hosts_largest_dump_mib": round(dumped / 2**20, 1),
        **{f"hosts_{name}": count for name, count in windows.counters.items()},
    }


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _feed(windows: HostWindows, given: Any) -> float:
    began = 0.0
    for frame in given:
        started = time.process_time()
        windows.feed(frame)
        began += time.process_time() - started
    return began


def frames(rows: int, size: int, seed: int, form: str) -> Iterator[Frame]:
    """The traffic of an office's day in frames of `size`."""
    rng = np.random.default_rng(seed)
    for begin in range(0, rows, size):
        count = min(size, rows - begin)
        ts = START + ((begin + np.arange(count)) / 25 * SECOND).astype(np.int64)
        frame = frame_of(begin, ts, rng.integers(0, CLIENTS, count), rng)
        if form == "lists":
            frame.arrays.clear()
        yield frame


def frame_of(begin: int, ts: np.ndarray[Any, Any], src: np.ndarray[Any, Any], rng: np.random.Generator) -> Frame:
    """Rows of the hosts `src` at `ts`, of the usual mix, as lists and as arrays."""
    n = len(ts)
    kind = rng.choice(len(MIX), n, p=[share for share, *_ in MIX])
    outside = np.array([mix[1] == "client-peer" for mix in MIX])[kind]
    peer = np.where(outside, rng.zipf(1.3, n) % 20_000 + 1_000_000, rng.integers(0, 100, n) + 2_000_000)
    columns: dict[str, Any] = {name: [""] * n for name in COLUMNS}
    number = begin + 1 + np.arange(n)
    numbers = {
        "row": number, "order": number, "clock": ts, "ts": ts, "late": np.zeros(n, bool), "size": np.full(n, 120),
        "src_port": rng.integers(1024, 65_536, n), "dst_port": np.array([mix[2] for mix in MIX])[kind],
        "duration": rng.exponential(3.0, n), "src_bytes": _sizes(rng, kind, 5), "dst_bytes": _sizes(rng, kind, 6),
        "src_pkts": rng.integers(1, 30, n), "dst_pkts": rng.integers(0, 30, n),
    }  # fmt: skip
    texts = {
        "src_ip": _coded(src, "10.{}.{}.{}"), "dst_ip": _coded(peer, "93.{}.{}.{}", "10.{}.{}.{}"),
        "proto": Coded(kind.astype(np.int32), [mix[3] for mix in MIX]),
        "service": Coded(kind.astype(np.int32), [mix[4] for mix in MIX]),
        "conn_state": Coded((rng.random(n) < 0.05).astype(np.int32), ["SF", "S0"]),
        "status": Coded(np.zeros(n, np.int32), [""]), "log": Coded(np.zeros(n, np.int32), ["conn"]),
    }  # fmt: skip
    texts["proto"], texts["service"] = (_merged(texts[name]) for name in ("proto", "service"))
    columns |= {name: values.tolist() for name, values in numbers.items()}
    columns |= {name: [coded.values[code] for code in coded.codes.tolist()] for name, coded in texts.items()}
    columns["raw"] = [b"%d\t%d" % (row, row * 7919) * 6 for row in number.tolist()]
    frame = Frame(**columns)
    frame.arrays |= numbers | texts
    return frame


def _merged(coded: Coded) -> Coded:
    """The same column with distinct values."""
    values = list(dict.fromkeys(coded.values))
    return Coded(np.array([values.index(value) for value in coded.values], np.int32)[coded.codes], values)


def _coded(numbers: np.ndarray[Any, Any], form: str, inside: str = "") -> Coded:
    """Addresses by number; those from two million on in the form of inside hosts, if there is one."""
    distinct, codes = np.unique(numbers, return_inverse=True)
    forms = [inside if inside and number >= 2_000_000 else form for number in distinct.tolist()]
    values = [
        form.format(number >> 16 & 255, number >> 8 & 255, number & 255)
        for form, number in zip(forms, distinct.tolist(), strict=True)
    ]
    return Coded(codes.astype(np.int32), values)


def _sizes(rng: np.random.Generator, kind: np.ndarray[Any, Any], column: int) -> np.ndarray[Any, Any]:
    medians = np.array([mix[column] for mix in MIX], float)[kind]
    sizes: np.ndarray[Any, Any] = (medians * rng.lognormal(0.0, 0.8, len(kind))).astype(np.int64)
    return sizes


def main() -> None:
    """All figures; with arguments, one of the two measures in this process."""
    if len(sys.argv) > 1:
        what, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        figures = {SPEED: speed, HOSTS: many_hosts}[what](size, seed)
        sys.stdout.write(json.dumps(figures))
    else:
        sys.stdout.write(json.dumps(measure(rows=300_000, hosts=1_000_000, seed=1), indent=2) + "\n")


if __name__ == "__main__":
    main()
