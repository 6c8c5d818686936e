"""How fast alerts arrive, how many threats a minute they keep up with, and what a flood does to them.

Every part sends to a webhook receiver in a process of its own, over real HTTP, from a real log on disk.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from adapters.log import open_log
from adapters.notify import make_channel
from agents.responder.policy import Policy
from bench.views import START
from config.alerts import AlertSettings
from domain.facts.alert import AlertDelivered, AlertRouted
from domain.facts.threat import ThreatDetected
from domain.journal import Draft, Journal, follow
from domain.values import SECOND, event_id, level_of, threat_id
from scheduler.bootstrap import wall_clock
from scheduler.delivery import Delivery
from scheduler.intake import intake

PARTS: Final = ("live", "sustained", "flood")

PROTOCOL: Final = (
    "live: a daemon follows a Zeek log to which scans of new hosts are appended, one every 250 ms; latency is from the "
    "moment the log recorded the threat to the moment a webhook receiver in another process had the whole alert. "
    "sustained: threats of as many hosts are recorded 500 at a time and taken in, routed and delivered by one process "
    "as fast as it can; threats a minute by wall and by CPU time of that process (recording the threats included), and "
    "its resident memory after the first quarter and at the end. flood: as many threats are recorded within a minute, "
    "one in a thousand critical, while the same process takes them in, routes them and begins to deliver; recorded is "
    "when the last one stood in the log, delivered when the last alert had arrived; lost is what was routed and never "
    "arrived, or never routed; the latency of critical ones as above. "
    "Wall-clock figures need an idle machine"
)


def measure(folder: Path, *, parts: tuple[str, ...], threats: int, flood: int, live: int) -> dict[str, Any]:
    """The figures of the parts, the JSON contract of a benchmark."""
    figures: dict[str, float] = {}
    if "live" in parts:
        figures |= live_latency(folder / "live", incidents=live)
    if "sustained" in parts:
        figures |= sustained(folder / "sustained", threats=threats)
    if "flood" in parts:
        figures |= flooded(folder / "flood", threats=flood)
    return {
        "name": "alerts",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"generated: {live} live incidents, {threats:,} sustained threats, a flood of {flood:,}",
    }


@contextmanager
def receiver(file: Path) -> Iterator[str]:
    """A receiver that writes what comes into `file`; yields its URL."""
    command = [sys.executable, "-m", "bench.receiver", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        if process.stdout is None:
            raise RuntimeError("the receiver has no output")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def arrivals(file: Path) -> dict[str, int]:
    """When each alert arrived first, microseconds, by its key."""
    found: dict[str, int] = {}
    for line in file.read_text().splitlines():
        moment, key, *_ = line.split()
        found.setdefault(key, int(moment))
    return found


def live_latency(folder: Path, *, incidents: int) -> dict[str, float]:
    """Latency in a live daemon over a growing log."""
    folder.mkdir(parents=True)
    log, config, got = folder / "conn.log", folder / "settings.toml", folder / "arrivals"
    log.write_text(_HEADER)
    with receiver(got) as url:
        config.write_text(f'[alerts.channels.hook]\nkind = "webhook"\nurl = "{url}"\nsecret_env = "BENCH_HOOK"\n')
        daemon = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", "from cli.start import run_program; run_program()", "--home", str(folder / "home"),
             "--config", str(config), "run", "--feed", f"zeek:{log}"],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "BENCH_HOOK": "secret"},
        )  # fmt: skip
        try:
            _wait_for((folder / "home" / "log.db").exists, 60)
            time.sleep(5.0)  # imports, kernels
            for number in range(incidents):
                with log.open("a") as file:
                    file.write(_scan(number))
                time.sleep(0.25)
            _wait_for(lambda: len(arrivals(got)) >= incidents, 60)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
    with closing(open_log(str(folder / "home" / "log.db"), lambda: 0)) as journal:
        return _latencies("live", journal, arrivals(got), lambda _: True)


def sustained(folder: Path, *, threats: int) -> dict[str, float]:
    """Threats a minute from the log to the receiver, and memory."""
    with _stage(folder) as (journal, catch_up, delivery, got):
        wall, cpu, early = time.perf_counter(), time.process_time(), 0.0
        for begin in range(0, threats, 500):
            journal.append([_threat(number, 5.0) for number in range(begin, begin + 500)])
            catch_up()
            if not early and begin >= threats // 4:
                early = _rss_mib()
        delivery.drain(600.0)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        late = _rss_mib()
    return {
        "sustained_threats_per_minute_wall": round(threats / wall * 60, 0),
        "sustained_threats_per_minute_cpu": round(threats / cpu * 60, 0),
        "sustained_arrived": len(arrivals(got)),
        "sustained_rss_mib_quarter": early,
        "sustained_rss_mib_end": late,
    }


def flooded(folder: Path, *, threats: int) -> dict[str, float]:
    """A flood within a minute: what was lost, and how long critical alerts took."""
    with _stage(folder) as (journal, catch_up, delivery, got):
        begun, cpu = time.perf_counter(), time.process_time()
        for begin in range(0, threats, 500):
            time.sleep(max(0.0, begun + 60.0 * begin / threats - time.perf_counter()))
            risks = [9.5 if number % 1000 == 999 else 5.0 for number in range(begin, begin + 500)]
            journal.append([_threat(begin + k, risk) for k, risk in enumerate(risks)])
            catch_up()
        recorded, busy = time.perf_counter() - begun, time.process_time() - cpu
        delivery.drain(600.0)
        whole, all_busy = time.perf_counter() - begun, time.process_time() - cpu
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        came = arrivals(got)
        ordered = [each.fact for facts in follow(journal) for each in facts if isinstance(each.fact, AlertRouted)]
        figures = {
            "flood_recorded_seconds": round(recorded, 1),
            "flood_recorded_cpu_seconds": round(busy, 1),
            "flood_delivered_seconds": round(whole, 1),
            "flood_delivered_cpu_seconds": round(all_busy, 1),
            "flood_alerts": len(ordered),
            "flood_lost": sum(str(each.alert) not in came for each in ordered) + threats - len(ordered),
            "flood_delivered_facts": sum(
                isinstance(each.fact, AlertDelivered) for facts in follow(journal) for each in facts
            ),
            "flood_peak_rss_mib": peak,
        }
        return figures | _latencies("flood_critical", journal, came, lambda fact: fact.level == "critical")


@contextmanager
def _stage(folder: Path) -> Iterator[tuple[Journal, Callable[[], None], Delivery, Path]]:
    """A log, the responder's intake, router and delivery as one process runs them, and where arrivals are written."""
    folder.mkdir(parents=True)
    got = folder / "arrivals"
    gc.set_threshold(50_000, 20, 50)  # as a run has it
    os.environ["BENCH_HOOK"] = "secret"
    with receiver(got) as url, closing(open_log(str(folder / "log.db"), wall_clock)) as journal:
        channels = {"hook": {"kind": "webhook", "url": url, "secret_env": "BENCH_HOOK"}}
        settings = AlertSettings.model_validate({"channels": channels})
        made = {name: make_channel(name, each) for name, each in settings.channels.items()}
        taking = intake(journal, Policy())
        delivery = Delivery(journal, settings, made, now=wall_clock)

        def catch_up() -> None:
            taking.catch_up()
            delivery.catch_up()

        yield journal, catch_up, delivery, got
        delivery.close()


