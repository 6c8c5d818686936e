from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from adapters.feeds import open_telemetry, parse_spec
from domain.values import HOUR
from tests.feeds.reading import HEADER, conn, read, rows_of, write

DNS = HEADER.replace(b"#path\tconn", b"#path\tdns")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three logs with rows out of order, late, wild and bad, a header that comes again, and ties."""
    rng = random.Random(5)
    for name, header, rows in (("conn.15h.log", HEADER, 300), ("conn.16h.log", HEADER, 200), ("dns.log", DNS, 250)):
        shorter = header.replace(b"\torig_pkts\tresp_pkts", b"").replace(b"\tcount\tcount\n", b"\n")
        out, second = [header], 1_700_000_000
        for number in range(rows):
            second += rng.randrange(40)
            when = second - rng.choice([0, 0, 0, 30, 5000, 90_000]) + rng.choice([0] * 20 + [10**9])
            row = conn(number, ts=f"{when}.0", src=rng.choice(["10.0.0.1", "10.0.0.2", "no"]))
            if number == rows // 2:
                out.append(shorter)
            out.append(row if number < rows // 2 else row.rsplit(b"\t", 2)[0] + b"\n")
        write(tmp_path / name, b"".join(out))
    return tmp_path


def test_logs_are_merged_by_the_running_maximum_of_their_time(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", HEADER + b"".join(conn(0, ts=str(ts)) for ts in (10, 30, 20, 40)))
    write(tmp_path / "dns.log", DNS + b"".join(conn(1, ts=str(ts)) for ts in (10, 25, 35)))
    rows, _ = read(f"zeek:{tmp_path}")
    seen = [(row["log"], row["ts"] // 1_000_000, row["clock"] // 1_000_000) for row in rows]
    assert seen == [
        ("conn", 10, 10), ("dns", 10, 10), ("dns", 25, 25), ("conn", 30, 30), ("conn", 20, 30), ("dns", 35, 35),
        ("conn", 40, 40),
    ]  # fmt: skip


def test_a_row_more_than_an_hour_behind_the_clock_is_late(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", HEADER + b"".join(conn(0, ts=str(ts)) for ts in (9000, 5400, 5399, 9001)))
    assert [row["late"] for row in read(f"zeek:{path}")[0]] == [False, False, True, False]


@pytest.mark.parametrize("batch_rows", [1, 7, 64, 100_000])
def test_rows_are_the_same_whatever_the_batch(folder: Path, batch_rows: int) -> None:
    expected, _ = read(f"zeek:{folder}")
    assert len(expected) == 750
    assert [row["row"] for row in expected] == [row["order"] for row in expected] == list(range(1, 751))
    assert read(f"zeek:{folder}", batch_rows=batch_rows)[0] == expected


def test_two_feeds_are_numbered_apart_in_one_order(folder: Path) -> None:
    rows, _ = read([f"a=zeek:{folder}/conn.15h.log", f"b=zeek:{folder}/conn.16h.log"])
    assert [row["order"] for row in rows] == list(range(1, 501))
    for feed, count in (("a", 300), ("b", 200)):
        assert [row["row"] for row in rows if row["feed"] == feed] == list(range(1, count + 1))


def resumed(specs: list[str], every: int) -> list[dict[str, Any]]:
    """Read in pieces of `every` rows, each by a new reader that knows only the cursors."""
    rows: list[dict[str, Any]] = []
    resume: dict[str, bytes] = {}
    while True:
        given = [parse_spec(spec) for spec in specs]
        telemetry = open_telemetry(given, follow=False, batch_rows=every, resume=resume)
        piece = rows_of(telemetry, stop_after=1)
        cursors = {spec.name: telemetry.cursor(spec.name) for spec in given}
        telemetry.close()
        if not piece:
            return rows
        rows += sorted(piece, key=lambda row: row["order"])
        for name, cursor in cursors.items():
            assert cursor.rows == sum(row["feed"] == name for row in rows)
        resume = {name: cursor.body for name, cursor in cursors.items()}


def test_a_reader_that_resumes_at_every_37th_row_goes_on_exactly_there(folder: Path) -> None:
    assert resumed([f"zeek:{folder}"], 37) == read(f"zeek:{folder}")[0]


def test_two_feeds_resume_together(folder: Path) -> None:
    specs = [f"a=zeek:{folder}/conn.15h.log", f"b=zeek:{folder}/conn.1[56]h.log"]
    assert resumed(specs, 37) == read(specs)[0]


def test_a_thousand_logs_need_no_thousand_handles(tmp_path: Path) -> None:
    import resource

    for number in range(300):
        write(tmp_path / f"conn.{number}.log", HEADER + conn(number) + conn(number + 1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    try:
        rows, problems = read(f"zeek:{tmp_path}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not problems
    assert [row["raw"].split(b"\t")[1] for row in rows] == [b"C%d" % n for n in [*range(300), *range(1000, 1300)]]


def test_lateness_is_a_setting(folder: Path) -> None:
    for lateness in (HOUR, 30 * HOUR):
        rows, _ = read(f"zeek:{folder}", lateness_us=lateness)
        assert any(row["late"] for row in rows) == (lateness == HOUR)
        assert not any(row["late"] and row["status"] for row in rows)


def test_a_log_that_was_renamed_and_compressed_is_not_read_twice(tmp_path: Path) -> None:
    import gzip

    path = write(tmp_path / "conn.log", HEADER + b"".join(conn(n) for n in range(50)))
    telemetry = open_telemetry([parse_spec(f"zeek:{tmp_path}")], follow=False, batch_rows=20)
    assert len(rows_of(telemetry, stop_after=1)) == 20
    body = telemetry.cursor("zeek").body
    telemetry.close()
    write(tmp_path / "conn.old.log.gz", gzip.compress(path.read_bytes()))
    write(path, HEADER + b"".join(conn(n) for n in range(50, 60)))
    rows, problems = read_from(tmp_path, body)
    assert not problems
    assert [row["raw"].split(b"\t")[1] for row in rows] == [f"C{n}".encode() for n in range(20, 60)]
    assert [row["row"] for row in rows] == list(range(21, 61))


def read_from(folder: Path, body: bytes) -> tuple[list[dict[str, Any]], list[Any]]:
    telemetry = open_telemetry([parse_spec(f"zeek:{folder}")], follow=False, resume={"zeek": body})
    rows = rows_of(telemetry)
    telemetry.close()
    return rows, telemetry.problems
