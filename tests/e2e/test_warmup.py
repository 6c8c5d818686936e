"""Warm-up, votes, latencies and what had to make room, as `status` and `models` show them."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.office import QUICK, office, office_log
from tests.e2e.swarm import Answer, myrmidon

NARROW = QUICK + "max_hosts = 4\n"


def run(home: Path, capture: Path, config: str = QUICK, **settings: str) -> Answer:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(config)
    done = myrmidon(home, "run", "--feed", f"zeek:{capture}", "--until-eof", **settings)
    assert done.code == 0, done.err
    return done


def test_the_warm_up_of_every_profile_is_told_with_its_counts_until_it_is_over(tmp_path):
    home, capture = tmp_path / "home", tmp_path / "conn.log"
    capture.write_text(office_log(8))
    run(home, capture)
    baselines = {each["name"]: each for each in myrmidon(home, "status").json["baselines"]}
    assert baselines["zeek.hosts"] == {"name": "zeek.hosts", "state": "warming-up", "seen": 36, "needed": 64}
    assert "the models are warming up: 36 of 64 host windows" in myrmidon(home, "status", as_json=False).out
    listed = myrmidon(home, "models", "list", as_json=False)
    assert "no model yet" in listed.out
    assert "36 of 64" in listed.err
    with capture.open("a") as file:
        file.write(office(40, begin=8))
    run(home, capture)
    baselines = {each["name"]: each["state"] for each in myrmidon(home, "status").json["baselines"]}
    assert baselines == {"zeek.hosts": "learned", "zeek.night": "learned"}
    assert "warming up" not in myrmidon(home, "models", "list", as_json=False).err
    shown = myrmidon(home, "models", "show", "bayes").json
    assert shown["judged"] > 0
    assert shown["latency"]["windows"] > 0
    assert shown["versions"][0]["samples"] == 64
    words = myrmidon(home, "models", "show", "bayes", as_json=False).out
    assert "host windows judged" in words
    assert "us a host window on average" in words


def test_what_had_to_make_room_is_recorded_and_shown_whatever_the_batches(tmp_path):
    capture = tmp_path / "conn.log"
    capture.write_text(office_log(12))
    first = run(tmp_path / "a", capture, NARROW)
    second = run(tmp_path / "b", capture, NARROW, MYRMIDON_RUN__BATCH_ROWS="7")
    assert first.json["log"]["digest"] == second.json["log"]["digest"]
    evicted = myrmidon(tmp_path / "a", "status").json["evicted"]["zeek"]
    assert evicted["hosts_over_limit"] > 0
    assert f"hosts_over_limit {evicted['hosts_over_limit']}" in myrmidon(tmp_path / "a", "status", as_json=False).out
    told = myrmidon(tmp_path / "a", "audit", "log", "--kind", "state-evicted").json
    assert told[-1]["fact"]["totals"] == evicted
