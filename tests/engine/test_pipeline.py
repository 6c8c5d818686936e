"""The pipeline says the same however the stream is cut, wherever it is stopped, and in whichever process."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from bench.story.play import write_day
from domain.sighting import Sighting
from domain.thresholds import LimitThresholds, Thresholds
from engine.frame import Frame
from engine.pipeline import Pipeline, StateRefused
from engine.sensed import Sensed
from tests.data import ROOT
from tests.engine.reader import read
from tests.engine.rows import CLIENT, SERVER, Rows

ALL = ("scan", "guessing", "beacon", "exfiltration", "flood", "dns-tunnel", "generated-domains", "vertical-scan")
Told = tuple[list[Sighting], list[Any], list[Any]]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Frame:
    """The rows of a small office's hours with every attack in them, one after the other."""
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, seed=5, hosts=4, hours=4.0, attacks=ALL)
    return read(f"zeek:{folder}/zeek")


def told(parts: list[Sensed]) -> Told:
    return (
        [s for part in parts for s in part.sightings],
        [n for part in parts for n in part.notices],
        [s for part in parts for s in part.scores],
    )


def cut(frame: Frame, size: int) -> list[Frame]:
    return [frame.slice(start, start + size) for start in range(0, len(frame), size)]


@pytest.fixture(scope="module")
def whole(day: Frame) -> Told:
    return told([Pipeline(Thresholds()).sense(day)])


def test_the_day_holds_decisions_of_every_kind(whole: Told):
    assert len({s.kind for s in whole[0] if s.score >= 1} - {"anomaly"}) == 8


def test_sightings_come_in_row_order(whole: Told):
    rows = [s.row for s in whole[0]]
    assert rows == sorted(rows)


@pytest.mark.parametrize("size", [7, 1000])
def test_the_cut_into_frames_changes_nothing(day: Frame, whole: Told, size: int):
    pipeline = Pipeline(Thresholds())
    assert told([pipeline.sense(part) for part in cut(day, size)]) == whole


def test_single_rows_say_what_the_whole_says(day: Frame):
    few = day.slice(0, 4000)
    pipeline = Pipeline(Thresholds())
    assert told([pipeline.sense(part) for part in cut(few, 1)]) == told([Pipeline(Thresholds()).sense(few)])


def test_a_dump_and_load_anywhere_changes_nothing(day: Frame, whole: Told):
    pipeline, parts = Pipeline(Thresholds()), []
    for part in cut(day, 3001):
        parts.append(pipeline.sense(part))
        state, pipeline = pipeline.dump(), Pipeline(Thresholds())
        pipeline.load(state)
        assert pipeline.dump() == state
    assert told(parts) == whole


def test_the_hash_seed_changes_nothing():
    script = (
        "from tests.engine.test_pipeline import small_day\n"
        "from engine.pipeline import Pipeline\nfrom domain.thresholds import Thresholds\nfrom hashlib import sha256\n"
        "p = Pipeline(Thresholds())\ns = p.sense(small_day())\n"
        "print(len(s.sightings), sha256(repr(s.sightings).encode()).hexdigest(), sha256(p.dump()).hexdigest())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
            capture_output=True, text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }  # fmt: skip
    assert len(said) == 1
    assert not said.pop().startswith("0 ")


def small_day() -> Frame:
    """Scans, a beacon and a flood from many hosts."""
    rows = Rows()
    for n in range(400):
        rows.add(n * 60, src_bytes=500, src_ip=f"10.0.0.{n % 2 + 3}", dst_ip=f"203.0.113.{n % 2 + 1}")
        rows.fail(n * 60 + 1, dst_ip=f"198.51.100.{n % 250 + 1}", dst_port=22 + n % 2)
        rows.fail(n * 60 + 2, src_ip=f"198.51.100.{n % 250 + 1}", dst_ip=SERVER, dst_port=n + 1)
    return rows.frame()


