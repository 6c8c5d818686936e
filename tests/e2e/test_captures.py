"""The main job on real captures, through the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.data import shared
from tests.e2e.swarm import Answer, myrmidon

ZEEK = [
    "zeek/ctu-sme-11-win/zeek-labeled",
    "zeek/ctu-sme-11-win/json",
    "zeek/slips-test9-mixed-zeek-dir",
    "zeek/apt29-day1",
    "zeek/rita-proxy",
    "zeek/rita-proxy-rolling",
    "zeek/wrccdc-2018/zeek-default",
    "zeek/wrccdc-2018/zeek-json",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Callable[[str], tuple[Path, Answer]]:
    """Runs over a feed, once in all; gives the home and the answer."""

    @cache
    def over(spec: str) -> tuple[Path, Answer]:
        home = tmp_path_factory.mktemp("home")
        answer = myrmidon(home, "run", "--feed", spec, "--until-eof")
        assert answer.code == 0, answer.err
        told = answer.json
        assert told["received"] == told["scored"] + told["skipped"] + told["malformed"] > 0
        assert myrmidon(home, "audit", "verify").json["ok"] is True
        assert myrmidon(home, "audit", "replay").json["equal"] is True
        return home, answer

    return over


def open_incidents(home: Path) -> list[dict[str, Any]]:
    return [i for i in myrmidon(home, "incidents", "list").json if i["status"] != "merged"]


@pytest.mark.parametrize("name", ZEEK)
def test_a_real_zeek_folder_is_read_scored_and_replayed(run, name):
    run(f"zeek:{shared(name)}")


def test_the_real_eve_file_is_read_scored_and_replayed(run):
    _, answer = run(f"eve:{shared('suricata/slips-test6-malicious.eve.json')}")
    assert answer.json["received"] == 5_000


@pytest.mark.parametrize("scan", ["horizontal", "vertical"])
def test_a_port_scan_is_found_as_a_scan_and_as_nothing_else(run, scan):
    home, _ = run(f"zeek:{shared(f'zeek/slips-port-scans/{scan}')}")
    kinds = {threat["kind"] for threat in myrmidon(home, "threats", "list").json}
    assert kinds
    assert kinds <= {"horizontal-scan", "vertical-scan"}


@pytest.mark.parametrize("form", ["zeek-labeled", "json"])
def test_exactly_the_infected_host_of_ctu_sme_11_becomes_an_incident(run, form):
    home, _ = run(f"zeek:{shared(f'zeek/ctu-sme-11-win/{form}')}")
    assert [incident["entities"] for incident in open_incidents(home)] == [["192.168.1.107"]]


def test_tsv_and_json_of_the_same_events_give_the_same_threats(run):
    found = []
    for form in ("zeek-default", "zeek-json"):
        home, _ = run(f"zeek:{shared(f'zeek/wrccdc-2018/{form}')}")
        threats = myrmidon(home, "threats", "list", "--limit", "1000").json
        found.append(sorted((t["kind"], t["entity"], t["first_seen"]) for t in threats))
    assert found[0] == found[1]


def test_unsw_raw_flows_by_source_host(run):
    path = shared("unsw-nb15/UNSW-NB15_1_first20001.parquet")
    home, _ = run(f"parquet:{path}")
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["srcip", "Label"]).to_pydict()
    attackers = {ip for ip, label in zip(table["srcip"], table["Label"], strict=True) if label}
    accused = {entity for incident in open_incidents(home) for entity in incident["entities"]}
    hit = accused & attackers
    assert len(hit) / len(attackers) >= 0.75
    assert len(hit) / len(accused) >= 0.5