def _latencies(
    name: str, journal: Journal, came: dict[str, int], wanted: Callable[[AlertRouted], bool]
) -> dict[str, float]:
    """Milliseconds between the recording of an incident's first threat and the arrival of its first alert."""
    recorded: dict[object, int] = {}
    took: list[float] = []
    for facts in follow(journal):
        for each in facts:
            if isinstance(each.fact, ThreatDetected):
                recorded.setdefault(each.fact.threat, each.recorded_at)
            elif isinstance(each.fact, AlertRouted) and each.fact.trigger == "opened" and wanted(each.fact):
                arrived = came.get(str(each.fact.alert))
                if arrived is not None:
                    took.append((arrived - recorded[each.fact.threats[0]]) / 1e3)
    took.sort()
    if not took:
        raise RuntimeError(f"{name}: no alert arrived")
    return {
        f"{name}_alerts": len(took),
        f"{name}_p50_ms": round(took[len(took) // 2], 1),
        f"{name}_p95_ms": round(took[min(len(took) - 1, int(len(took) * 0.95))], 1),
        f"{name}_max_ms": round(took[-1], 1),
    }


def _threat(number: int, risk: float) -> Draft:
    entity = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    threat = threat_id("bench", entity, "flood", str(number))
    at = START + number * SECOND // 100
    fact = ThreatDetected(
        threat=threat, feed="bench", entity=entity, threat_kind="flood", title=f"{entity} is flooded", score=1.0,
        risk=risk, level=level_of(risk), confidence=0.5, techniques=("T1498",), rules=(), detected_at=at, first_seen=at,
        last_seen=at, peers=(), votes=(), features=(), flow_count=600, flows=(), row=number, detail="",
        model_version="m", rules_version="r", settings_version="s",
    )  # fmt: skip
    stream = f"threat/{threat}"
    return Draft(event_id=event_id(threat, stream, fact.kind), stream=stream, fact=fact, occurred_at=at, actor="bench")


def _scan(number: int) -> str:
    """Rows of a new host that looks for one service."""
    at = 1_700_000_000 + number * 60
    source = f"10.9.{number // 250}.{number % 250 + 1}"
    end = "445\ttcp\t-\t-\t-\t-\tS0\t1\t0\n"
    rows = (f"{at + k}.5\tC{number}x{k}\t{source}\t{40000 + k}\t10.8.{number % 250}.{k + 1}" for k in range(12))
    return "".join(f"{row}\t{end}" for row in rows)


_HEADER: Final = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes"
    "\tconn_state\torig_pkts\tresp_pkts\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tcount\n"
)


def _rss_mib() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


def _wait_for(true: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise RuntimeError("it did not happen in time")
        time.sleep(0.05)
