"""Artifacts that were changed or lost, seen from the command line: refused, told, and the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.office import QUICK, office, office_log
from tests.e2e.swarm import Answer, myrmidon


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A home after a run in which models were fitted."""
    place = tmp_path_factory.mktemp("artifacts")
    (place / "home").mkdir()
    (place / "home" / "config.toml").write_text(QUICK)
    (place / "conn.log").write_text(office_log(40))
    assert run(place).code == 0
    return place


def run(place: Path) -> Answer:
    return myrmidon(place / "home", "run", "--feed", f"zeek:{place / 'conn.log'}", "--until-eof")


def stored(place: Path, sha256: str) -> Path:
    return place / "home" / "artifacts" / sha256[:2] / sha256


def test_a_changed_and_a_missing_model_are_refused_told_and_go_on_serving_from_the_working_state(place):
    models = {each["name"]: each for each in myrmidon(place / "home", "models", "list").json}
    assert {each["artifact"] for each in models.values()} == {"sound"}
    changed, missing = (stored(place, models[name]["sha256"]) for name in ("zeek.bayes", "zeek.sequence"))
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    missing.unlink()
    with (place / "conn.log").open("a") as file:
        file.write(office(5, begin=40))
    told = run(place)
    assert told.code == 0, told.err
    assert f"model bayes {models['zeek.bayes']['version']}: artifact {changed} was changed" in told.err
    assert f"model sequence {models['zeek.sequence']['version']}: artifact" in told.err
    assert "goes on serving" in told.err
    after = {each["name"]: each for each in myrmidon(place / "home", "models", "list").json}
    assert {name: each["version"] for name, each in after.items()} == {
        name: each["version"] for name, each in models.items()
    }
    assert "was changed" in after["zeek.bayes"]["artifact"]
    table = myrmidon(place / "home", "models", "list", as_json=False).out
    assert "CHANGED" in table
    assert "MISSING" in table
    assert "was changed" in myrmidon(place / "home", "models", "show", "bayes", as_json=False).out
    refused = myrmidon(place / "home", "audit", "log", "--kind", "artifact-refused").json
    assert [each["fact"]["model"] for each in refused] == ["bayes", "sequence"]
    status = myrmidon(place / "home", "status").json
    assert status["health"] == "degraded"
    assert any("zeek.bayes" in reason and "was changed" in reason for reason in status["reasons"])


def test_a_rule_set_that_was_lost_is_written_anew_when_the_rules_on_disk_are_still_the_same(place):
    [loaded] = myrmidon(place / "home", "audit", "log", "--kind", "rules-loaded").json
    rules = stored(place, loaded["fact"]["sha256"])
    rules.unlink()
    told = run(place)
    assert told.code == 0, told.err
    assert "The rules on disk are the same" in told.err
    assert rules.exists()
