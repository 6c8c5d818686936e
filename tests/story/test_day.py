"""A generated day: the same from the same arguments, written as Zeek writes, and true to its truth."""

from __future__ import annotations

import hashlib
import itertools
from ipaddress import ip_address
from pathlib import Path

import pytest

from bench.story import ATTACKS, FLAVOURS, PLAYS, START, Truth, write_day
from bench.story.play import UnknownStoryPart
from bench.story.zeek import SCHEMAS
from domain.values import HOUR, KINDS

SMALL = {"hosts": 12, "hours": 6.0}
Rows = list[dict[str, str]]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read(path: Path) -> Rows:
    lines = path.read_text(encoding="utf-8").splitlines()
    names = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]


def micros(row: dict[str, str]) -> int:
    seconds, part = row["ts"].split(".")
    return int(seconds) * 1_000_000 + int(part)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(folder, seed=3, attacks=tuple(PLAYS), **SMALL)


@pytest.fixture(scope="module")
def conn(told: tuple[Path, Truth]) -> Rows:
    return read(told[0] / "zeek" / "conn.log")


def test_the_same_arguments_give_the_same_bytes(told: tuple[Path, Truth], tmp_path: Path) -> None:
    write_day(tmp_path, seed=3, attacks=tuple(PLAYS), **SMALL)
    assert digest(tmp_path) == digest(told[0])


def test_another_seed_gives_another_day(told: tuple[Path, Truth], tmp_path: Path) -> None:
    write_day(tmp_path, seed=4, attacks=tuple(PLAYS), **SMALL)
    assert not set(digest(tmp_path).values()) & set(digest(told[0]).values())


def test_leaving_the_attacks_out_moves_no_other_row(told: tuple[Path, Truth], conn: Rows, tmp_path: Path) -> None:
    write_day(tmp_path, seed=3, attacks=(), **SMALL)
    hostile = {uid for attack in told[1].attacks for uid in attack.flows}
    assert [row for row in conn if row["uid"] not in hostile] == read(tmp_path / "zeek" / "conn.log")


def test_truth_survives_its_file(told: tuple[Path, Truth]) -> None:
    assert Truth.load(told[0] / "truth.json") == told[1]


def test_every_attack_is_in_conn_log_flow_by_flow(told: tuple[Path, Truth], conn: Rows) -> None:
    by_uid = {row["uid"]: row for row in conn}
    assert len(by_uid) == len(conn)
    for attack in told[1].attacks:
        rows = [by_uid[uid] for uid in attack.flows]
        assert micros(rows[0]) == attack.first_seen
        assert micros(rows[-1]) == attack.last_seen
        others = set()
        for row in rows:
            ends = {row["id.orig_h"], row["id.resp_h"]}
            assert attack.entity in ends
            others |= ends - {attack.entity}
        assert others == set(attack.peers)


def test_every_attack_of_the_table_is_told_once_with_a_known_kind(told: tuple[Path, Truth]) -> None:
    kinds = [attack.kind for attack in told[1].attacks]
    assert len(set(kinds)) == len(kinds) == len(PLAYS)
    assert set(kinds) <= set(KINDS)


def test_the_entity_follows_the_rule_of_its_kind(told: tuple[Path, Truth]) -> None:
    for attack in told[1].attacks:
        if KINDS[attack.kind].entity != "source":
            assert ip_address(attack.entity).is_private


def test_guilty_hosts_are_not_called_benign(told: tuple[Path, Truth]) -> None:
    assert not {attack.entity for attack in told[1].attacks} & set(told[1].benign_hosts)
    assert len(told[1].benign_hosts) > SMALL["hosts"]


@pytest.mark.parametrize("log", SCHEMAS)
def test_a_log_has_the_headers_of_zeek_and_whole_rows(told: tuple[Path, Truth], log: str) -> None:
    path = told[0] / "zeek" / f"{log}.log"
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [line.split("\t")[0] for line in lines if line.startswith("#")]
    opening = ["#set_separator", "#empty_field", "#unset_field", "#path", "#open", "#fields", "#types", "#close"]
    assert lines[0] == "#separator \\x09"
    assert heads[1:] == opening
    assert lines[4] == f"#path\t{log}"
    assert lines[6].count("\t") == lines[7].count("\t") == len(SCHEMAS[log].split())
    assert len(read(path)) == told[1].rows_by_log[log] > 0


