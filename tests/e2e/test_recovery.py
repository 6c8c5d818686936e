"""What happens between two runs: crashes, lost snapshots, files that grow, appear or vanish, settings that change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.story import write_day
from tests.e2e.rows import HEADER, T0, calm, scan
from tests.e2e.swarm import Answer, myrmidon, start, until

HOUR = 3600


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, seed=5, hosts=20, hours=1.5)
    return folder / "zeek"


def cut(source: Path, target: Path, begin: int, end: int) -> None:
    """Lines `begin` to `end` of a log, appended."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open() as lines, target.open("a") as file:
        file.writelines(line for number, line in enumerate(lines) if begin <= number < end)


def run(home: Path, feed: Path, **settings: str) -> Answer:
    answer = myrmidon(home, "run", "--feed", f"zeek:{feed}", "--until-eof", **settings)
    assert answer.code == 0, answer.err
    told = answer.json
    assert told["received"] == told["scored"] + told["skipped"] + told["malformed"]
    assert myrmidon(home, "audit", "verify").json["ok"] is True
    return answer


def received(home: Path) -> int:
    return sum(each["received"] for each in myrmidon(home, "status").json["feeds"])


def killed_after(home: Path, feed: Path, rows: int, **settings: str) -> None:
    """Follow a feed live, and kill -9 when the log says that so many rows were taken."""
    daemon = start(home, "run", "--feed", f"zeek:{feed}", **settings)
    try:
        until(lambda: received(home) >= rows)
    finally:
        daemon.kill()
        daemon.wait()


@pytest.mark.parametrize("pause", [1.5, 3, 20, 30])
def test_an_entity_that_acts_again_after_a_pause_is_no_contradiction(tmp_path, pause):
    again = T0 + 200 + int(pause * HOUR)
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 60) + calm(T0 + 120, int(pause * 60)) + scan(0, 60, at=again) + calm(again + 90, 5))
    run(tmp_path / "home", log)
    threats = myrmidon(tmp_path / "home", "threats", "list").json
    assert {threat["kind"] for threat in threats} == {"horizontal-scan"}
    assert max(threat["last_seen"] for threat in threats) > "2023-11-14T22:14"


def test_a_lost_snapshot_changes_nothing_even_when_the_feed_has_grown(tmp_path, day):
    digests = []
    for lose in (False, True):
        home, log = tmp_path / f"home-{lose}", tmp_path / f"feed-{lose}" / "conn.log"
        cut(day / "conn.log", log, 0, 12_000)
        run(home, log.parent)
        cut(day / "conn.log", log, 12_000, 16_000)
        if lose:
            for file in (home / "state").iterdir():
                file.unlink()
        digests.append(run(home, log.parent).json["log"]["digest"])
    assert digests[0] == digests[1]


def test_a_decisive_setting_may_change_between_runs(tmp_path, day):
    home, log = tmp_path / "home", tmp_path / "feed" / "conn.log"
    cut(day / "conn.log", log, 0, 6_000)
    run(home, log.parent)
    cut(day / "conn.log", log, 6_000, 12_000)
    assert run(home, log.parent, MYRMIDON_SEED="7").json["received"] == 11_992


def test_a_feed_name_belongs_to_one_kind_of_feed(tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 5))
    run(tmp_path / "home", log)
    answer = myrmidon(tmp_path / "home", "run", "--feed", f"zeek=eve:{log}", "--until-eof")
    assert answer.code == 2
    assert "opened as zeek" in answer.err


def test_a_bad_file_beside_a_growing_one_does_not_stop_the_second_run(tmp_path, day):
    home, folder = tmp_path / "home", tmp_path / "feed"
    cut(day / "conn.log", folder / "conn.log", 0, 3_000)
    (folder / "dns.log").write_text("not a log\n")
    first = myrmidon(home, "run", "--feed", f"zeek:{folder}", "--until-eof")
    cut(day / "conn.log", folder / "conn.log", 3_000, 6_000)
    second = myrmidon(home, "run", "--feed", f"zeek:{folder}", "--until-eof")
    assert (first.code, second.code) == (1, 1)
    assert second.json["received"] == 5_992
    faults = myrmidon(home, "audit", "log", "--kind", "feed-fault").json
    assert {fact["fact"]["sample"] for fact in faults} == {"dns.log"}


def test_a_log_that_appeared_while_the_daemon_was_down_does_not_end_the_recovery(tmp_path, day):
    home, folder = tmp_path / "home", tmp_path / "feed"
    cut(day / "conn.log", folder / "conn.log", 0, 12_000)
    killed_after(home, folder, 11_992)
    cut(day / "ssh.log", folder / "ssh.log", 0, 10**9)
    logins = [line for line in (day / "ssh.log").read_text().splitlines() if not line.startswith("#")]
    assert run(home, folder).json["received"] == 11_992 + len(logins)


def test_rows_taken_out_of_the_merge_order_are_rebuilt_in_the_order_they_were_taken(tmp_path, day):
    home, folder = tmp_path / "home", tmp_path / "feed"
    cut(day / "conn.log", folder / "conn.log", 0, 9_000)
    cut(day / "dns.log", folder / "dns.log", 0, 100)
    settings = {"MYRMIDON_RUN__IDLE_RELEASE": "1"}
    daemon = start(home, "run", "--feed", f"zeek:{folder}", **settings)
    try:
        until((home / "log.db").exists)
        until(lambda: myrmidon(home, "audit", "log", "--kind", "log-released").json)  # conn goes on without dns
        cut(day / "dns.log", folder / "dns.log", 100, 1_000)
        until(lambda: received(home) >= 9_984)
    finally:
        daemon.kill()
        daemon.wait()
    cut(day / "conn.log", folder / "conn.log", 9_000, 14_000)
    assert run(home, folder).json["received"] == 9_984 + 5_000
    assert myrmidon(home, "audit", "replay").json["equal"] is True


def test_rows_that_are_gone_are_a_recorded_gap_and_totals_run_on(tmp_path, day):
    home, folder = tmp_path / "home", tmp_path / "feed"
    cut(day / "conn.log", folder / "conn.log", 0, 12_000)
    killed_after(home, folder, 11_992)
    (folder / "conn.log").unlink()
    cut(day / "conn.log", folder / "conn.log", 0, 8)
    cut(day / "conn.log", folder / "conn.log", 13_000, 15_000)
    told = myrmidon(home, "run", "--feed", f"zeek:{folder}", "--until-eof").json
    assert told["received"] == 11_992 + 2_000
    faults = myrmidon(home, "audit", "log", "--kind", "feed-fault").json
    gaps = [each for each in faults if each["fact"]["reason"].startswith("gap")]
    assert [gap["fact"]["count"] for gap in gaps] == [11_992]
    first, *_ = myrmidon(home, "audit", "log", "--kind", "batch-scored").json
    assert gaps[0]["occurred_at"] >= first["occurred_at"]  # after what was decided before it, not at the epoch
    assert run(home, folder).json["received"] == told["received"]


def test_an_operators_resolution_is_not_undone_by_older_facts(tmp_path):
    home, log = tmp_path / "home", tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 60))
    killed_after(home, log, 60)
    run(home, log)
    incident = myrmidon(home, "incidents", "list").json
    assert myrmidon(home, "incidents", "resolve", incident[0]["id"]).code == 0
    run(home, log)
    assert [each["status"] for each in myrmidon(home, "incidents", "list").json] == ["resolved"]
