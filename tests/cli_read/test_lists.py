"""threats and incidents: their JSON contracts, filters and words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.log import open_log
from domain.values import HOUR
from tests.cli_read.conftest import log_of
from tests.projections.story import NOON, assessed, continued, detected, drafts, merged, opened, uid

A, B = str(uid("a")), str(uid("b"))


def test_threats_list_keeps_its_contract(shell):
    first, second = shell.json("threats", "list")
    assert [first["id"], second["id"]] == [B, A]
    wanted = {"id", "entity", "kind", "risk", "level", "confidence", "detected_at", "first_seen", "last_seen", "votes",
              "rules", "techniques", "peers", "flows", "status", "incident", "features", "verdicts"}  # fmt: skip
    assert wanted <= set(first)
    assert second["votes"] == [{"model": "behaviour/beacon", "version": "1", "p": None, "vote": True}]
    assert (
        second["flows"][1].items()
        >= {
            "src_ip": "10.0.0.5",
            "dst_ip": "203.0.113.9",
            "dst_port": 443,
            "ts": "2018-03-24T12:00:00.000001Z",
        }.items()
    )
    assert (first["status"], first["verdicts"][0]["verdict"]) == ("dismissed", "incorrect")


def test_incidents_list_keeps_its_contract(shell):
    (incident,) = shell.json("incidents", "list")
    assert {"id", "status", "level", "risk", "title", "opened_at", "entities", "threats"} <= set(incident)
    assert incident["threats"] == [A, B]
    assert incident["opened_at"] == "2018-03-24T12:00:02Z"
    assert incident["status"] == "open"


def test_an_incident_keeps_up_with_its_threats(empty):
    went_on = continued("a")[1]
    later = replace(went_on, title="it calls home: 300 connections", last_seen=NOON + 2 * HOUR)
    log = open_log(log_of(empty.home), lambda: NOON)
    log.append(drafts(detected("a"), opened("A", "a"), detected("b"), opened("B", "b"), merged("B", "A")))
    log.append(drafts((f"threat/{later.threat}", later), start=NOON + HOUR))
    log.close()
    (listed,) = empty.json("incidents", "list", "--since", "2018-03-24T13:30:00Z")
    shown = empty.json("incidents", "show", str(uid("A")))
    told = empty.json("audit", "explain", str(uid("A")))
    for incident in (listed, shown, told["incident"]):
        assert (incident["title"], incident["updated_at"]) == (later.title, "2018-03-24T14:00:00Z")
    assert told["what"].startswith(later.title)


def test_lists_take_filters(shell):
    assert [t["id"] for t in shell.json("threats", "list", "--entity", "10.0.0.6")] == [B]
    assert shell.json("threats", "list", "--level", "critical") == []
    assert len(shell.json("threats", "list", "--level", "medium")) == 2
    assert [i["level"] for i in shell.json("incidents", "list", "--level", "high")] == ["critical"]
    assert shell.json("threats", "list", "--since", "2h") == []
    assert len(shell.json("threats", "list", "--since", "2018-03-24", "--until", "2018-03-25T00:00:00Z")) == 2
    assert len(shell.json("threats", "list", "--limit", "1")) == 1
    assert [i["merged_into"] for i in shell.json("incidents", "list", "--status", "merged")] == [str(uid("A"))]


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--level", "huge"), ("--limit", "0")])
def test_a_filter_that_says_nothing_is_wrong_usage(shell, words):
    shell.run("threats", "list", *words, code=2)


@pytest.mark.parametrize("group", ["threats", "incidents"])
def test_a_home_without_a_log_has_empty_lists_and_says_what_to_do(empty, group):
    assert empty.json(group, "list") == []
    assert "myrmidon demo" in " ".join(empty.run(group, "list").stdout.split())
    assert not empty.home.exists()


@pytest.mark.parametrize("group", ["threats", "incidents"])
def test_a_filter_that_leaves_nothing_says_so(shell, group):
    assert "loosen" in shell.run(group, "list", "--entity", "192.0.2.1").stdout


@pytest.mark.parametrize(
    "words", [("threats", "show", A), ("incidents", "show", str(uid("A"))), ("audit", "explain", A)]
)
def test_words_fit_into_100_columns_of_a_terminal(shell, words, monkeypatch):
    in_a_pipe = shell.run(*words).stdout.splitlines()
    monkeypatch.setattr("cli.output.is_terminal", lambda: True)
    lines = shell.run(*words).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(in_a_pipe) < len(lines), "in a pipe nothing is broken"


def test_a_table_in_a_pipe_cuts_no_name_and_breaks_no_row(shell):
    lines = shell.run("audit", "log", "--kind", "threat-detected").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == [f"threat/{A}", f"threat/{B}"]
    assert len(shell.run("threats", "list").stdout.splitlines()) == 3


def test_incidents_are_found_by_who_stands_on_the_other_side(shell):
    assert [i["id"] for i in shell.json("incidents", "list", "--entity", "203.0.113.9")] == [str(uid("A"))]
    assert shell.json("incidents", "list", "--entity", "203.0.113.8") == []
    assert shell.json("audit", "replay")["equal"]


def test_show_takes_the_beginning_of_an_id(shell):
    assert shell.json("threats", "show", A[:6])["id"] == A
    assert shell.json("incidents", "show", str(uid("A"))[:6])["notes"][0]["text"] == "called the owner"


def test_show_tells_an_incident_in_words(shell):
    text = shell.run("incidents", "show", str(uid("A"))[:8]).stdout
    for part in ("critical".upper(), "Entities: 10.0.0.5, 10.0.0.6", B[:8], "called the owner", "incident-merged"):
        assert part in text


def test_a_merged_incident_says_where_it_went(shell):
    assert str(uid("A")) in shell.run("incidents", "show", str(uid("B"))[:8]).stdout


@pytest.mark.parametrize("prefix", ["ffffffff", "", "%"])
def test_an_unknown_id_is_one_line_and_exit_1(shell, prefix):
    result = shell.run("threats", "show", prefix, code=1)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "myrmidon threats list" in result.stderr


def test_an_id_that_begins_two_is_refused(shell):
    log_ids = [str(uid(n)) for n in range(40)]
    twins = {i[0] for i in log_ids if sum(j[0] == i[0] for j in log_ids) > 1}
    from adapters.log import open_log
    from config.home import Home
    from tests.projections.story import NOON, detected, drafts

    log = open_log(Home(shell.home).log_location, lambda: NOON)
    log.append(drafts(*(detected(n) for n in range(40)), start=NOON + 10**9))
    log.close()
    assert "more than one" in shell.run("threats", "show", min(twins), code=1).stderr


def test_control_characters_of_telemetry_do_not_reach_the_terminal(empty):
    from adapters.log import open_log
    from tests.cli_read.conftest import log_of
    from tests.projections.story import NOON, detected, drafts

    log = open_log(log_of(empty.home), lambda: NOON)
    log.append(drafts(detected("x", entity="a\x1b[31m\x07b")))
    log.close()
    for words in (("threats", "list"), ("threats", "show", str(uid("x")))):
        assert "\x1b" not in empty.run(*words).stdout
        assert "\x07" not in empty.run(*words).stdout


def test_a_time_that_begins_after_its_end_is_wrong_usage(shell):
    said = shell.run("threats", "list", "--since", "1h", "--until", "2h", code=2)
    assert "1h is after --until 2h" in said.stderr


def test_a_risk_is_the_same_number_wherever_it_is_shown(empty):
    log = open_log(log_of(empty.home), lambda: NOON)
    (found,) = drafts(detected("a"))
    log.append([replace(found, fact=replace(found.fact, risk=7.86)), *drafts(opened("A", "a", risk=7.86))])
    log.append(drafts(assessed("a", risk=7.86)))
    log.close()
    listed = empty.run("threats", "list").stdout.splitlines()[1].split()[2]
    shown = next(line for line in empty.run("incidents", "show", str(uid("A"))).stdout.splitlines() if A[:8] in line)
    assert shown.split()[2] == listed
    assert f"{listed} " in empty.run("threats", "show", A).stdout
