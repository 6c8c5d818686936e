"""status: its contract, what degrades health, and its speed."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import replace

import pytest

from adapters.lease import LeaseTaken, holder, take
from adapters.log import open_log
from adapters.views import Views
from cli.status import agents_of, document_of, render
from cli.troubles import missing
from config.home import Home
from domain.facts.operation import HealthReported, JobFailed
from domain.facts.response import WorkflowStalled
from domain.values import DAY, MINUTE
from tests.projections.story import (
    NOON,
    acted,
    closed,
    detected,
    done,
    drafts,
    excepted,
    feed_opened,
    linked,
    opened,
    proposed,
    routed,
    scored,
    stalled,
    story,
    told,
    uid,
    unexcepted,
)


def prepared(home: Home, facts) -> None:
    log = open_log(home.log_location, lambda: NOON)
    log.append(facts)
    with Views.open(home.views_location, log) as views:
        views.catch_up(log)
    log.close()


def test_status_keeps_its_contract(shell):
    shell.run("threats", "list")
    found = shell.json("status")
    assert found["health"] == "degraded"
    assert [reason.partition(": ")[0] for reason in found["reasons"]] == [
        "model forest", "model loud is left out, the others vote on",
    ]  # fmt: skip
    assert found["agents"] == [
        {"name": "detector", "state": "stopped", "position": len(story()), "lag": 0},
        {"name": "projections", "state": "stopped", "position": len(story()), "lag": 0},
    ]
    (feed,) = found["feeds"]
    assert feed.items() >= {"name": "zeek", "received": 1000, "scored": 997, "malformed": 2, "skipped": 1}.items()
    assert {"events", "head", "digest"} <= set(found["log"])
    assert found["log"]["events"] == len(story())
    assert found["jobs"][0]["name"] == "retrain"
    assert "1,000 received" in shell.run("status").stdout


def test_status_of_nothing_says_what_to_do(empty):
    assert empty.json("status")["log"] == {"events": 0, "head": "", "digest": ""}
    assert "myrmidon demo" in " ".join(empty.run("status").stdout.split())
    assert not empty.home.exists()


def test_status_of_a_log_without_views_still_answers(shell):
    found = shell.json("status")
    assert (found["feeds"], found["log"]["events"]) == ([], len(story()))


def test_a_silent_feed_degrades_health(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(feed_opened(), scored()))
    with take(home.log_location, "feed-zeek"):
        assert document_of(home, NOON + 4 * MINUTE)["health"] == "healthy"
        late = document_of(home, NOON + 6 * MINUTE)
        assert (late["health"], late["reasons"]) == ("degraded", ["feed zeek has been silent for 6 minutes"])
        (tmp_path / "config.toml").write_text("[run]\nsilent_after = 3600.0\n")
        assert document_of(Home(tmp_path, environ={}), NOON + 6 * MINUTE)["health"] == "healthy"


UNREAD = "feed zeek is not being read: start `myrmidon run`"


def test_an_open_feed_that_nobody_reads_degrades_health(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(feed_opened(), scored()))
    found = document_of(home, NOON)
    assert (found["health"], found["reasons"]) == ("degraded", [UNREAD])
    assert not (tmp_path / "leases").exists()


def test_a_feed_that_was_read_to_its_end_needs_no_reader(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(feed_opened(), scored(), closed()))
    assert document_of(home, NOON)["health"] == "healthy"


def test_an_agent_lives_as_long_as_its_lease(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(feed_opened(), scored()))
    with take(home.log_location, "agent-detector"), take(home.log_location, "feed-zeek"):
        held = document_of(home, NOON)
    freed = document_of(home, NOON)
    assert [(agent["name"], agent["state"]) for agent in held["agents"]] == [
        ("detector", "running"), ("projections", "running"),
    ]  # fmt: skip
    assert {agent["state"] for agent in freed["agents"]} == {"stopped"}
    assert (held["reasons"], freed["reasons"]) == ([], [UNREAD])


def test_a_running_agent_that_lags_is_behind():
    found = agents_of(9, [{"name": "responder", "position": 4}], [], {"agent-responder"}, has_parked=False)
    assert found[1] == {"name": "responder", "state": "behind", "position": 4, "lag": 5}


def test_all_followers_of_the_responder_live_as_long_as_its_lease():
    crew = [{"name": name, "position": 9} for name in ("responder", "responses", "router")]
    held = agents_of(9, crew, [], {"agent-responder"}, has_parked=False)
    freed = agents_of(9, crew, [], {"agent-detector"}, has_parked=False)
    assert [agent["state"] for agent in held] == ["stopped", "running", "running", "running"]
    assert [agent["state"] for agent in freed] == ["running", "stopped", "stopped", "stopped"]


def test_holders_are_named_and_asking_does_not_take(tmp_path):
    where = tmp_path / "log.db"
    assert holder(where, "feed-x") is None
    assert not (tmp_path / "leases").exists()
    with take(where, "feed-x"):
        assert holder(where, "feed-x") == str(os.getpid())
        with pytest.raises(LeaseTaken):
            take(where, "feed-x")
    assert holder(where, "feed-x") is None
    take(where, "feed-x").release()


def test_holders_are_known_on_postgres(postgres_dsn, fresh_schema):
    with take(postgres_dsn, "feed-x", schema=fresh_schema):
        assert str(os.getpid()) in holder(postgres_dsn, "feed-x", schema=fresh_schema)
        assert holder(postgres_dsn, "feed-y", schema=fresh_schema) is None
    assert holder(postgres_dsn, "feed-x", schema=fresh_schema) is None


def test_the_gravest_trouble_is_the_health(tmp_path):
    home = Home(tmp_path, environ={})
    failed = ("job/retrain", JobFailed(job="retrain", error="no room"))
    sick = ("region/local", HealthReported(region="local", health="critical", reasons=("disk full",)))
    prepared(home, drafts(failed, sick))
    found = document_of(home, NOON)
    assert found["health"] == "critical"
    assert found["reasons"] == ["job retrain failed: no room", "region local: disk full"]


def test_a_parked_stream_degrades_health(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(linked("ghost", "a")))
    found = document_of(home, NOON)
    assert found["health"] == "degraded"
    assert {agent["name"]: agent["state"] for agent in found["agents"]}["projections"] == "parked"


def test_a_dead_letter_degrades_health_for_a_week_and_is_counted(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(routed("x", "A"), told("x", "dead"), routed("y", "A"), told("y", "delivered")))
    found, later = document_of(home, NOON), document_of(home, NOON + 8 * DAY)
    assert found["health"] == "degraded"
    [reason] = found["reasons"]
    assert reason.startswith("channel soc did not take every alert (")
    assert reason.endswith("): 1 dead letter; see `myrmidon alerts list --status dead`")
    assert (found["dead_letters"], later["dead_letters"], later["reasons"]) == (1, 1, [])
    assert render(found).count("dead letter;") == 1
    assert "1 old dead letter: see" in render(later).splitlines()[-1]


def test_a_broken_channel_is_told_in_one_line_whatever_follows_from_it(tmp_path):
    home = Home(tmp_path, environ={})
    stuck = WorkflowStalled(workflow=uid("a"), waiting_for="an alert to be delivered", seconds=900)
    reasons = ("channel soc does not work",)
    report = HealthReported(region="local", health="degraded", reasons=reasons)
    facts = drafts(
        detected("a"), opened("A", "a"), routed("x", "A"), told("x", "failed"), routed("y", "A"), told("y", "dead"),
        (f"workflow/{uid('a')}", stuck), ("region/local", report),
    )  # fmt: skip
    prepared(home, [replace(each, correlation=uid("a")) for each in facts])
    with take(home.log_location, "agent-responder"):
        [reason] = document_of(home, NOON)["reasons"]
    assert reason.startswith("channel soc does not work (")
    assert "): 1 alert waits for the next try and 1 dead letter; see `myrmidon alerts list --channel soc`" in reason
    [reason] = document_of(home, NOON)["reasons"]
    assert "1 alert waits until `myrmidon run` is started and 1 dead letter" in reason


def test_exceptions_in_force_are_counted(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(excepted("S"), excepted("T"), unexcepted("T")))
    found = document_of(home, NOON)
    assert (found["exceptions"], document_of(home, 2 * NOON)["exceptions"]) == (1, 0)
    assert "1 exception in force" in render(found).splitlines()[-1]


def test_a_log_that_cannot_be_read_is_critical(tmp_path):
    (tmp_path / "log.db").write_bytes(b"not a log at all" * 100)
    found = document_of(Home(tmp_path, environ={}), NOON)
    assert found["health"] == "critical"
    assert "log.db" in found["reasons"][0]


def test_status_of_a_log_that_cannot_be_read_is_exit_1(shell):
    (shell.home / "log.db").write_bytes(b"not a log at all" * 100)
    assert shell.json("status", code=1)["health"] == "critical"


def test_views_that_cannot_be_read_are_critical(shell):
    shell.run("threats", "list")
    (shell.home / "views-1.db").write_bytes(b"not a view at all" * 100)
    assert "projections rebuild" in shell.json("status")["reasons"][0]


def test_status_reads_a_postgres_home(tmp_path, postgres_dsn, fresh_schema):
    joint = "&" if "?" in postgres_dsn else "?"
    home = Home(tmp_path, environ={"MYRMIDON_LOG__DSN": f"{postgres_dsn}{joint}schema={fresh_schema}"})
    prepared(home, story())
    found = document_of(home, NOON)
    assert found["feeds"][0]["received"] == 1000
    assert found["agents"][-1] == {"name": "projections", "state": "stopped", "position": len(story()), "lag": 0}


PROGRAM = """
import sys
from pathlib import Path
import typer
from cli import audit, incidents, status, threats
from cli.context import Context

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
for group in (status, threats, incidents, audit):
    group.register(app)

