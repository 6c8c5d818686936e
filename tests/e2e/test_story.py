"""The generated story: what was hidden is found, a benign day is quiet, and the answer never depends on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.story import Truth, write_day
from tests.e2e.rows import HEADER, scan
from tests.e2e.swarm import myrmidon


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("story")
    return folder, write_day(folder, seed=11, hosts=24, hours=4.0)


@pytest.fixture(scope="module")
def hunted(story, tmp_path_factory) -> tuple[Path, dict]:
    home = tmp_path_factory.mktemp("home")
    answer = myrmidon(home, "run", "--feed", f"zeek:{story[0] / 'zeek'}", "--until-eof")
    assert answer.code == 0, answer.err
    return home, answer.json


def test_every_attack_of_the_story_is_found_with_its_entity(story, hunted):
    threats = {(t["kind"], t["entity"]) for t in myrmidon(hunted[0], "threats", "list", "--limit", "1000").json}
    assert {(a.kind, a.entity) for a in story[1].attacks} <= threats


def test_no_benign_host_is_accused(story, hunted):
    accused = {entity for incident in myrmidon(hunted[0], "incidents", "list").json for entity in incident["entities"]}
    involved = {a.entity for a in story[1].attacks} | {peer for a in story[1].attacks for peer in a.peers}
    assert accused <= involved


@pytest.mark.parametrize("flavour", ["office", "school"])
def test_a_generated_benign_day_gives_no_incident(tmp_path, flavour):
    write_day(tmp_path, seed=5, hosts=24, hours=4.0, attacks=(), flavour=flavour)
    told = myrmidon(tmp_path / "home", "run", "--feed", f"zeek:{tmp_path / 'zeek'}", "--until-eof").json
    assert told["incidents"] == 0


def test_rows_that_come_one_by_one_give_the_same_digest(tmp_path):
    (tmp_path / "conn.log").write_text(HEADER + scan(0, 300))
    feed = f"zeek:{tmp_path / 'conn.log'}"
    one, many = (
        myrmidon(tmp_path / size, "run", "--feed", feed, "--until-eof", MYRMIDON_RUN__BATCH_ROWS=size).json["log"]
        for size in ("1", "1000")
    )
    assert one["digest"] == many["digest"]


@pytest.mark.parametrize("rows", ["17", "173", "10000"])
def test_the_same_input_gives_the_same_digest_under_any_micro_batch(story, hunted, tmp_path, rows):
    answer = myrmidon(
        tmp_path,
        "run",
        "--feed",
        f"zeek:{story[0] / 'zeek'}",
        "--until-eof",
        MYRMIDON_RUN__BATCH_ROWS=rows,
        PYTHONHASHSEED=rows,
    )
    assert answer.json["log"]["digest"] == hunted[1]["log"]["digest"]


def test_a_second_run_over_the_same_feed_adds_nothing(story, hunted):
    again = myrmidon(hunted[0], "run", "--feed", f"zeek:{story[0] / 'zeek'}", "--until-eof").json
    assert again["log"] == hunted[1]["log"]
    assert again["received"] == hunted[1]["received"]


def test_replay_equals_live_and_the_chain_is_whole(hunted):
    replay = myrmidon(hunted[0], "audit", "replay").json
    assert replay["equal"] is True
    assert replay["live"] == replay["replayed"]
    assert myrmidon(hunted[0], "audit", "verify").json["ok"] is True
    assert myrmidon(hunted[0], "audit", "rescore").json["equal"] is True


def test_a_verdict_on_every_threat_of_an_incident_resolves_it(hunted):
    home = hunted[0]
    incident = next(i for i in myrmidon(home, "incidents", "list").json if i["status"] == "open")
    for threat in incident["threats"]:
        assert myrmidon(home, "feedback", threat[:13], "incorrect").code == 0
    shown = myrmidon(home, "incidents", "show", incident["id"]).json
    assert shown["status"] == "resolved"
    assert myrmidon(home, "audit", "replay").json["equal"] is True


def test_explain_tells_what_who_why_and_by_which_versions(hunted):
    threat = myrmidon(hunted[0], "threats", "list").json[0]
    told = myrmidon(hunted[0], "audit", "explain", threat["id"], as_json=False).out
    assert threat["entity"] in told
    for technique in threat["techniques"]:
        assert technique in told
    assert "settings" in told
