"""A secret that is missing from the shell keeps no operator from stopping."""

from __future__ import annotations

import pytest

from domain.gate import CAREFUL
from tests.responses.test_end_to_end import home, myrmidon, threaten

OPENC2 = 'type = "openc2-http"\nurl = "http://127.0.0.1:9/openc2"\ntoken_env = "MYRMIDON_TEST_TOKEN"\ntimeout = 1'
MISSING = "actuators.firewall.token_env: MYRMIDON_TEST_TOKEN is not set"


@pytest.fixture
def place(tmp_path):
    """A home in which a response is in force, by an actuator whose secret is not there any more."""
    made = home(tmp_path)
    threaten(made)
    assert myrmidon(made, "responses", "mode", "act").json["in_force"] == 1
    config = made / "config.toml"
    config.write_text(config.read_text().replace('type = "dry-run"', OPENC2))
    return made


def response_of(place):
    return myrmidon(place, "responses", "list").json[0]


def test_stop_records_observe_and_names_what_could_not_be_taken_back_and_the_setting(place):
    answer = myrmidon(place, "responses", "stop")
    found = response_of(place)
    assert (answer.code, answer.json["operators"], found["status"]) == (1, CAREFUL[0], "undoing")
    assert f"response {found['id'][:8]} could not be taken back" in answer.err
    assert MISSING in answer.err


def test_undo_says_which_setting_is_missing(place):
    answer = myrmidon(place, "responses", "undo", response_of(place)["id"])
    assert answer.code == 1
    assert MISSING in answer.json["response"]["actions"][0]["error"]


def test_a_verdict_is_recorded_without_the_secret(place):
    threat = myrmidon(place, "threats", "list").json[0]["id"]
    assert myrmidon(place, "feedback", threat, "incorrect").code == 0
    assert myrmidon(place, "threats", "list").json[0]["status"] != "open"


def test_an_exception_is_made_without_the_secret(place):
    words = ("--kind", "password-guessing", "--for", "1d", "--reason", "known")
    assert myrmidon(place, "suppress", "add", *words).code == 0


def test_what_waits_is_rejected_without_the_secret_and_approved_only_with_it(tmp_path):
    place = home(tmp_path, mode="suggest", firewall=OPENC2)
    threaten(place)
    myrmidon(place, "responses", "mode", "suggest")
    found = response_of(place)
    assert found["status"] == "proposed"
    assert myrmidon(place, "responses", "approve", found["id"]).code == 2
    assert response_of(place)["status"] == "proposed"
    assert myrmidon(place, "responses", "reject", found["id"]).code == 0
    assert response_of(place)["status"] == "rejected"


def test_what_nobody_asks_about_waits_for_the_secret(tmp_path):
    place = home(tmp_path, firewall=OPENC2)
    threaten(place)
    myrmidon(place, "responses", "mode", "act")
    assert response_of(place)["status"] == "approved"
