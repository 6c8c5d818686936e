"""Rows that are read again after a restart must be the rows that were decided on; the log's end must be there."""

from __future__ import annotations

import json
import shutil

from tests.e2e.rows import HEADER, T0, calm
from tests.e2e.swarm import myrmidon
from tests.feeds.test_inorder import events


def test_a_row_that_changed_before_it_was_read_again_is_a_recorded_fault(tmp_path):
    home, log = tmp_path / "home", tmp_path / "conn.log"
    log.write_text(HEADER + calm(T0, 30))
    run = ("run", "--feed", f"zeek:{log}", "--until-eof")
    assert myrmidon(home, *run).code == 0
    shutil.rmtree(home / "state")
    log.write_text(HEADER + calm(T0, 30) + calm(T0 + 3600, 3))
    told = myrmidon(home, *run)
    assert "read again" not in told.err, "the same rows are no news"
    shutil.rmtree(home / "state")
    log.write_text(log.read_text().replace(f"D{T0 + 7}\t10.0.0.9", f"D{T0 + 7}\t10.0.0.8"))
    told = myrmidon(home, *run)
    assert told.code == 0
    assert "rows that were read again after a restart are not those that were decided on" in told.err
    faults = myrmidon(home, "audit", "log", "--kind", "feed-fault").json
    assert [(fault["fact"]["reason"][:7], fault["fact"]["row"]) for fault in faults] == [("changed", 8)]
    assert myrmidon(home, "audit", "verify").json["ok"] is True


def test_a_sorted_capture_is_read_again_in_the_same_order(tmp_path):
    home, log = tmp_path / "home", tmp_path / "eve.json"
    log.write_bytes(events(300))
    run = ("run", "--feed", f"eve:{log}", "--until-eof")
    first = myrmidon(home, *run)
    assert first.json["late"] == 0
    shutil.rmtree(home / "state")
    log.write_bytes(events(300) + events(40, seed=2, begin=3000.0))
    again = myrmidon(home, *run)
    assert again.code == 0
    assert "read again" not in again.err
    assert again.json["received"] == 301 + 41


def test_status_says_that_the_tail_of_the_log_was_cut_when_a_checkpoint_tells(tmp_path):
    home, log = tmp_path / "home", tmp_path / "conn.log"
    log.write_text(HEADER + calm(T0, 5))
    assert myrmidon(home, "run", "--feed", f"zeek:{log}", "--until-eof").code == 0
    mark = home / "checkpoints" / "latest.json"
    missing = myrmidon(home, "audit", "checkpoint", str(mark))
    assert missing.code == 1
    assert "make its folder" in missing.err
    mark.parent.mkdir()
    assert myrmidon(home, "audit", "checkpoint", str(mark)).code == 0
    assert myrmidon(home, "status").json["health"] == "healthy"
    told = json.loads(mark.read_text())
    mark.write_text(json.dumps(told | {"position": told["position"] + 1}))
    status = myrmidon(home, "status").json
    assert status["health"] == "critical"
    assert "its tail was cut" in status["reasons"][0]


def test_counts_of_one_are_told_in_the_singular(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + calm(T0, 1))
    told = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{log}", "--until-eof", as_json=False).out
    assert "1 row received" in told
    assert "0 threats, 0 incidents" in told


def test_a_run_without_news_says_so(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + calm(T0, 3) + "broken\n")
    words = ("run", "--feed", f"zeek:{log}", "--until-eof")
    first = myrmidon(tmp_path / "home", *words, as_json=False)
    assert "1 malformed row;" in first.err
    assert first.out.startswith("4 rows received")
    assert " rows/s" in first.out
    again = myrmidon(tmp_path / "home", *words, as_json=False).out
    assert again.startswith("nothing new was read in this run")
    assert "rows/s" not in again
    with log.open("a") as more:
        more.write(calm(T0 + 99, 2))
    assert "2 rows new in this run; in all 6 rows received" in myrmidon(tmp_path / "home", *words, as_json=False).out


def test_a_feed_whose_file_cannot_be_read_is_told_by_status(tmp_path):
    log, home = tmp_path / "conn.log", tmp_path / "home"
    log.write_bytes(b"\x7fELF\x00\x01" * 400)
    assert myrmidon(home, "run", "--feed", f"zeek:{log}", "--until-eof").code == 1
    [reason] = myrmidon(home, "status").json["reasons"]
    assert "a file of the feed could not be used: conn.log" in reason
    assert "`myrmidon --home ANOTHER run --until-eof --feed zeek:PATH/conn.log` says what is wrong with it" in reason
