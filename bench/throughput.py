"""How fast the way of the data is, and how flat its memory: generated flows, each run in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import latency as latency_bench
from bench import log as log_bench
from bench import views as views_bench
from bench.story import write_flows

PROTOCOL = (
    "write_flows(seed) as one Zeek conn.log on disk; `myrmidon run --until-eof` in a fresh process and home a size; "
    "rows/s over the whole run (all detections and the shipped rules, facts, chain and views included); peak RSS as "
    "the kernel counts it, of the main process plus the largest beside it; "
    f"{latency_bench.PROTOCOL}; "
    "log figures are medians of 5 interleaved rounds against the raw database in the same run; "
    "views and replay over a log of 10,000 threats, each continued once"
)


def measure(folder: Path, *, sizes: tuple[int, ...], seed: int, postgres_dsn: str | None = None) -> dict[str, Any]:
    """Figures of the spine, the JSON contract of `bench throughput`."""
    figures: dict[str, float] = {}
    for rows in sizes:
        path = folder / f"flows-{rows}" / "conn.log"
        path.parent.mkdir(parents=True)
        write_flows(path, rows=rows, seed=seed)
        run = _myrmidon(folder / f"home-{rows}", "run", "--feed", f"zeek:{path}", "--until-eof")
        figures[f"run_{rows}_rows_per_second"] = run["flows_per_second"]
        figures[f"run_{rows}_peak_rss_mib"] = run["peak_rss_mib"]
        figures[f"run_{rows}_threats"] = run["threats"]
        figures[f"run_{rows}_incidents"] = run["incidents"]
        path.unlink()
    figures["rss_ratio"] = round(figures[f"run_{sizes[-1]}_peak_rss_mib"] / figures[f"run_{sizes[0]}_peak_rss_mib"], 3)
    started = time.monotonic()
    _myrmidon(folder / f"home-{sizes[0]}", "status")
    figures["status_seconds"] = round(time.monotonic() - started, 3)
    figures |= latency_bench.measure(folder / "latency", rows=200_000, seed=seed)
    figures |= views_bench.measure(folder / "views", threats=10_000)
    figures |= log_bench.measure(folder / "log", events=20_000, postgres_dsn=postgres_dsn, seed=seed)
    return {
        "name": "throughput",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"generated flows, seed {seed}, sizes {list(sizes)}",
    }


def _myrmidon(home: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-c", "from cli.start import run_program; run_program()"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, "--home", str(home), "--json", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"myrmidon {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
