# ruff: noqa: E501 - rows of logs are long
from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from adapters.feeds.lines import BOM
from tests.feeds.reading import HEADER, conn, conn_log, read, write

CONN = {
    "ts": 1700000000.5, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 5, "id.resp_h": "192.0.2.7", "id.resp_p": 443,
    "proto": "tcp", "duration": 0.5, "orig_bytes": 10, "resp_bytes": 20, "conn_state": "SF", "orig_pkts": 1, "resp_pkts": 2,
}  # fmt: skip
BINETFLOW = """StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label
2011/08/10 09:46:59.607825,1.026539,tcp,94.44.127.113,1577,   ->,147.32.84.59,6881,S_RA,0,0,4,276,156,flow=Background
2011/08/10 09:47:00.634364,0.5,icmp,94.44.127.113,0x0303,   ->,147.32.84.59,0x0050,URP,0,0,4,276,156,x
2011/08/10 09:47:48.185538,3.086547,udp,86.65.39.15,,  <->,147.32.84.59,13363,CON,0,0,3,1826,1000,x
2011/08/10 09:47:49.185538,0,arp,00:15:17:2c:e5:2d,,  who,147.32.84.59,,CON,0,0,2,120,60,x
"""
CIC = """Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp, Flow Duration, Total Fwd Packets, Total Backward Packets,Total Length of Fwd Packets, Total Length of Bwd Packets,Label
a,10.0.0.1,5000,192.0.2.7,80,6,{0},2500000,3,0,120,0,BENIGN
b,10.0.0.1,5001,192.0.2.7,x,17,{0},100,1,1,12.0,30,BENIGN
"""


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_tsv_row_becomes_a_canonical_flow(tmp_path: Path) -> None:
    (row,), problems = read(f"zeek:{write(tmp_path / 'conn.log', HEADER + conn(1, service='http', duration='-'))}")
    assert not problems
    assert (row["ts"], row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"]) == (
        1_700_000_001_000_000, "10.0.0.1", 1025, "192.0.2.7", 443,
    )  # fmt: skip
    assert (row["proto"], row["service"], row["duration"], row["src_bytes"], row["dst_bytes"]) == (
        "tcp",
        "http",
        0.0,
        10,
        20,
    )
    assert (row["src_pkts"], row["dst_pkts"], row["conn_state"], row["detail"], row["status"]) == (1, 2, "SF", {}, "")
    assert row["size"] == len(HEADER) + len(row["raw"]) + 1
    assert row["source"].startswith("conn:")
    assert (row["row"], row["order"], row["clock"], row["late"]) == (1, 1, row["ts"], False)


