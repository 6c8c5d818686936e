"""EVE of a capture: sorted by event time where it is bounded, and read again exactly as it was read."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest

from adapters.feeds import inorder, open_telemetry, parse_spec
from adapters.feeds.again import read_in_order, read_merged
from adapters.feeds.inorder import chunks_of
from tests.data import shared
from tests.feeds.reading import read, rows_of, write

START = 1_700_000_000


def iso(second: float) -> str:
    return datetime.fromtimestamp(START + second, UTC).isoformat()


def events(count: int, seed: int = 1, begin: float = 0) -> bytes:
    """Flows that are written when they are over, up to five hours after they began, and a line that is no event."""
    draw, lines = random.Random(seed), []
    for number in range(count):
        written = begin + number * 60.0
        began = max(0.0, written - draw.choice((1, 30, 5000, 18_000)))
        ends = {"src_ip": f"10.0.0.{number % 200 + 1}", "dest_ip": "192.0.2.7", "src_port": number, "dest_port": 443}
        flow = {"start": iso(began), "end": iso(written), "pkts_toserver": 3, "bytes_toserver": number}
        event = {"timestamp": iso(written), "event_type": "flow", "proto": "TCP", **ends, "flow": flow}
        lines.append(json.dumps(event).encode())
    lines.insert(count // 2, b"no event")
    return b"\n".join(lines) + b"\n"


def told(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(row["row"], row["ts"], row["src_port"], row["late"], row["source"], row["raw"]) for row in rows]


@pytest.fixture(params=[200_000_000, 20_000], ids=["one chunk", "several chunks"])
def eve(request, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(inorder, "CHUNK", request.param)
    monkeypatch.setattr(inorder, "SLICE", 17)
    return write(tmp_path / "eve.json", events(400))


def test_a_bounded_file_comes_in_the_order_of_its_events(tmp_path):
    path = write(tmp_path / "eve.json", events(400))
    rows, problems = read(f"eve:{path}")
    assert not problems
    assert sum(bool(row["late"]) for row in rows) == 0
    times = [row["ts"] for row in rows if not row["status"]]
    assert times == sorted(times)
    assert sorted(row["raw"] for row in rows) == sorted(path.read_bytes().splitlines())
    assert [row["status"] for row in rows if row["status"]] == ["malformed: not a JSON object"]


@pytest.mark.parametrize("batch_rows", [1, 50])
def test_rows_are_the_same_whatever_the_batch(eve, batch_rows):
    assert told(read(f"eve:{eve}", batch_rows=batch_rows)[0]) == told(read(f"eve:{eve}")[0])


@pytest.mark.parametrize("stop", [1, 90, 399])
def test_a_run_that_was_stopped_goes_on_where_it_stood_also_when_the_file_has_grown(eve, stop):
    whole = told(read(f"eve:{eve}")[0])
    spec = parse_spec(f"eve:{eve}")
    first = open_telemetry([spec], follow=False, batch_rows=10)
    begun = rows_of(first, stop_after=stop)
    cursor = first.cursor("eve").body
    first.close()
    rest, _ = read_on(spec, cursor)
    assert told(begun) + told(rest) == whole
    with eve.open("ab") as file:
        file.write(events(30, seed=2, begin=400 * 60.0))
    rest, _ = read_on(spec, cursor)
    assert sorted(row["raw"] for row in [*begun, *rest]) == sorted(eve.read_bytes().splitlines())
    known = chunks_of(cursor)[begun[0]["source"]][-1]
    sizes = list(accumulate(row["size"] for row in rest))
    kept = sum(sum(row["size"] for row in begun) + size <= known for size in sizes)
    assert told(begun) + told(rest)[:kept] == whole[: len(begun) + kept], "what was cut is cut again as it was"


def read_on(spec, cursor: bytes):
    telemetry = open_telemetry([spec], follow=False, resume={"eve": cursor})
    try:
        return rows_of(telemetry), telemetry.cursor("eve").body
    finally:
        telemetry.close()


def test_rows_are_read_again_as_they_were_taken_also_when_the_file_has_grown(eve):
    spec = parse_spec(f"eve:{eve}")
    first = open_telemetry([spec], follow=False, batch_rows=10)
    taken = rows_of(first, stop_after=150)
    cursor = first.cursor("eve").body
    first.close()
    with eve.open("ab") as file:
        file.write(events(30, seed=2, begin=60.0))
    source, rows = taken[0]["source"], len(taken)
    again = read_in_order(spec, resume=b"", order=[(source, rows)], recorded=cursor)
    assert [raw for frame in again for raw in frame.raw] == [row["raw"] for row in taken]
    merged = read_merged(spec, resume=b"", consumed={source: rows}, seen={}, recorded=cursor)
    assert [raw for frame in merged for raw in frame.raw] == [row["raw"] for row in taken]


def test_what_was_followed_as_it_was_written_is_read_on_from_there(eve):
    spec = parse_spec(f"eve:{eve}")
    live = open_telemetry([spec], follow=True, batch_rows=10)
    taken = rows_of(live, stop_after=100)
    cursor = live.cursor("eve").body
    live.close()
    lines = eve.read_bytes().splitlines()
    assert [row["raw"] for row in taken] == lines[: len(taken)]
    rest, _ = read_on(spec, cursor)
    assert sorted(row["raw"] for row in rest) == sorted(lines[len(taken) :])


def test_the_shared_capture_has_no_late_row():
    path = shared("suricata/slips-test6-malicious.eve.json")
    rows, _ = read(f"eve:{path}")
    assert len(rows) == 5000
    assert sum(bool(row["late"]) for row in rows) == 0
