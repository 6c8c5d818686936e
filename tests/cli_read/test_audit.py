"""audit: verify, checkpoint, replay, as-of, explain, log."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from adapters.log import open_log
from cli.explain import reasons
from domain.sighting import Feature
from tests.cli_read.conftest import log_of
from tests.projections.story import NOON, assessed, continued, detected, drafts, feed_opened, story, uid

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
    file.parent.mkdir()
    assert shell.json("audit", "checkpoint", str(file))["events"] == EVENTS
    assert shell.json("audit", "verify", "--checkpoint", str(file))["ok"]
    begin_again(shell, story()[:5])
    assert shell.json("audit", "verify")["ok"]
    found = shell.json("audit", "verify", "--checkpoint", str(file), code=1)
    assert (found["ok"], found["first_break"], found["missing"]) == (False, 6, [6, EVENTS])
    said = " ".join(shell.run("audit", "verify", "--checkpoint", str(file), code=1).stdout.split())
    assert f"positions 6 to {EVENTS} ({EVENTS - 5} facts) are missing: the checkpoint was signed at position" in said
    assert "What to do: stop the daemon" in said


def test_a_cut_tail_is_found_by_the_checkpoint_of_the_home_without_being_asked(shell):
    own = shell.home / "checkpoints" / "latest.json"
    own.parent.mkdir()
    shell.run("audit", "checkpoint", str(own))
    assert str(own) in shell.run("audit", "verify").stdout
    begin_again(shell, story()[:5])
    found = shell.json("audit", "verify", code=1)
    assert (found["missing"], found["checkpoint"]) == ([6, EVENTS], str(own))


def test_a_checkpoint_of_another_log_in_the_home_is_not_asked(shell):
    own = shell.home / "checkpoints" / "latest.json"
    own.parent.mkdir()
    shell.run("audit", "checkpoint", str(own))
    begin_again(shell, story()[:5], identity="another")
    assert shell.json("audit", "verify")["checkpoint"] is None


def test_an_edit_with_all_hashes_computed_anew_is_told_with_what_to_do(shell, tmp_path):
    file = tmp_path / "mark.json"
    shell.run("audit", "checkpoint", str(file))
    begin_again(shell, [replace(draft, actor="nobody") if n == 3 else draft for n, draft in enumerate(story())])
    said = " ".join(shell.run("audit", "verify", "--checkpoint", str(file), code=1).stdout.split())
    assert f"the hash at position {EVENTS} is not the one that was signed at position {EVENTS} on " in said
    assert "What to do: stop the daemon" in said


def test_rows_that_are_missing_at_the_end_and_in_the_middle_are_named_by_position(shell):
    execute(shell, "DELETE FROM events WHERE position > 9")
    found = shell.json("audit", "verify", code=1)
    assert (found["first_break"], found["missing"]) == (10, [10, EVENTS])
    execute(shell, "DELETE FROM events WHERE position IN (4, 5)")
    said = " ".join(shell.run("audit", "verify", code=1).stdout.split())
    assert "positions 4 to 5 (2 facts) are missing, or moved, in the middle of the log" in said


def execute(shell, statement, *values):
    with sqlite3.connect(shell.home / "log.db") as connection:
        connection.execute(statement, values)
    connection.close()


def begin_again(shell, drafts, identity=""):
    """Put another log, sound in itself, in the place of this one; under its identity, unless another is given."""
    whole = open_log(shell.home / "log.db", lambda: NOON)
    identity = identity or whole.log_id
    whole.close()
    (shell.home / "log.db").unlink()
    other = open_log(shell.home / "log.db", lambda: NOON)
    other.append(drafts)
    other.close()
    execute(shell, "UPDATE log SET log_id = ?", identity)


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


def test_as_of_says_by_which_clock(shell):
    assert "(by when facts occurred)" in shell.run("audit", "as-of", "1h").stdout
    assert "(by when facts were recorded)" in shell.run("audit", "as-of", "1h", "--recorded").stdout


def test_incidents_as_of_now_read_like_the_list(shell):
    def told(incidents):
        return {each["id"]: (each["title"], each["updated_at"], each["status"]) for each in incidents}

    listed = told(shell.json("incidents", "list", "--limit", "1000"))
    then = told(shell.json("audit", "as-of", "1h")["incidents"])
    assert listed
    assert {key: then[key] for key in listed} == listed


def test_times_are_rfc_3339_also_where_the_feed_had_none_yet(empty):
    log = open_log(log_of(empty.home), lambda: NOON)
    log.append(drafts(feed_opened(), start=0))
    log.append(drafts(detected("a")))
    log.close()
    (feed,) = empty.json("audit", "as-of", "1h")["feeds"]
    assert (feed["opened_at"], feed["watermark"]) == ("2018-03-24T12:00:00Z", None)
    first, second = empty.json("audit", "log")
    assert first["occurred_at"] is None
    assert second["fact"]["first_seen"] == second["fact"]["flows"][0]["ts"] == "2018-03-24T12:00:00Z"
    assert "1970" not in empty.run("audit", "log").stdout


def test_a_key_without_a_checkpoint_is_wrong_usage(shell):
    shell.run("audit", "verify", "--key", "x.pub", code=2)


def test_a_checkpoint_is_held_against_the_key_that_is_given(shell, tmp_path):
    file, pub = tmp_path / "mark.json", shell.home / "keys" / "checkpoint.key.pub"
    shell.run("audit", "checkpoint", str(file))
    kept = pub.rename(tmp_path / "kept.pub")
    (shell.home / "keys" / "checkpoint.key").unlink()
    assert "--key" in shell.json("audit", "verify", "--checkpoint", str(file), code=1)["reason"]
    assert shell.json("audit", "verify", "--checkpoint", str(file), "--key", str(kept))["ok"]


def test_as_of_no_time_is_wrong_usage(shell):
    shell.run("audit", "as-of", "teatime", code=2)


def test_explain_tells_the_chain_from_ledger_to_verdict(shell):
    told = shell.json("audit", "explain", str(uid("b")))
    assert [link["kind"] for link in told["chain"]] == [
        "threat-detected", "batch-scored", "threat-linked", "verdict-given", "threat-merged", "threat-suppressed",
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


def test_explain_says_nothing_of_bytes_that_no_log_told_and_counts_one_record_as_one(empty):
    stream, fact = detected("a")
    told = replace(
        fact,
        flows=(replace(fact.flows[0], bytes_out=0, bytes_in=0, note="GET /admin"),),
        features=(replace(fact.features[0], name="records that match", value=1.0, unit="records"),),
    )
    open_log(log_of(empty.home), lambda: NOON).append(drafts((stream, told)))
    text = empty.run("audit", "explain", A).stdout
    assert "10.0.0.5:40000 -> 203.0.113.9:443/tcp  GET /admin" in text
    assert "records that match: 1 record (" in text
    assert "Flows that show it (1 of 30 calls; bursts and retries count once)" in text


def test_explain_an_incident_explains_its_threats(shell):
    told = shell.json("audit", "explain", str(uid("A"))[:8])
    assert [threat["id"] for threat in told["threats"]] == told["incident"]["threats"]
    assert told["chain"][0]["kind"] == "incident-opened"
    text = " ".join(shell.run("audit", "explain", str(uid("A"))[:8]).stdout.split())
    assert "about 10.0.0.5, 10.0.0.6, from 2018-03-24 12:00:00Z to 2018-03-24 12:01:00Z (60 seconds)" in text
    assert "It holds 2 threats: 2 beacon." in text
    assert text.index("It holds 2 threats") < text.index("How it came about")


def test_explain_says_that_a_risk_was_weighed_on_older_evidence(empty):
    log = open_log(log_of(empty.home), lambda: NOON)
    known = [replace(draft, correlation=uid("a")) for draft in drafts(detected("a"))]
    log.append(known)
    log.append([replace(draft, causation=known[0].event_id) for draft in drafts(assessed("a"), start=NOON + 5)])
    assert "Weighed" not in empty.run("audit", "explain", A).stdout
    log.append(drafts(continued("a"), continued("a"), start=NOON + 9))
    log.close()
    told = empty.json("audit", "explain", A)["how_sure"]["weighed"]
    assert told == {"at": "2018-03-24T12:00:00.000005Z", "confidence": 0.7, "reports_since": 2}
    said = " ".join(empty.run("audit", "explain", A).stdout.split())
    assert "Weighed at 2018-03-24 12:00:00Z, 2 reports ago, when it was 70% sure; it is" in said


def feature(name, value, baseline=None):
    return {"name": name, "value": value, "unit": "", "baseline": baseline}


@pytest.mark.parametrize(
    ("kind", "measured", "says"),
    [
        ("beacon", feature("spread of the intervals", 0.02, 0.1), "at most 0.1: met"),
        ("beacon", feature("skewness of the intervals", -0.2, 0.5), "at most 0.5: met"),
        ("beacon", feature("median bytes sent", 900, 20_000), "at most 20,000: met"),
        ("beacon", feature("calls", 30, 20), "threshold 20, 1.5 times that"),
        ("flood", feature("unanswered packets", 56, 5000), "threshold 5,000: not met, not needed"),
        ("anomaly", feature("spread of the hours", 2, 4), "usually 4"),
    ],
)
def test_a_measurement_says_what_it_means(kind, measured, says):
    assert f"({says})" in reasons(kind, [measured])[0]["says"]


def test_a_success_comes_first_and_what_played_no_part_last():
    told = reasons("password-guessing", [
        feature("log-in attempts", 5, 20), feature("failed attempts", 40, 20), feature("successes on record", 1),
    ])  # fmt: skip
    assert [each["name"] for each in told] == ["successes on record", "failed attempts", "log-in attempts"]
    assert "SUCCEEDED" in told[0]["says"]
    assert [each["needed"] for each in told] == [True, True, False]


def test_what_is_nothing_against_its_threshold_is_left_out_of_the_note(empty):
    log = open_log(log_of(empty.home), lambda: NOON)
    (draft,) = drafts(detected("x"))
    features = (Feature(name="calls", value=30.0, baseline=20.0), Feature(name="log-ins", value=0.0, baseline=20.0))
    log.append([replace(draft, fact=replace(draft.fact, features=features))])
    log.close()
    text = empty.run("audit", "explain", str(uid("x"))).stdout
    assert "calls: 30" in text
    assert "log-ins" not in text


def test_log_shows_the_latest_facts_and_filters(shell):
    assert [fact["position"] for fact in shell.json("audit", "log", "--limit", "2")] == [EVENTS - 1, EVENTS]
    assert [fact["position"] for fact in shell.json("audit", "log", "--after", "3", "--limit", "2")] == [4, 5]
    assert {fact["stream"] for fact in shell.json("audit", "log", "--stream", "feed/")} == {"feed/zeek"}
    (fact,) = shell.json("audit", "log", "--kind", "batch-scored")
    assert fact["fact"]["received"] == 1000
    assert fact["fact"]["watermark"] == "2018-03-24T12:00:00.000001Z"
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


def test_a_checkpoint_whose_key_is_not_here_is_no_proof_either_way(shell, tmp_path):
    file = tmp_path / "mark.json"
    shell.run("audit", "checkpoint", str(file))
    for key in (shell.home / "keys").iterdir():
        key.unlink()
    said = shell.run("audit", "verify", "--checkpoint", str(file), code=1).stdout
    assert "could not be held against this log: it needs the public key" in said
    assert f"the chain of {EVENTS} events is whole" in said
    assert "NOT verify" not in said
    assert "What to do" not in said
    found = shell.json("audit", "verify", "--checkpoint", str(file), code=1)
    assert (found["ok"], found["events"], found["first_break"]) == (False, EVENTS, None)
    tamper(shell)
    said = shell.run("audit", "verify", "--checkpoint", str(file), code=1).stdout
    assert "NOT verify, first at position 5" in said
    assert "it needs the public key" in said


def test_a_checkpoint_of_another_log_is_an_answer_in_json_too(shell, tmp_path):
    file = tmp_path / "mark.json"
    shell.run("audit", "checkpoint", str(file))
    begin_again(shell, story()[:5], identity="another")
    found = shell.json("audit", "verify", "--checkpoint", str(file), code=1)
    assert (found["ok"], found["events"]) == (False, 5)
    assert "or another log was put in the place" in found["reason"]


def test_verify_of_an_empty_log_is_no_yes(empty):
    open_log(log_of(empty.home), lambda: NOON).close()
    assert "there is nothing to verify" in empty.run("audit", "verify", code=1).stdout
    assert not empty.json("audit", "verify", code=1)["ok"]
