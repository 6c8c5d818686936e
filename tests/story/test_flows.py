"""The big conn.log for measurements: exact rows, one mix at any length, and something to find in it."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from bench.story import write_flows
from bench.story.zeek import SCHEMAS

ROWS = 200_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    path = tmp_path_factory.mktemp("flows") / "conn.log"
    write_flows(path, rows=ROWS, seed=1)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[-1].startswith("#close\t2026-03-02-10-2")
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_there_are_as_many_whole_rows_as_asked_for(rows: list[list[str]]) -> None:
    assert len(rows) == ROWS
    assert {len(row) for row in rows} == {len(SCHEMAS["conn"].split())}
    assert len({row[1] for row in rows}) == ROWS
    assert not any("" in row for row in rows)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_flows(tmp_path / name, rows=5_000, seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_the_mix_is_the_same_in_the_first_and_the_second_half(rows: list[list[str]]) -> None:
    first, second = (Counter(row[7] for row in half) for half in (rows[: ROWS // 2], rows[ROWS // 2 :]))
    for service in ("dns", "ssl", "http"):
        assert abs(first[service] - second[service]) < 0.03 * ROWS / 2


def test_rows_end_in_order(rows: list[list[str]]) -> None:
    ends = [float(row[0]) + (0.0 if row[8] == "-" else float(row[8])) for row in rows]
    assert all(two - one > -0.001 for one, two in itertools.pairwise(ends))


def test_some_clients_scan_and_some_call_home(rows: list[list[str]]) -> None:
    touched: dict[str, set[str]] = {}
    for row in rows:
        if row[5] == "445" and row[11] == "S0":
            touched.setdefault(row[2], set()).add(row[4])
    assert sum(len(hosts) > 200 for hosts in touched.values()) >= 2
    talks = Counter((row[2], row[4]) for row in rows if row[7] == "ssl" and row[8] == "0.250000")
    assert sum(count > 100 for count in talks.values()) == 6