def test_json_and_both_spellings_and_gzip_give_the_same_flow(tmp_path: Path) -> None:
    old = {name.replace(".", "_"): value for name, value in CONN.items()}
    plain = write(tmp_path / "conn.log", lines(CONN))
    flat = write(tmp_path / "conn.log.json", lines(old | {"@stream": "conn"}))
    packed = write(tmp_path / "conn.json", gzip.compress(lines(CONN)))
    seen = [read(f"zeek:{path}")[0][0] for path in (plain, flat, packed)]
    for name in ("ts", "src_ip", "dst_port", "duration", "dst_bytes", "conn_state", "status", "log"):
        assert len({row[name] for row in seen}) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"src": "300.1.1.1"}, "bad address"),
        ({"src": "-", "dst": "(empty)"}, "no address"),
        ({"ob": "-5"}, "bad number"),
        ({"ob": "many"}, "bad number"),
        ({"ob": "9" * 30}, "bad number"),
        ({"dport": "70000"}, "bad port"),
        ({"duration": "nan"}, "bad duration"),
        ({"ts": "-"}, "no time"),
        ({"ts": "inf"}, "bad time"),
        ({"ts": "soon"}, "bad time"),
        ({"ts": "-3"}, "bad time"),
        ({"uid": "a\0b"}, "NUL byte"),
        ({"uid": "a\tb"}, "wrong number of fields"),
        ({"uid": "x" * (1 << 20)}, "line over 1 MiB"),
    ],
)
def test_a_bad_row_is_malformed_and_its_neighbours_are_not(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    path = write(tmp_path / "conn.log", HEADER + conn(1) + conn(2, **change) + conn(3))
    rows, problems = read(f"zeek:{path}")
    assert [row["status"] for row in rows] == ["", f"malformed: {reason}", ""]
    assert sum(row["size"] for row in rows) == path.stat().st_size
    assert not problems


@pytest.mark.parametrize("data", [HEADER + conn(1), lines(CONN)], ids=["tsv", "json"])
def test_a_byte_order_mark_costs_no_row(tmp_path: Path, data: bytes) -> None:
    (row,), problems = read(f"zeek:{write(tmp_path / 'conn.log', BOM + data)}")
    assert not problems
    assert row["status"] == ""
    assert row["size"] == len(BOM + data)


def test_invalid_utf8_is_malformed(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", HEADER + conn(1) + conn(2).replace(b"C2", b"\xff\xfe"))
    assert [row["status"] for row in read(f"zeek:{path}")[0]] == ["", "malformed: not UTF-8"]


def test_json_that_is_no_object_is_malformed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "conn.log", lines(CONN, [1], 5, CONN | {"ts": None}, CONN | {"orig_bytes": 1.5}) + b"{oops\n"
    )
    assert [row["status"] for row in read(f"zeek:{path}")[0]] == [
        "", *["malformed: not a JSON object"] * 2, "malformed: no time", "malformed: bad number", "malformed: not a JSON object",
    ]  # fmt: skip


def test_a_record_keeps_its_other_fields_under_their_zeek_names(tmp_path: Path) -> None:
    header = HEADER.replace(b"\tconn\n", b"\tdns\n").split(b"#fields")[0] + (
        b"#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tanswers\trejected\trcode\tTTLs\tnote\n"
        b"#types\ttime\taddr\tport\taddr\tport\tenum\tstring\tvector[string]\tbool\tcount\tvector[interval]\tstring\n"
    )
    path = write(tmp_path / "dns.log", header + b"0.0\t::1\t5\t10.0.0.2\t53\tudp\ta\\x09b\tx,y\tF\t3\t(empty)\t-\n")
    (row,), _ = read(f"zeek:{path}")
    assert (row["log"], row["ts"], row["src_ip"], row["dst_port"]) == ("dns", 0, "::1", 53)
    assert row["detail"] == {"query": "a\tb", "answers": ["x", "y"], "rejected": False, "rcode": 3, "TTLs": []}


def test_a_header_may_come_again_with_other_fields(tmp_path: Path) -> None:
    shorter = HEADER.replace(b"\torig_pkts\tresp_pkts", b"").replace(b"\tcount\tcount\n", b"\n")
    path = write(tmp_path / "conn.log", conn_log(2) + b"#close\tnow\n" + shorter + conn(3).rsplit(b"\t", 2)[0] + b"\n")
    rows, _ = read(f"zeek:{path}")
    assert [(row["status"], row["src_pkts"]) for row in rows] == [("", 1), ("", 1), ("", 0)]


def test_a_last_row_without_line_end_counts_and_an_empty_log_is_no_problem(tmp_path: Path) -> None:
    assert len(read(f"zeek:{write(tmp_path / 'conn.log', conn_log(2)[:-1])}")[0]) == 2
    for data in (HEADER, b"", b"\n"):
        assert read(f"zeek:{write(tmp_path / 'conn.log', data)}") == ([], [])


def test_eve_events_come_in_zeeks_words(tmp_path: Path) -> None:
    base = {
        "timestamp": "2021-06-06T15:59:46.5+0200",
        "src_ip": "10.0.0.1",
        "src_port": 9,
        "dest_ip": "10.0.0.2",
        "dest_port": 53,
        "proto": "UDP",
    }
    flow = {
        "pkts_toserver": 1,
        "pkts_toclient": 0,
        "bytes_toserver": 60,
        "bytes_toclient": 0,
        "start": "2021-06-06T13:00:00+0000",
        "end": "2021-06-06T13:00:02+0000",
        "state": "new",
    }
    answer = {"type": "answer", "rrname": "a.b", "rrtype": "A", "rcode": "NOERROR", "answers": [{"rdata": "1.2.3.4"}]}
    turned = {"src_ip": "10.0.0.2", "src_port": 53, "dest_ip": "10.0.0.1", "dest_port": 9}
    path = write(tmp_path / "eve.json", lines(
        base | {"event_type": "flow", "flow": flow},
        base | {"event_type": "flow", "proto": "TCP", "flow": flow, "tcp": {"tcp_flags_ts": "02", "tcp_flags_tc": "14"}},
        base | {"event_type": "dns", "dns": {"type": "query", "rrname": "a.b", "rrtype": "A"}},
        base | turned | {"event_type": "dns", "dns": answer},
        base | {"event_type": "dns", "dns": {"type": "response", "queries": [{"rrname": "c.d", "rrtype": "TXT"}], "rcode": "REFUSED"}},
        base | {"event_type": "tls", "tls": {"sni": "a.b"}},
        base | {"event_type": "stats", "stats": {}},
        base | {"event_type": "alert"} | {"timestamp": "yesterday"},
    ))  # fmt: skip
    rows = sorted(read(f"eve:{path}")[0], key=lambda row: row["row"])
    assert [row["log"] for row in rows] == ["conn", "conn", "dns", "dns", "dns", "ssl", "stats", "eve"]
    assert [row["conn_state"] for row in rows[:2]] == ["S0", "REJ"]
    assert (rows[0]["ts"], rows[0]["duration"]) == (1622984400000000, 2.0)
    assert rows[2]["detail"] == {"query": "a.b", "qtype_name": "A", "is_response": False}
    assert rows[3]["detail"] == {
        "query": "a.b", "qtype_name": "A", "is_response": True, "rcode_name": "NOERROR", "answers": ["1.2.3.4"], "rejected": False,
    }  # fmt: skip
    assert (rows[3]["src_ip"], rows[3]["dst_port"]) == ("10.0.0.1", 53)
    assert rows[4]["detail"]["query"] == "c.d"
    assert rows[4]["detail"]["rejected"] is True
    assert rows[5]["detail"]["sni"] == "a.b"
    assert [row["status"] for row in rows[6:]] == ["", "malformed: bad time"]


@pytest.mark.parametrize(
    ("columns", "values", "state"),
    [
        ({}, "", "OTH"),
        ({"resp_bytes": "count"}, "0", ""),
        ({"resp_bytes": "count"}, "-", "OTH"),
        ({"conn_state": "string"}, "S0", "S0"),
        ({"conn_state": "string"}, "-", "OTH"),
    ],
)
def test_a_flow_of_which_nothing_says_how_it_went_did_not_fail(
    tmp_path: Path, columns: dict[str, str], values: str, state: str
) -> None:
    usual = {"ts": "time", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port"}
    names, types = zip(*(usual | columns).items(), strict=True)
    row = "\t".join(["1.0", "10.0.0.1", "4000", "192.0.2.1", "443", *([values] if values else [])])
    log = ["#path\tconn", "\t".join(["#fields", *names]), "\t".join(["#types", *types]), row, ""]
    rows, _ = read(f"zeek:{write(tmp_path / 'conn.log', chr(10).join(log).encode())}")
    assert [row["conn_state"] for row in rows] == [state]


def test_argus_binetflow_is_read_by_its_shipped_mapping(tmp_path: Path) -> None:
    rows, problems = read(f"csv:{write(tmp_path / 'a.binetflow', BINETFLOW.encode())}")
    assert not problems
    assert [row["status"] for row in rows] == [""] * 4
    assert [row["conn_state"] for row in rows] == ["REJ", "S0", "SF", "SF"]
    assert [row["dst_port"] for row in rows] == [6881, 80, 13363, 0]
    assert [row["src_port"] for row in rows] == [1577, 771, 0, 0]
    assert (rows[0]["src_bytes"], rows[0]["dst_bytes"], rows[0]["ts"]) == (156, 120, 1312969619607825)


@pytest.mark.parametrize(
    "when", ["03/07/2017 08:55:58", "3/7/2017 8:55:58", "03/07/2017 08:55:58 AM", "2017-07-03 08:55:58"]
)
def test_cicflowmeter_is_read_in_each_of_its_date_formats(tmp_path: Path, when: str) -> None:
    rows, problems = read(f"csv:{write(tmp_path / 'cic.csv', CIC.format(when).encode())}")
    assert not problems
    assert [row["status"] for row in rows] == ["", "malformed: bad port"]
    row = rows[0]
    assert (row["ts"], row["duration"], row["proto"], row["conn_state"]) == (1499072158000000, 2.5, "tcp", "S0")


def test_an_own_mapping_is_named_by_its_path(tmp_path: Path) -> None:
    mapping = write(
        tmp_path / "own.toml",
        b'delimiter = ";"\n[columns]\nts = "when"\nsrc_ip = "a"\ndst_ip = "b"\n[time]\nunit = "ms"\n',
    )
    path = write(tmp_path / "own.csv", b"when;a;b\n1700000000500;10.0.0.1;10.0.0.2\n")
    (row,), problems = read(f"csv:{path}?mapping={mapping}")
    assert not problems
    assert (row["ts"], row["src_ip"], row["dst_ip"]) == (1700000000500000, "10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("zeek", "conn.log", b"just some text\n"),
        ("zeek", "conn.log", b'{"event_type": "flow"}\n'),
        ("zeek", "conn.log", b"# a comment\n"),
        ("zeek", "conn.log", b"\x1f\x8b\x08broken"),
        ("eve", "eve.json", b'{"ts": 1}\n'),
        ("csv", "x.csv", b"a,b,c\n1,2,3\n"),
        ("csv", "x.csv?mapping=argus", b"a,b,c\n1,2,3\n"),
        ("parquet", "x.parquet", b"PAR1 is not enough"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_one_problem_and_the_others_are_read(
    tmp_path: Path, kind: str, name: str, data: bytes
) -> None:
    write(tmp_path / name.partition("?")[0], data)
    good = write(tmp_path / "good.log", conn_log(3))
    rows, problems = read([f"bad={kind}:{tmp_path / name}", f"good=zeek:{good}"])
    assert [row["feed"] for row in rows] == ["good"] * 3
    assert [problem.feed for problem in problems] == ["bad"]
    assert str(tmp_path) in problems[0].path
    assert "\n" not in problems[0].message


def test_a_truncated_gzip_gives_its_rows_and_a_problem(tmp_path: Path) -> None:
    packed = gzip.compress(conn_log(3000))
    rows, problems = read(f"zeek:{write(tmp_path / 'conn.log.gz', packed[: len(packed) // 2])}")
    assert 100 < len(rows) < 3000
    assert {row["status"] for row in rows} == {""}
    assert "breaks off" in problems[0].message


def test_gzip_members_one_after_the_other_are_one_log(tmp_path: Path) -> None:
    packed = gzip.compress(conn_log(3)) + gzip.compress(conn(4) + conn(5))
    assert len(read(f"zeek:{write(tmp_path / 'conn.log.gz', packed)}")[0]) == 5


def test_missing_paths_empty_folders_and_globs_are_problems_that_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "none", tmp_path / "sub", tmp_path / "*.log"):
        rows, (problem,) = read(f"zeek:{path}")
        assert not rows
        assert str(path) in problem.message


def test_a_folder_is_not_recursive_and_passes_over_notes(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", conn_log(2))
    write(tmp_path / "README.md", b"about")
    write(tmp_path / ".hidden.log", b"x")
    write(tmp_path / "labels.config", b"x")
    (tmp_path / "more.log").mkdir()
    write(tmp_path / "more.log" / "conn.log", conn_log(3, first=50))
    assert [len(read(f"zeek:{path}")[0]) for path in (tmp_path, f"{tmp_path}/**/*.log")] == [2, 5]
    assert read(f"zeek:{tmp_path}")[1] == []


def test_the_same_log_in_two_files_is_read_once_and_said(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", conn_log(5))
    write(tmp_path / "conn.log.gz", gzip.compress(conn_log(5)))
    rows, problems = read(f"zeek:{tmp_path}")
    assert len(rows) == 5
    assert "same log" in problems[0].message
