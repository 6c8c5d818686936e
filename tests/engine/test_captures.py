"""Real captures: what must be found is found, and nothing else is decided."""

from __future__ import annotations

from domain.thresholds import Thresholds
from engine.behaviours import all_behaviours
from tests.data import shared
from tests.engine.reader import read


def decisions(kind: str, name: str) -> set[tuple[str, str]]:
    """(kind, entity) of every decision of the behaviours on a capture."""
    frame = read(f"{kind}:{shared(name)}").scored()
    found = [s for behaviour in all_behaviours(Thresholds()) for s in behaviour.sense(frame)]
    return {(s.kind, s.entity) for s in found if s.score >= 1}


def test_the_horizontal_scan_is_found_and_nothing_else():
    assert decisions("zeek", "zeek/slips-port-scans/horizontal") == {("horizontal-scan", "10.0.2.112")}


def test_the_vertical_scan_is_found_and_nothing_else():
    assert decisions("zeek", "zeek/slips-port-scans/vertical") == {("vertical-scan", "192.168.1.9")}


def test_the_bot_that_calls_its_dead_home_is_found_and_its_neighbours_are_not():
    for form in ("zeek-labeled", "json"):
        assert decisions("zeek", f"zeek/ctu-sme-11-win/{form}") == {("beacon", "192.168.1.107")}


def test_the_beacon_behind_a_proxy_is_found():
    assert decisions("zeek", "zeek/rita-proxy") == {("beacon", "10.136.0.18")}


def test_the_scanner_of_the_competition_guesses_at_remote_desktops():
    assert decisions("zeek", "zeek/wrccdc-2018/zeek-default") == {("password-guessing", "10.164.94.120")}


def test_a_day_behind_a_web_proxy_and_a_browsing_virtual_machine_are_silent():
    assert decisions("zeek", "zeek/rita-proxy-rolling") == set()
    assert decisions("zeek", "zeek/slips-test9-mixed-zeek-dir") == set()


def test_scanners_from_the_internet_are_found_in_eve():
    found = decisions("eve", "suricata/slips-test6-malicious.eve.json")
    assert ("vertical-scan", "193.46.255.92") in found
    assert {kind for kind, _ in found} <= {"vertical-scan", "horizontal-scan", "beacon"}


def test_the_attackers_of_unsw_are_found_by_source_host():
    attackers = {f"175.45.176.{n}" for n in range(4)}
    found = {entity for _, entity in decisions("parquet", "unsw-nb15/UNSW-NB15_1_first20001.parquet")}
    assert len(found & attackers) / len(attackers) >= 0.75
    assert len(found & attackers) / len(found) >= 0.5
