"""The daemon on live, rotating logs: followers in another process, a clean stop, status meanwhile."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.rows import HEADER, scan
from tests.e2e.swarm import myrmidon, start, until


def feeds(home: Path) -> dict[str, dict[str, int]]:
    return {feed["name"]: feed for feed in myrmidon(home, "status").json["feeds"]}


def test_a_live_log_is_followed_through_a_rotation_and_a_restart(tmp_path):
    logs, home = tmp_path / "logs", tmp_path / "home"
    logs.mkdir()
    log = logs / "conn.log"
    log.write_text(HEADER + scan(0, 30))
    daemon = start(home, "run", "--feed", f"zeek:{log}")
    try:
        until(lambda: (home / "log.db").exists() and myrmidon(home, "threats", "list").json)
        assert myrmidon(home, "threats", "list").json[0]["entity"] == "10.0.0.66"
        until(lambda: myrmidon(home, "incidents", "list").json)
        log.rename(logs / "conn.log.1")
        log.write_text(HEADER + scan(30, 30))
        until(lambda: feeds(home)["zeek"]["received"] == 60)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=120) == 0
        assert feeds(home)["zeek"]["received"] == 60
        with log.open("a") as file:
            file.write(scan(60, 40))
        daemon = start(home, "run", "--feed", f"zeek:{log}", own_group=True)
        until(lambda: feeds(home)["zeek"]["received"] == 100)
        os.killpg(daemon.pid, signal.SIGTERM)  # the whole group at once, as a service manager does
        assert daemon.wait(timeout=120) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert feeds(home)["zeek"]["received"] == 100
    assert len(myrmidon(home, "threats", "list").json) == 1
    assert myrmidon(home, "audit", "verify").json["ok"] is True


def test_the_responder_can_run_in_a_process_of_its_own(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 30))
    assert myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{log}", "--until-eof", "--agents", "detector").code == 0
    assert myrmidon(tmp_path / "home", "incidents", "list").json == []
    responder = start(tmp_path / "home", "run", "--agents", "responder")
    try:
        until(lambda: myrmidon(tmp_path / "home", "incidents", "list").json)
    finally:
        responder.send_signal(signal.SIGTERM)
        assert responder.wait(timeout=120) == 0


def test_one_feed_has_one_reader(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 5))
    daemon = start(tmp_path / "home", "run", "--feed", f"zeek:{log}")
    try:
        until((tmp_path / "home" / "log.db").exists)
        until(lambda: feeds(tmp_path / "home"))
        second = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{log}", "--until-eof")
        assert second.code == 1
        assert str(daemon.pid) in second.err
    finally:
        daemon.kill()
        daemon.wait()


def test_a_bad_file_in_a_live_folder_is_told_at_once(tmp_path):
    logs, home = tmp_path / "logs", tmp_path / "home"
    logs.mkdir()
    (logs / "conn.log").write_text(HEADER + scan(0, 30))
    daemon = start(home, "run", "--feed", f"zeek:{logs}")
    try:
        until(lambda: (home / "log.db").exists() and feeds(home))
        (logs / "junk.log").write_bytes(b"\x00\x01\x02 not a log\n" * 100)
        until(lambda: myrmidon(home, "status").json["health"] == "degraded")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=120)


def test_a_silent_feed_degrades_health(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 5))
    settings = {"MYRMIDON_RUN__SILENT_AFTER": "0.5", "MYRMIDON_RUN__HEALTH_EVERY": "0.5"}
    daemon = start(tmp_path / "home", "run", "--feed", f"zeek:{log}", **settings)
    try:
        until((tmp_path / "home" / "log.db").exists)
        until(lambda: myrmidon(tmp_path / "home", "status").json["health"] == "degraded")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=120)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"\x7fELF\x00\x01" * 400), "neither"),
        (lambda path: path.with_suffix(".x").touch(), "no such"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_one_line_and_exit_code_1(tmp_path, make, words):
    path = tmp_path / "conn.log"
    make(path)
    answer = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{path}", "--until-eof")
    assert answer.code == 1
    assert str(path) in answer.err
    json.loads(answer.out)


def test_a_bad_file_among_good_ones_does_not_stop_the_rest(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "conn.log").write_text(HEADER + scan(0, 30))
    (folder / "dns.log").write_bytes(b"\x00\x01\x02 not a log")
    answer = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{folder}", "--until-eof")
    assert answer.code == 1
    assert answer.json["received"] == 30
    assert answer.json["threats"] == 1


def test_a_feed_that_yields_nothing_says_so(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER)
    answer = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{log}", "--until-eof")
    assert "yielded nothing" in answer.err


@pytest.mark.parametrize("spec", ["zeek", "pcap:x", "zeek:", "a=b=zeek:x"])
def test_a_wrong_feed_is_a_usage_error(tmp_path, spec):
    answer = myrmidon(tmp_path / "home", "run", "--feed", spec, "--until-eof")
    assert answer.code == 2
    assert answer.out == ""


def test_a_setting_that_does_not_exist_is_refused(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[thresholds.beacon]\ncals = 3\n")
    answer = myrmidon(tmp_path / "home", "--config", str(file), "run", "--feed", f"zeek:{file}", "--until-eof")
    assert answer.code == 2
    assert "cals" in answer.err
