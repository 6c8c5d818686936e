"""How right the engine decides: official splits, few verdicts, cold starts, harmless days. One document.

Every part prints its protocol. CPU seconds are of this process and its children (`resource`), not of the wall.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench import coldstart, streams, unsupervised

Part = Callable[[Path, int], dict[str, float]]


def cold(folder: Path, seed: int) -> dict[str, float]:
    """The program on unseen captures and harmless days, in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        return coldstart.measure(folder, Path(scratch), seed)


def rules(folder: Path, seed: int) -> dict[str, float]:
    """Sigma rules times rows a second; nothing where that benchmark is not installed."""
    if find_spec("bench.rules") is None:
        return {}
    found = import_module("bench.rules").measure(folder / "sigma-network", seed=seed)["figures"]
    return {f"sigma_{name}": figure for name, figure in found.items()}


PARTS: Final[dict[str, Part]] = {
    "unsupervised": unsupervised.measure,
    "nsl": streams.measure_nsl,
    "unsw": streams.measure_unsw,
    "cold": cold,
    "rules": rules,
}
"""What can be measured, in order; each gives figures by name."""

PROTOCOL: Final = "; ".join((unsupervised.PROTOCOL, streams.PROTOCOL, coldstart.PROTOCOL))


def measure(
    data_folder: Path,
    seed: int,
    parts: tuple[str, ...] = tuple(PARTS),
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Figures, protocol and seed: the JSON contract of `bench detection`.

    Args:
        data_folder: holds nsl-kdd, unsw-nb15 and zeek.
        seed: of splits, shuffles, models and generated days.
        parts: names from `PARTS`.
        tell: is told what is measured next.

    Raises:
        DataMissing: a data set is not there.
    """
    figures: dict[str, float] = {}
    for name in parts:
        tell(f"measuring {name}")
        before = _cpu()
        figures |= PARTS[name](data_folder, seed)
        figures[f"{name}_cpu_seconds"] = round(_cpu() - before, 1)
    return {
        "name": "detection",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"NSL-KDD, UNSW-NB15, ctu-sme-11-win from {data_folder.name}; generated days; seed {seed}",
        "seed": seed,
    }


def _cpu() -> float:
    """CPU seconds that this process and its ended children have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