def test_rows_stand_in_the_order_of_their_end(conn: Rows) -> None:
    stamps = [micros(row) for row in conn]
    ends = [
        at + (0 if row["duration"] == "-" else float(row["duration"]) * 1e6)
        for at, row in zip(stamps, conn, strict=True)
    ]
    backward = sum(1 for one, two in itertools.pairwise(stamps) if two < one)
    assert 0.05 < backward / len(conn) < 0.6
    assert all(later - earlier > -61e6 for earlier, later in itertools.pairwise(ends))
    assert min(stamps) >= START
    assert max(ends) <= START + SMALL["hours"] * HOUR + 1


@pytest.mark.parametrize("log", [log for log in SCHEMAS if log != "conn"])
def test_a_row_of_another_log_belongs_to_a_connection(told: tuple[Path, Truth], conn: Rows, log: str) -> None:
    ends = ("uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
    known = {tuple(row[name] for name in ends) for row in conn}
    assert {tuple(row[name] for name in ends) for row in read(told[0] / "zeek" / f"{log}.log")} <= known


def test_benign_life_holds_what_trips_naive_detectors(conn: Rows, told: tuple[Path, Truth]) -> None:
    services = {row["service"] for row in conn}
    assert {"ntp", "dns", "dhcp", "ssl", "http", "ssh", "snmp", "gssapi,smb,krb", "sip", "stun", "smtp"} <= services
    assert {"5223", "5228"} & {row["id.resp_p"] for row in conn}
    assert any(row["id.orig_h"].startswith("fe80:") for row in conn)
    hostile = {uid for attack in told[1].attacks for uid in attack.flows}
    failed = [row for row in read(told[0] / "zeek" / "ssh.log") if row["auth_success"] == "F"]
    assert [row for row in failed if row["uid"] not in hostile]


def test_every_background_source_stays_below_a_scan(tmp_path: Path) -> None:
    write_day(tmp_path, seed=5, attacks=(), **SMALL)
    touched: dict[str, set[tuple[str, str]]] = {}
    for row in read(tmp_path / "zeek" / "conn.log"):
        if not ip_address(row["id.orig_h"]).is_private and row["conn_state"] in {"S0", "REJ"}:
            touched.setdefault(row["id.orig_h"], set()).add((row["id.resp_h"], row["id.resp_p"]))
    assert touched
    assert max(len(ends) for ends in touched.values()) <= 3


def test_ten_flavours_make_ten_different_days(tmp_path: Path) -> None:
    mixes = []
    for flavour in FLAVOURS:
        truth = write_day(tmp_path / flavour, seed=1, hosts=20, hours=1.0, attacks=(), flavour=flavour)
        rows = read(tmp_path / flavour / "zeek" / "conn.log")
        ports = {port: sum(row["id.resp_p"] == port for row in rows) for port in ("53", "443", "445", "4321", "3389")}
        mixes.append((tuple(ports.values()), rows[0]["id.orig_h"]))
        assert truth.attacks == ()
    assert len(FLAVOURS) == len(set(mixes)) == 10


def test_an_unknown_part_is_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownStoryPart, match="'war' is in no story: use one of scan"):
        write_day(tmp_path, seed=1, attacks=("war",))
    with pytest.raises(UnknownStoryPart, match="flavour 'moon'"):
        write_day(tmp_path, seed=1, flavour="moon")
    with pytest.raises(UnknownStoryPart, match="use 4 or more"):
        write_day(tmp_path, seed=1, hosts=3)


def test_the_demo_day_has_its_five_attacks_and_its_size(tmp_path: Path) -> None:
    heard: list[float] = []
    truth = write_day(tmp_path, seed=7, progress=heard.append)
    assert len(truth.attacks) == len(ATTACKS) == 5
    assert 60_000 <= truth.rows_by_log["conn"] <= 120_000
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