def test_rows_with_a_status_and_late_rows_are_not_judged():
    rows = Rows().add(20_000)
    for n in range(30):
        rows.fail(n, dst_ip=f"198.51.100.{n + 1}", dst_port=445)
        rows.fail(20_001 + n, dst_ip=f"198.51.100.{n + 1}", dst_port=446, status="malformed: made so")
    frame = rows.frame()
    assert sum(frame.late) == 30
    assert Pipeline(Thresholds()).sense(frame).sightings == []


def test_memory_is_bounded_and_forgets_the_coldest():
    limits = LimitThresholds(entities=50, members=64)
    pipeline, rows = Pipeline(Thresholds(limits=limits)), Rows()
    for n in range(3000):
        rows.fail(n, src_ip=f"198.51.{n % 250}.{n // 250 + 1}", dst_ip=SERVER, dst_port=n + 1)
        rows.fail(n, dst_ip=f"198.51.{n % 250}.{n // 250 + 1}", dst_port=445)
    found = pipeline.sense(rows.frame()).sightings
    memories = [getattr(behaviour, "memory", None) for behaviour in pipeline._here._behaviours]
    assert all(len(memory) <= 50 for memory in memories)
    assert sum(memory.evicted for memory in memories) > 1000
    assert sum(pipeline.evicted.values()) == sum(memory.evicted for memory in memories)
    assert any(s.entity == CLIENT and s.score >= 1 for s in found), "the warm entity is not forgotten"


def test_a_state_of_other_rules_or_a_damaged_one_is_refused():
    state = Pipeline(Thresholds()).dump()
    fewer = Pipeline(Thresholds(), behaviours=[])
    assert fewer.rules_version != Pipeline(Thresholds()).rules_version
    for data in (state, state[:-9], b"", b"nonsense"):
        with pytest.raises(StateRefused, match="remove the snapshot"):
            fewer.load(data)


def test_thresholds_are_settings():
    rows = Rows()
    for n in range(6):
        rows.fail(n, dst_ip=f"198.51.100.{n + 1}", dst_port=445)
    defaults = Thresholds()
    low = replace(defaults, horizontal_scan=replace(defaults.horizontal_scan, hosts=5))
    assert [s.score for s in Pipeline(low).sense(rows.frame()).sightings] == [0.6, 1.0]
    assert [s.score for s in Pipeline(defaults).sense(rows.frame()).sightings] == [0.5]


def test_fields_of_any_type_and_size_neither_stop_the_pipeline_nor_spoil_its_state():
    dice, rows = random.Random(1), Rows()
    junk = [None, [], {}, -1, 2**70, float("nan"), "x" * 5000, "..", "a..b", "\x00", True, ["a"], "é.com", "²"]
    names = ("query", "rcode_name", "rcode", "qtype_name", "auth_success", "auth_attempts", "result", "username")
    for _ in range(5000):
        detail = {name: dice.choice(junk) for name in (*names, "status_code", "host")}
        detail |= {"method": "CONNECT", "uri": dice.choice(("x:443", "x:²", "x:99999999999999999999", 7, None))}
        rows.add(
            dice.uniform(0, 8000), log=dice.choice(("conn", "dns", "ssh", "rdp", "http")), detail=detail,
            src_ip=dice.choice(("", "10.0.0.1", "x", "1.2.3.4", "::1", "fe80::1%eth0", "10.0.0.1/8")),
            dst_ip=dice.choice(("", "8.8.8.8", "10.0.0.2", "ff02::1")), dst_port=dice.choice((0, 22, 80, 70_000)),
            proto=dice.choice(("tcp", "udp", "icmp", "", "arp")), src_bytes=dice.choice((0, 10**9, 2**62)),
            dst_bytes=dice.choice((0, 7, 2**62)), conn_state=dice.choice(("S0", "SF", "", "XX", "OTH")),
        )  # fmt: skip
    pipeline, again = Pipeline(Thresholds()), Pipeline(Thresholds())
    found = pipeline.sense(rows.frame()).sightings
    again.load(pipeline.dump())
    assert again.dump() == pipeline.dump()
    assert found
    assert all(math.isfinite(s.score) for s in found)
