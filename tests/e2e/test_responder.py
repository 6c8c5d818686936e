"""Assessment, duplicates, exceptions and insights from the command line: two feeds that see the same day."""

from __future__ import annotations

import shutil
import sys
from collections import Counter

import pytest

from bench.story import write_day
from cli import main
from tests.e2e.swarm import Answer, myrmidon

ASSETS = '[assets.known]\n"10.20.0.40" = { class = "server", value = 10 }\n'


@pytest.fixture(scope="module")
def seen_twice(tmp_path_factory):
    """A home after a run over two feeds of the same small day."""
    folder, home = tmp_path_factory.mktemp("twice"), tmp_path_factory.mktemp("home")
    write_day(folder, seed=11, hosts=8, hours=0.7, attacks=("flood", "guessing", "scan"))
    (home / "config.toml").write_text(ASSETS)
    feeds = [part for name in ("one", "two") for part in ("--feed", f"{name}=zeek:{folder}/zeek")]
    assert myrmidon(home, "run", *feeds, "--until-eof").code == 0
    return home, feeds


@pytest.fixture
def program(monkeypatch, capsys):
    """The console script in this process: exit code, standard output and standard error."""

    def run(home, *words, as_json=True):
        monkeypatch.setattr(sys, "argv", ["myrmidon", "--home", str(home), *(["--json"] if as_json else []), *words])
        with pytest.raises(SystemExit) as ended:
            main.run_program()
        told = capsys.readouterr()
        return Answer(ended.value.code or 0, told.out, told.err)

    return run


@pytest.fixture
def ask(seen_twice, tmp_path, program):
    """Asks the program about a copy of the home that may be written into."""
    home = shutil.copytree(seen_twice[0], tmp_path / "home")
    return lambda *words, as_json=True: program(home, *words, as_json=as_json)


def threats(ask, *more):
    return ask("threats", "list", *more).json


def test_what_two_feeds_see_is_merged_counted_and_opens_one_incident(ask):
    listed = threats(ask)
    by_status = Counter(threat["status"] for threat in listed)
    assert by_status["merged"] == by_status["open"] > 0
    first = {threat["id"]: threat for threat in listed if threat["status"] == "open"}
    for threat in threats(ask, "--status", "merged"):
        other = first[threat["merged_into"]]
        assert (threat["entity"], threat["kind"]) == (other["entity"], other["kind"])
        assert threat["incident"] is None
        assert other["duplicates"] == 1
    for incident in ask("incidents", "list").json:
        assert set(incident["threats"]) <= set(first)


def test_the_contributions_of_every_threat_add_up_to_its_risk_and_are_told_in_words(ask):
    for threat in threats(ask):
        assert round(sum(part["points"] for part in threat["contributions"]), 2) == threat["risk"]
    flood = next(threat for threat in threats(ask) if threat["kind"] == "flood")
    assert "asset" in [part["name"] for part in flood["contributions"]]
    assert "10.20.0.40 is a server, worth 10 of 10" in ask("threats", "show", flood["id"], as_json=False).out


def test_another_run_under_another_micro_batch_gives_the_same_digest(seen_twice, tmp_path, program):
    home, feeds = seen_twice
    (tmp_path / "config.toml").write_text(ASSETS)
    again = myrmidon(tmp_path, "run", *feeds, "--until-eof", MYRMIDON_RUN__BATCH_ROWS="97").json
    assert again["log"]["digest"] == program(home, "status").json["log"]["digest"]


def test_an_exception_is_previewed_made_listed_and_taken_back(ask):
    flood = next(t for t in threats(ask) if t["kind"] == "flood" and t["status"] == "open")
    scope = ("--entity", flood["entity"], "--kind", "flood")
    before = ask("status").json["log"]["events"]
    preview = ask("suppress", "add", *scope, "--dry-run").json["preview"]
    assert (preview["covered"], preview["kinds"]) == (2, {"flood": 2})
    assert preview["incidents"] == [flood["incident"]]
    assert ask("status").json["log"]["events"] == before

    made = ask("suppress", "add", *scope, "--for", "7d", "--reason", "load test").json
    assert made["preview"] == preview
    (listed,) = ask("suppress", "list").json
    assert (listed["id"], listed["status"], listed["silenced"]) == (made["id"], "active", 1)
    incident = ask("incidents", "show", flood["incident"]).json
    assert incident["status"] == "resolved"
    assert incident["timeline"][-1]["text"].startswith("suppressed by ")
    assert [t["id"] for t in threats(ask, "--status", "suppressed")] == [flood["id"]]
    assert "load test" in ask("audit", "explain", flood["id"], as_json=False).out

    assert ask("feedback", flood["id"], "correct").code == 0
    assert ask("incidents", "show", flood["incident"]).json["status"] == "open"
    assert "it had silenced 1 threat\n" in ask("suppress", "remove", made["id"][:8], as_json=False).out
    assert ask("suppress", "list").json == []
    assert [s["status"] for s in ask("suppress", "list", "--all").json] == ["removed"]
    assert ask("suppress", "remove", made["id"][:8]).code == 1
    assert ask("audit", "replay").json["equal"] is True


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--for", "7d", "--reason", "x"), "at least one of --entity"),
        (("--entity", "10.0.0.1", "--for", "7y", "--reason", "x"), "no span"),
        (("--entity", "10.0.0.1", "--reason", "x"), "always ends"),
        (("--entity", "10.0.0.1", "--for", "7d"), "needs a reason"),
        (("--kind", "gossip", "--for", "7d", "--reason", "x"), "there is no kind"),
        (("--network", "10.0.0.0/99", "--for", "7d", "--reason", "x"), "10.0.0.0/8"),
        (("--network", "0.0.0.0/0", "--for", "7d", "--reason", "x"), "every address"),
        (("--network", "::/0", "--kind", "beacon", "--for", "7d", "--reason", "x"), "every address"),
        (("--entity", "10.0.0.1", "--for", "53w", "--reason", "x"), "365d at most"),
    ],
)
def test_an_exception_without_scope_end_or_reason_is_refused_in_one_line(seen_twice, program, options, told):
    answer = program(seen_twice[0], "suppress", "add", *options)
    assert answer.code == 2
    assert told in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_an_exception_that_is_not_there_names_the_command_that_lists_them(seen_twice, program):
    answer = program(seen_twice[0], "suppress", "remove", "zzz")
    assert answer.code == 1
    assert "see `myrmidon suppress list`" in answer.err


def test_insights_tell_accuracy_causes_and_what_to_do(ask):
    for threat in threats(ask):
        if threat["kind"] == "password-guessing":
            ask("feedback", threat["id"], "incorrect", "--correction", "forgotten password")
    ask("feedback", next(t["id"] for t in threats(ask) if t["kind"] == "flood"), "correct")
    found = ask("models", "insights").json
    assert {group["name"]: group["accuracy"] for group in found["by_kind"]} == {"password-guessing": 0.0, "flood": 1.0}
    assert found["error_causes"][0]["cause"] == "forgotten password"
    assert "forgotten password" in ask("models", "insights", as_json=False).out
