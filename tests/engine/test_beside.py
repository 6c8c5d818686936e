"""Senses in a process of their own give what they give in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest

from bench.story.play import write_day
from domain.anomaly_limits import AnomalyLimits
from domain.thresholds import Thresholds
from engine.beside import Beside, Stopped
from engine.frame import COLUMNS, Frame
from engine.pipeline import Pipeline
from engine.wire import NUMBERS, TEXTS, pack, unpack
from tests.anomaly.stream import LOCAL
from tests.engine.reader import read

LIMITS = AnomalyLimits(window_s=60, warmup_windows=64, min_host_windows=20, calibration_windows=40, fpr=0.05)
SETTINGS = replace(Thresholds(), anomaly=LIMITS, local_networks=tuple(LOCAL))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Frame:
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, seed=3, hosts=4, hours=2.0, attacks=("scan", "guessing", "beacon", "flood", "dns-tunnel"))
    return read(f"zeek:{folder}/zeek")


@pytest.fixture
def beside():
    made = []

    def make() -> Beside:
        made.append(Beside(SETTINGS, 7))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_two_processes_say_what_one_says_and_dump_what_one_dumps(day: Frame, beside):
    here, there = Pipeline(SETTINGS, seed=7), Pipeline(SETTINGS, seed=7, beside=beside())
    told = 0
    for start in range(0, len(day), 700):
        part = day.slice(start, start + 700)
        expected = here.sense(part)
        assert there.sense(part) == expected
        assert there.model_version == here.model_version
        told += len(expected.sightings) + len(expected.notices)
    assert told
    assert there.dump() == here.dump()
    assert there.evicted == here.evicted
    row, at = day.row[-1], day.clock[-1]
    assert there.finish(row, at) == here.finish(row, at)


def test_a_state_of_one_process_goes_on_in_two(day: Frame, beside):
    half = len(day) // 2
    here = Pipeline(SETTINGS, seed=7)
    here.sense(day.slice(0, half))
    there = Pipeline(SETTINGS, seed=7, beside=beside())
    there.load(here.dump())
    rest = day.slice(half, len(day))
    assert there.sense(rest) == here.sense(rest)


def test_a_frame_comes_out_as_it_went_in(day: Frame):
    part = day.slice(100, 900)
    again = unpack(pack(part))
    assert {"detail", "raw", *NUMBERS, *TEXTS} <= {*COLUMNS}
    for name in (*NUMBERS, *TEXTS, "detail"):
        assert getattr(again, name) == getattr(part, name), name
    assert list(again.raw) == part.raw
    assert list(again.slice(5, 9).raw) == part.raw[5:9]
    assert again.raw[-1] == part.raw[-1]


def test_a_child_that_died_is_told_and_not_waited_for(beside):
    there = beside()
    there._child.kill()
    there._child.wait()
    with pytest.raises(Stopped, match="ended"):
        list(there.dump("beacon"))


def test_a_child_whose_parent_was_killed_ends_without_a_word():
    child = subprocess.Popen(
        [sys.executable, "-m", "engine.beside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stdout.close()
    order = msgspec.msgpack.encode(("open", msgspec.to_builtins((SETTINGS, 7))))
    child.stdin.write(len(order).to_bytes(8, "big") + order)
    child.stdin.flush()
    assert child.stderr.read() == b""
    assert child.wait() == 0
    for pipe in (child.stdin, child.stderr):
        pipe.close()


WRITER = """
from engine.wire import binary_output
with binary_output() as out:
    for _ in range(60):
        out.write(bytes(1 << 20))
"""


def test_an_answer_that_a_signal_cuts_short_is_written_to_its_end():
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, env=unbuffered)
    size = 0
    while piece := child.stdout.read(1 << 16):
        size += len(piece)
        child.send_signal(signal.SIGSTOP)
        child.send_signal(signal.SIGCONT)
    child.stdout.close()
    assert child.wait() == 0
    assert size == 60 << 20
