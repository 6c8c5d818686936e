"""At least 200 damaged files: no exception, no hang, and the counts add up."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.feeds.reading import conn_log, mutate, read, unfinished, write
from tests.feeds.test_formats import BINETFLOW, CONN

FLOW = {
    "pkts_toserver": 1,
    "bytes_toserver": 10,
    "start": "2021-06-06T13:00:00+0000",
    "end": "2021-06-06T13:00:02+0000",
}
EVENT = {
    "timestamp": "2021-06-06T15:59:46.5+0200", "event_type": "flow", "src_ip": "10.0.0.1", "src_port": 9,
    "dest_ip": "10.0.0.2", "dest_port": 53, "proto": "UDP", "flow": FLOW,
}  # fmt: skip
SAMPLES = {
    "zeek": ("conn.log", conn_log(30)),
    "json=zeek": ("conn.json", b"".join(json.dumps(CONN | {"uid": str(n)}).encode() + b"\n" for n in range(30))),
    "eve": ("eve.json", b"".join(json.dumps(EVENT | {"flow_id": n}).encode() + b"\n" for n in range(30))),
    "csv": ("a.binetflow", BINETFLOW.encode()),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_counted_or_refused_but_never_fatal(tmp_path: Path, kind: str, seed: int) -> None:
    name, data = SAMPLES[kind]
    rng = random.Random(f"{kind}{seed}")
    for _ in range(rng.randrange(1, 3)):
        data = mutate(data or b"\n", rng)
    path = write(tmp_path / name, data)
    rows, problems = read(f"{kind}:{path}")
    statuses = [row["status"] for row in rows]
    scored, malformed = statuses.count(""), sum(status.startswith("malformed: ") for status in statuses)
    skipped = sum(status.startswith("skipped: ") for status in statuses)
    assert scored + malformed + skipped == len(rows)
    assert problems or sum(row["size"] for row in rows) <= len(data)
    assert all(type(row["src_port"]) is int and row["src_bytes"] >= 0 and row["ts"] >= 0 for row in rows)
    for row in rows:
        assert row["status"] == "" or (row["src_ip"], row["conn_state"]) == ("", "")
    if not problems and kind != "csv":
        asides = (b"", b"#") if kind == "zeek" else (b"",)
        complete = [line for line in (part.removesuffix(b"\r") for part in data.split(b"\n")) if line[:1] not in asides]
        assert len(rows) + len(unfinished(f"{kind}:{path}")) == len(complete)
    assert read(f"{kind}:{path}", batch_rows=3)[0] == rows
