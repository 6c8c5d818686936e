"""Hash tables, identities, sketches, core numbers and letters, each on its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from domain.anomaly_limits import AnomalyLimits
from domain.values import SECOND
from engine import jit
from engine.features import lookup, sketch, tables, texts
from engine.features.letters import ALPHABET, GAPS, OUTCOMES, SIZES, meaning
from engine.features.table import FEATURES
from engine.features.windows import HostWindows
from tests.anomaly.stream import frames, row
from tests.features.stream import LOCAL, ODD, mixed

WORDS = [
    "10.0.0.1",
    "hôte",
    "",
    "a" * 7,
    "b" * 8,
    "c" * 9,
    "d" * 300,
    "10.255.255.255",
    "10.0.0.256",
    "fd00::7",
    "x\ny",
]


def test_a_text_is_known_by_what_python_hashes_it_to_without_a_seed() -> None:
    code = f"print([hash(w.encode()) & (1 << 64) - 1 for w in {WORDS!r} if w])"
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    words = texts.Reader(LOCAL)(WORDS).words
    assert str([int(id_) for id_, word in zip(words["id"], WORDS, strict=True) if word]) == shown.stdout.strip()


def test_inside_is_what_the_standard_library_says_of_any_text() -> None:
    asked = [
        *WORDS,
        *ODD,
        "9.255.255.255",
        "11.0.0.0",
        "10.1",
        "10.1.2.3.",
        ".10.1.2.3",
        "10..2.3",
        "1000.1.1.1",
        "10.1.2.x",
    ]
    reader, plain = texts.Reader(LOCAL), texts.Inside(LOCAL)
    assert [bool(inside) for inside in reader(asked).words["inside"]] == [plain[word] for word in asked]


def test_a_table_finds_what_was_entered_and_not_what_was_taken_out() -> None:
    draw, index, held = random.Random(3), np.zeros(64, tables.PLACE), {}
    keys = np.zeros(5_000, [("key", "u8"), ("value", "u8")])["key"]
    for step in range(5_000):
        key = draw.randrange(60) << 58 | draw.randrange(3)  # few homes: much is pushed on
        if key in held:
            assert lookup.find(index, keys, np.uint64(key)) == held[key]
            lookup.remove(index, keys, np.uint64(key))
            del held[key]
        elif len(held) < 32:
            assert lookup.find(index, keys, np.uint64(key)) == -1
            keys[step] = key
            lookup.insert(index, np.uint64(key), step)
            held[key] = step
    assert held
    assert all(lookup.find(index, keys, np.uint64(key)) == entry for key, entry in held.items())


@pytest.mark.parametrize("distinct", [10, 300, 2_000, 10_000, 200_000])
def test_a_sketch_is_within_a_tenth_and_does_not_count_twice(distinct: int) -> None:
    sketches = np.zeros((2, tables.REGISTERS), np.uint8)
    for _ in range(2):
        for key in range(distinct):
            sketch.note(sketches, 1, np.uint64(key))
    assert sketch.estimate(sketches, 1) == pytest.approx(distinct, rel=0.1)
    assert sketch.estimate(sketches, 0) == 0


def test_a_scan_beyond_what_is_told_apart_is_counted_within_a_tenth() -> None:
    ends = [(f"93.9.{i // 250}.{i % 250}", i * 7 % 40_000) for i in range(30_000)]
    rows = [
        row(i + 1, 3_000 * SECOND + i, src_ip="10.0.0.1", dst_ip=ip, dst_port=port) for i, (ip, port) in enumerate(ends)
    ]
    windows = HostWindows(AnomalyLimits(max_distinct=1_000), LOCAL, pairs=5_000)
    closed = [w for frame in frames([*rows, row(30_001, 9_000 * SECOND)], 10_000) for w in windows.feed(frame)]
    values = {f.name: f.shown(entry) for f, entry in zip(FEATURES, closed[0].vector, strict=True)}
    assert values["peers"] == pytest.approx(30_000, rel=0.1)
    assert values["ports"] == pytest.approx(30_000, rel=0.1)
    assert values["peer_entropy"] == pytest.approx(np.log2(30_000), abs=0.2)
    assert windows.counters["sketches_over_limit"] == 0


def test_what_no_sketch_is_left_for_is_counted_as_left_out() -> None:
    rows = [row(i, 3_000 * SECOND + i, dst_ip=f"8.8.8.{i}", dst_port=i) for i in range(1, 10)]
    windows = HostWindows(AnomalyLimits(max_distinct=4), LOCAL, sketches=1)
    [window] = windows.feed(next(frames([*rows, row(10, 9_000 * SECOND, src_ip="10.9.9.9")], 100)))
    values = {f.name: f.shown(entry) for f, entry in zip(FEATURES, window.vector, strict=True)}
    assert (values["peers"], values["ports"], windows.counters["sketches_over_limit"]) == (9, 4, 1)


def test_the_state_stays_small_whatever_passes_through() -> None:
    windows, sizes = HostWindows(AnomalyLimits(max_hosts=20, max_known_peers=300), LOCAL), []
    for number, frame in enumerate(frames(mixed(40_000, 9, hosts=200, gap_s=1.0), 4_000)):
        windows.feed(frame)
        sizes.append((number, len(windows.dump())))
    assert max(size for number, size in sizes if number >= 5) < 1.3 * max(size for number, size in sizes if number < 5)


def test_every_letter_has_a_meaning_of_its_own() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == len(OUTCOMES) * len(SIZES) * len(GAPS)
    assert len({meaning(letter) for letter in ALPHABET}) == len(ALPHABET)


def test_kernels_that_are_kept_on_disk_carry_the_stamp_of_the_whole_folder() -> None:
    cache = lookup.find._cache  # type: ignore[attr-defined]
    assert cache._cache_file._source_stamp == jit._stamp(Path(lookup.__file__).parent)
    assert any(name == "counting.py" for name, _, _ in jit._stamp(Path(lookup.__file__).parent))
