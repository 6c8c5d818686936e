"""A last line that somebody is still writing is no row yet; a renamed file is the same log."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from adapters.feeds import open_telemetry, parse_spec
from tests.feeds.reading import conn_log, read, rows_of, unfinished, write
from tests.feeds.test_formats import BINETFLOW, CONN
from tests.feeds.test_mutations import EVENT

LOGS = {
    "zeek": ("conn.log", conn_log(30)),
    "json=zeek": ("conn.log", b"".join(json.dumps(CONN | {"uid": str(n)}).encode() + b"\n" for n in range(30))),
    "eve": ("eve.json", b"".join(json.dumps(EVENT | {"flow_id": n}).encode() + b"\n" for n in range(30))),
    "csv": ("a.binetflow", BINETFLOW.encode()),
}


def go_on(spec: str, resume: dict[str, bytes]) -> list[str]:
    """The statuses of the rows that are new in a feed; `resume` then is where it stands."""
    given = parse_spec(spec)
    telemetry = open_telemetry([given], follow=False, resume=resume)
    rows = rows_of(telemetry)
    resume[given.name] = telemetry.cursor(given.name).body
    telemetry.close()
    return [row["status"] for row in rows]


@pytest.mark.parametrize("kind", LOGS)
def test_half_a_line_is_read_once_it_is_whole(tmp_path: Path, kind: str) -> None:
    name, data = LOGS[kind]
    lines = data.splitlines(keepends=True)
    path = write(tmp_path / name, b"".join(lines[:-1]) + lines[-1][:30])
    resume: dict[str, bytes] = {}
    first = go_on(f"{kind}:{path}", resume)
    assert "is read once it is all there" in unfinished(f"{kind}:{path}")[0]
    write(path, b"".join(lines[:-1]) + lines[-1][:40])
    assert go_on(f"{kind}:{path}", resume) == []
    write(path, data)
    assert [*first, *go_on(f"{kind}:{path}", resume)] == [row["status"] for row in read(f"{kind}:{path}")[0]]
    assert unfinished(f"{kind}:{path}") == []


@pytest.mark.parametrize("kind", LOGS)
def test_a_whole_last_line_needs_no_end(tmp_path: Path, kind: str) -> None:
    name, data = LOGS[kind]
    ended, other = write(tmp_path / name, data), write(tmp_path / f"{name}.1", data.removesuffix(b"\n"))
    assert len(read(f"{kind}:{other}")[0]) == len(read(f"{kind}:{ended}")[0])


@pytest.mark.parametrize(("kind", "name"), [("json=zeek", "2023-11-14.json"), ("eve", "archive.json")])
def test_a_renamed_file_is_the_same_log_where_it_does_not_say_what_it_is(tmp_path: Path, kind: str, name: str) -> None:
    before, data = LOGS[kind]
    write(tmp_path / before, data)
    resume: dict[str, bytes] = {}
    assert len(go_on(f"{kind}:{tmp_path}", resume)) == 30
    (tmp_path / before).rename(tmp_path / name)
    assert go_on(f"{kind}:{tmp_path / name}", resume) == []


def test_a_log_is_known_again_by_its_first_row_whatever_an_older_release_called_it(tmp_path: Path) -> None:
    path = write(tmp_path / "eve.json", LOGS["eve"][1])
    resume: dict[str, bytes] = {}
    go_on(f"eve:{path}", resume)
    resume["eve"] = resume["eve"].replace(b"eve:", b"old:")
    assert go_on(f"eve:{path}", resume) == []


@pytest.mark.parametrize(("behind", "problems"), [(bytes(512), 0), (b"junk", 1)])
def test_what_stands_behind_the_end_of_a_gzip_file_is_told(tmp_path: Path, behind: bytes, problems: int) -> None:
    path = write(tmp_path / "conn.log.gz", gzip.compress(conn_log(30)) + behind)
    rows, found = read(f"zeek:{path}")
    assert (len(rows), len(found)) == (30, problems)
