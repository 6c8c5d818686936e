"""audit: verify, checkpoint, replay, as-of, explain, log."""

from __future__ import annotations

import sqlite3

import pytest

from adapters.log import open_log
from tests.projections.story import NOON, story, uid

A = str(uid("a"))
EVENTS = len(story())


def tamper(shell, position=5):
    with sqlite3.connect(shell.home / "log.db") as connection:
        body = "CAST(replace(CAST(body AS TEXT), 'title of', 'titel of') AS BLOB)"
        assert connection.execute(f"UPDATE events SET body = {body} WHERE position = ?", (position,)).rowcount
    connection.close()


def test_verify_answers_yes_for_a_whole_chain(shell):
    found = shell.json("audit", "verify")
    assert found.items() >= {"ok": True, "events": EVENTS, "first_break": None}.items()
    assert len(found["head"]) == 64
    assert "whole" in shell.run("audit", "verify").stdout


def test_verify_names_the_first_broken_position_and_exits_1(shell):
    tamper(shell)
    found = shell.json("audit", "verify", code=1)
    assert (found["ok"], found["first_break"]) == (False, 5)
    assert "position 5" in shell.run("audit", "verify", code=1).stdout


def test_a_cut_tail_is_found_by_a_checkpoint(shell, tmp_path):
    file = tmp_path / "elsewhere" / "mark.json"
    assert shell.json("audit", "checkpoint", str(file))["events"] == EVENTS
    assert shell.json("audit", "verify", "--checkpoint", str(file))["ok"]
    whole = open_log(shell.home / "log.db", lambda: NOON)
    identity = whole.log_id
    whole.close()
    (shell.home / "log.db").unlink()
    cut = open_log(shell.home / "log.db", lambda: NOON)
    cut.append(story()[:5])
    cut.close()
    with sqlite3.connect(shell.home / "log.db") as connection:
        connection.execute("UPDATE log SET log_id = ?", (identity,))
    connection.close()
    assert shell.json("audit", "verify")["ok"]
    assert not shell.json("audit", "verify", "--checkpoint", str(file), code=1)["ok"]


def test_replay_equals_live(shell):
    found = shell.json("audit", "replay")
    assert {"equal", "live", "replayed", "events", "events_per_second"} <= set(found)
    assert found["equal"]
    assert found["events"] == EVENTS
    assert "what the log says" in shell.run("audit", "replay").stdout


def test_replay_exits_1_when_a_view_was_changed(shell):
    shell.run("threats", "list")
    with sqlite3.connect(shell.home / "views-1.db") as connection:
        connection.execute("UPDATE threats SET risk = 0")
    connection.close()
    assert not shell.json("audit", "replay", code=1)["equal"]
    assert "threats" in shell.run("audit", "replay", code=1).stdout


def test_as_of_shows_the_views_of_then(shell):
    then = shell.json("audit", "as-of", "2018-03-24T12:00:02Z")
    assert [t["id"] for t in then["threats"]] == [A]
    assert then["incidents"][0]["status"] == "open"
    assert then["feeds"][0]["received"] == 0
    assert {i["id"]: i["level"] for i in shell.json("audit", "as-of", "1h")["incidents"]}[str(uid("A"))] == "critical"
    assert shell.json("audit", "as-of", "2018-03-24T11:59:59Z", "--recorded")["threats"] == []
    assert "incidents: 1" in shell.run("audit", "as-of", "2018-03-24T12:00:02Z").stdout


def test_as_of_no_time_is_wrong_usage(shell):
    shell.run("audit", "as-of", "teatime", code=2)


def test_explain_tells_the_chain_from_ledger_to_verdict(shell):
    told = shell.json("audit", "explain", str(uid("b")))
    assert [link["kind"] for link in told["chain"]] == [
        "threat-detected", "batch-scored", "threat-linked", "verdict-given",
    ]  # fmt: skip
    assert told["why"][0]["says"] == "calls: 30 calls (threshold 20, 1.5 times that)"
    assert told["versions"] == {"model": "m1", "rules": "r1", "settings": "s1"}
    assert told["techniques"][0] == {"id": "T1071", "name": "Application Layer Protocol"}


def test_explain_reads_like_a_note(shell):
    text = shell.run("audit", "explain", A[:8]).stdout
    sections = [
        "What",
        "Who",
        "When",
        "Why",
        "How sure",
        "Decided by",
        "ATT&CK",
        "Flows that show it",
        "How it came about",
    ]
    places = [text.index(f"\n{section}") for section in sections]
    assert places == sorted(places)
    for part in ("1.5 times what a decision needs", "10.0.0.5:40000 -> 203.0.113.9:443/tcp", "T1571", "model m1"):
        assert part in text


def test_explain_an_incident_explains_its_threats(shell):
    told = shell.json("audit", "explain", str(uid("A"))[:8])
    assert [threat["id"] for threat in told["threats"]] == told["incident"]["threats"]
    assert told["chain"][0]["kind"] == "incident-opened"
    assert "It holds 2 threats" in shell.run("audit", "explain", str(uid("A"))[:8]).stdout


def test_log_shows_the_latest_facts_and_filters(shell):
    assert [fact["position"] for fact in shell.json("audit", "log", "--limit", "2")] == [EVENTS - 1, EVENTS]
    assert [fact["position"] for fact in shell.json("audit", "log", "--after", "3", "--limit", "2")] == [4, 5]
    assert {fact["stream"] for fact in shell.json("audit", "log", "--stream", "feed/")} == {"feed/zeek"}
    (fact,) = shell.json("audit", "log", "--kind", "batch-scored")
    assert fact["fact"]["received"] == 1000
    assert fact["occurred_at"] == "2018-03-24T12:00:05Z"


def test_an_unknown_kind_of_fact_is_wrong_usage(shell):
    assert "threat-detected" in shell.run("audit", "log", "--kind", "threat", code=2).stderr


def test_log_follows_until_it_is_interrupted(shell, monkeypatch):
    from adapters.log.sqlite import SQLiteLog

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SQLiteLog, "wait", interrupt)
    lines = shell.run("--json", "audit", "log", "--follow", "--after", "0", "--limit", "3").stdout.splitlines()
    assert len(lines) == EVENTS


@pytest.mark.parametrize("words", [("verify",), ("replay",), ("explain", "a"), ("log",), ("as-of", "1h")])
def test_an_audit_of_nothing_is_one_line_and_exit_1(empty, words):
    assert empty.run("audit", *words, code=1).stderr.count("\n") == 1
