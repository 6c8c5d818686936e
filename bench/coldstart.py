"""Cold start: the whole program on captures and days that it has never seen, nothing trained before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.story import FLAVOURS, write_day
from bench.tables import DataMissing

CTU_INFECTED: Final = frozenset({"192.168.1.107"})
BENIGN_DAYS: Final = 10
HOSTS: Final = 24
HOURS: Final = 9.0

PROTOCOL: Final = (
    "cold start: `myrmidon run --until-eof` in a fresh home, nothing trained before; accused are the entities of its "
    "incidents; truth of ctu-sme-11-win is its infected host, of the UNSW-NB15 raw rows every source address with a "
    f"labelled attack. Benign days: {BENIGN_DAYS} generated days ({HOSTS} people, {HOURS:g} h), flavours in turn, "
    "seeds from the one given, under the shipped rules and sigma-network, where it is there; every incident is false"
)


def measure(folder: Path, scratch: Path, seed: int) -> dict[str, float]:
    """Precision and recall by host on real captures; incidents on harmless days."""
    ctu = folder / "zeek" / "ctu-sme-11-win" / "zeek-labeled"
    unsw = folder / "unsw-nb15" / "UNSW-NB15_1_first20001.parquet"
    figures = _rates("cold_ctu_sme_11", _accused(scratch / "ctu", f"zeek:{ctu}"), CTU_INFECTED)
    figures |= _rates("cold_unsw_raw", _accused(scratch / "unsw", f"parquet:{unsw}"), _attackers(unsw))
    public = folder / "sigma-network"
    rules = {"MYRMIDON_RULES__DIR": str(public)} if public.is_dir() else {}
    incidents = anomalies = 0
    for day in range(BENIGN_DAYS):
        place = scratch / f"day-{day}"
        flavour = list(FLAVOURS)[day % len(FLAVOURS)]
        write_day(place, seed=seed + 100 + day, hosts=HOSTS, hours=HOURS, attacks=(), flavour=flavour)
        incidents += len(_accused(place / "home", f"zeek:{place / 'zeek'}", **rules))
        threats = _myrmidon(place / "home", "threats", "list", "--limit", "1000")
        anomalies += sum(threat["kind"] == "anomaly" for threat in threats)
    return figures | {"benign_days_false_incidents": incidents, "benign_days_low_risk_anomalies": anomalies}


def _rates(name: str, accused: set[str], guilty: set[str] | frozenset[str]) -> dict[str, float]:
    hit = len(accused & guilty)
    return {
        f"{name}_precision": round(hit / len(accused), 4) if accused else 0.0,
        f"{name}_recall": round(hit / len(guilty), 4),
    }


def _attackers(path: Path) -> set[str]:
    import pyarrow.parquet as pq

    if not path.exists():
        raise DataMissing(f"{path}: no such data set; give the folder that holds it with --data")
    table = pq.read_table(path, columns=["srcip", "Label"])
    labels = np.array(table["Label"].to_pylist()).astype(int)
    return {ip for ip, label in zip(table["srcip"].to_pylist(), labels, strict=True) if label}


def _accused(home: Path, feed: str, **settings: str) -> set[str]:
    """The entities of the incidents that a run over a feed opens."""
    _myrmidon(home, "run", "--feed", feed, "--until-eof", **settings)
    incidents = _myrmidon(home, "incidents", "list", "--limit", "1000")
    return {entity for each in incidents if each["status"] != "merged" for entity in each["entities"]}


def _myrmidon(home: Path, *arguments: str, **settings: str) -> Any:
    command = [sys.executable, "-c", "from cli.start import run_program; run_program()"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, "--home", str(home), "--json", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, **settings},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"myrmidon {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)
