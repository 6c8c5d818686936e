"""How long a decision takes: the whole pipeline, both processes, over one micro-batch after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from adapters.feeds import open_telemetry, parse_spec
from adapters.rulebook import Rulebook
from bench.story import write_flows
from config.settings import Settings
from engine.frame import Frame
from engine.sensed import Sensed
from scheduler.hunt import new_pipeline

BATCH: Final = 1_000
WARM: Final = 100
"""Batches before the first that counts: kernels, models and memories are there by then."""

SINGLES: Final = 3_000

PROTOCOL: Final = (
    "latency: generated flows through Pipeline.sense (all behaviours, shipped rules, features and models, both "
    f"processes) in batches of {BATCH:,}, the first {WARM} not counted, then {SINGLES:,} flows one by one; wall time"
)


def measure(folder: Path, *, rows: int, seed: int) -> dict[str, float]:
    """Milliseconds of a micro-batch (p50, p95, p99) and of a single flow (p50, p95)."""
    folder.mkdir(parents=True)
    write_flows(folder / "conn.log", rows=rows, seed=seed)
    telemetry = open_telemetry([parse_spec(f"zeek:{folder}")], follow=False, batch_rows=BATCH)
    pipeline = new_pipeline(Settings(), Rulebook().load())
    batches: list[float] = []
    singles: list[float] = []
    try:
        for pulse in telemetry.pulses():
            for frame in pulse.frames.values():
                if len(batches) < rows // BATCH - SINGLES // BATCH:
                    batches.append(_timed(pipeline.sense, frame))
                else:
                    singles += [_timed(pipeline.sense, frame.slice(k, k + 1)) for k in range(len(frame))]
    finally:
        pipeline.close()
        telemetry.close()
    return _percentiles("batch", batches[WARM:], (50, 95, 99)) | _percentiles("single_flow", singles, (50, 95))


def _timed(sense: Callable[[Frame], Sensed], frame: Frame) -> float:
    began = perf_counter()
    sense(frame)
    return perf_counter() - began


def _percentiles(name: str, seconds: list[float], shares: tuple[int, ...]) -> dict[str, float]:
    return {f"latency_{name}_p{p}_ms": round(float(np.percentile(seconds, p)) * 1e3, 2) for p in shares}
