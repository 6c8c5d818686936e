"""The real captures: every row of every file is accounted for."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from domain.values import HOUR
from tests.data import shared
from tests.feeds.reading import read
from tests.feeds.test_order import resumed


def data_lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [line.removesuffix(b"\r") for line in data.split(b"\n") if line and not line.startswith(b"#")]


@pytest.mark.parametrize(
    "folder",
    [
        "ctu-sme-11-win/zeek-labeled", "ctu-sme-11-win/json", "slips-test9-mixed-zeek-dir",
        "slips-port-scans/horizontal",
        "slips-port-scans/vertical", "apt29-day1", "rita-proxy", "rita-proxy-rolling", "wrccdc-2018/zeek-default",
        "wrccdc-2018/zeek-json",
    ],
)  # fmt: skip
def test_every_row_of_a_zeek_folder_is_received_and_none_is_malformed(folder: str) -> None:
    path = shared(f"zeek/{folder}")
    files = [file for file in path.iterdir() if ".log" in file.name or ".json" in file.name]
    rows, problems = read(f"zeek:{path}")
    assert not problems
    assert Counter(row["raw"] for row in rows) == Counter(line for file in files for line in data_lines(file))
    assert not [row["status"] for row in rows if row["status"].startswith("malformed")]
    keys = [row["clock"] for row in rows]
    assert keys == sorted(keys)


def test_tsv_and_json_of_one_capture_give_the_same_flows() -> None:
    def flows(folder: str) -> list[tuple[object, ...]]:
        rows, _ = read(f"zeek:{shared(f'zeek/ctu-sme-11-win/{folder}')}")
        names = (
            "ts",
            "src_ip",
            "src_port",
            "dst_ip",
            "dst_port",
            "proto",
            "duration",
            "src_bytes",
            "dst_pkts",
            "conn_state",
        )
        return [tuple(row[name] for name in names) for row in rows if row["log"] == "conn"]

    assert flows("json") == flows("zeek-labeled")


def test_order_and_lateness_of_the_rolling_logs_are_those_of_a_plain_sort() -> None:
    path = shared("zeek/rita-proxy-rolling")
    expected: list[tuple[int, str, str, int, int, bytes]] = []
    out_of_order = 0
    for file in path.glob("*.log.gz"):
        lines = data_lines(file)
        column = 1 if lines[0].split(b"\t")[0].startswith(b"worker") else 0
        latest = 0
        for number, line in enumerate(lines):
            ts = round(float(line.split(b"\t")[column]) * 1e6)
            out_of_order += ts < latest
            latest = max(latest, ts)
            expected.append((latest, file.name.split(".")[0], file.name, number, ts, line))
    expected.sort()
    rows, _ = read(f"zeek:{path}")
    assert out_of_order > 6000
    assert [row["raw"] for row in rows] == [line for *_, line in expected]
    assert [row["clock"] for row in rows] == [clock for clock, *_ in expected]
    assert [row["late"] for row in rows] == [ts < clock - HOUR for clock, _, _, _, ts, _ in expected]
    assert any(row["late"] for row in rows)


def test_a_real_folder_resumes_exactly() -> None:
    spec = f"zeek:{shared('zeek/rita-proxy')}"
    assert resumed([spec], 211) == read(spec)[0]


def test_the_eve_file_is_read_whole() -> None:
    path = shared("suricata/slips-test6-malicious.eve.json")
    rows, problems = read(f"eve:{path}")
    assert not problems
    assert Counter(row["log"] for row in rows) == {
        "conn": 3512, "alert": 745, "dns": 680, "http": 56, "anomaly": 3, "files": 3, "ssl": 1
    }  # fmt: skip
    assert {row["status"] for row in rows} == {""}
    assert {"S0", "SF", "REJ"} <= {row["conn_state"] for row in rows}
    assert sum(row["size"] for row in rows) == path.stat().st_size


def test_the_raw_unsw_flows_are_read_by_the_shipped_mapping() -> None:
    spec = f"parquet:{shared('unsw-nb15/UNSW-NB15_1_first20001.parquet')}"
    rows, problems = read(spec)
    assert not problems
    assert len(rows) == 20_001
    assert {row["status"] for row in rows} == {""}
    assert rows[0]["src_ip"].startswith("59.166.")
    assert {"SF", "S0"} <= {row["conn_state"] for row in rows}
    assert resumed([spec], 5003) == rows


def test_another_parquet_file_says_that_it_needs_a_mapping() -> None:
    rows, (problem,) = read(f"parquet:{shared('nsl-kdd/KDDTest+.parquet')}")
    assert not rows
    assert "mapping=" in problem.message