@app.callback()
def main(ctx: typer.Context, home: Path = typer.Option(...), as_json: bool = typer.Option(False, "--json")):
    ctx.obj = Context(home=home, config=None, json=as_json)

app(["--home", sys.argv[1], "--json", "status"], standalone_mode=False)
heavy = {"sqlalchemy", "sqlmodel", "pydantic", "numpy", "msgspec", "eventsourcing", "rich", "psycopg", "tomllib"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def test_status_imports_no_library(shell):
    shell.run("threats", "list")
    words = [sys.executable, "-c", PROGRAM, str(shell.home)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["log"]["events"] == len(story())
    assert done.stderr.strip() == "[]"


def test_status_takes_less_than_half_a_second_of_work(shell):
    shell.run("threats", "list")
    took = []
    for _ in range(3):
        before = children()
        subprocess.run([sys.executable, "-c", PROGRAM, str(shell.home)], capture_output=True, check=True)
        took.append(children() - before)
    assert min(took) < 0.5


def children() -> float:
    """CPU seconds of ended children: what others do on this machine at the same time is not the program's fault."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


ACTED = (acted("approved"), acted("started"))


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (
            ["verified", "undo", "failed"],
            "1 response cannot be taken back ({name}: undo: not today): mend the actuator",
        ),
        (
            ["unsent"],
            "1 response cannot be carried out ({name}: check: no): mend the actuator, nobody tries again until",
        ),
        (["unsent", "given up"], "1 response failed while the incident is open ({name}: check: no): mend the actuator"),
        (["verified", "undo", "failed", "undone"], ""),
        (["unsent", "given up", "resolved"], ""),
    ],
)
def test_what_the_responder_could_not_do_degrades_health_until_it_is_over(tmp_path, then, said):
    home = Home(tmp_path, environ={})
    facts = [done("A", what) if what == "resolved" else acted(what) for what in then]
    stale = HealthReported(region="local", health="degraded", reasons=("response 12345678: stuck", "actuator x: no"))
    prepared(home, drafts(detected("a"), opened("A", "a"), proposed(), *ACTED, *facts, ("region/local", stale)))
    found = document_of(home, NOON + MINUTE)
    assert found["health"] == ("degraded" if said else "healthy")
    assert [reason.startswith(said.format(name=str(uid("R"))[:8])) for reason in found["reasons"]] == [True] * bool(
        said
    )


def test_one_stalled_workflow_is_told_as_one(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(detected("a"), opened("A", "a"), proposed(), stalled()))
    (reason,) = document_of(home, NOON + MINUTE)["reasons"]
    assert reason == "1 workflow is stalled: see `myrmidon workflows list --status stalled`"


@pytest.mark.parametrize(
    ("then", "counts", "line"),
    [
        ([], (1, 0), "act    1 response waits for an answer: see `myrmidon responses list --status proposed`"),
        (["approved", "started", "verified"], (0, 1), "act    1 response in force: see `myrmidon responses list`"),
    ],
)
def test_what_waits_for_an_answer_and_what_is_in_force_is_counted(tmp_path, then, counts, line):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(detected("a"), opened("A", "a"), proposed(), *(acted(what) for what in then)))
    found = document_of(home, NOON + MINUTE)
    assert (found["health"], found["responses"]) == (
        "healthy",
        {"waiting": counts[0], "overdue": 0, "no_room": 0, "in_force": counts[1], "rehearsed": 0},
    )
    assert line in render(found)


def test_what_should_have_been_taken_back_is_told_where_no_responder_runs(tmp_path):
    home = Home(tmp_path, environ={})
    prepared(home, drafts(detected("a"), opened("A", "a"), proposed(), *ACTED, acted("verified")))
    (reason,) = document_of(home, NOON + 16 * MINUTE)["reasons"]
    assert reason.startswith("1 response should have been taken back by now, and no responder is running: start")
    with take(home.log_location, "agent-responder"):
        assert document_of(home, NOON + 16 * MINUTE)["reasons"] == []


def test_facts_that_are_missing_below_what_was_read_are_critical():
    assert list(missing(18, 18, [{"name": "responder", "position": 18}])) == []
    [(gravity, reason)] = missing(7, 7, [{"name": "responder", "position": 18}])
    assert gravity == "critical"
    assert "responder has read up to position 18, the log ends at 7" in reason
    [(gravity, reason)] = missing(18, 15, [])
    assert gravity == "critical"
    assert "its last fact stands at 15" in reason
