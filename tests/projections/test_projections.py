"""The folds of the views, without a database."""

from __future__ import annotations

import json

import pytest

from adapters.log import open_log
from domain.events import FACTS
from domain.facts.incident import IncidentContained, IncidentReleased
from domain.journal import follow
from domain.values import SECOND
from projections import catalog
from projections.incidents import TIMELINE
from projections.view import Memory, at_rest, fold, in_memory
from tests.projections.story import (
    NOON,
    detected,
    done,
    drafts,
    every,
    linked,
    merged,
    opened,
    scored,
    story,
    uid,
    verdict,
)


def folded(some):
    log = open_log("memory:", lambda: NOON)
    log.append(some)
    return catalog.replay(follow(log))


@pytest.mark.parametrize("name", sorted(catalog.VIEWS))
def test_a_view_handles_or_ignores_every_fact_there_is(name):
    view = catalog.VIEWS[name]
    assert set(view.on) | view.ignored == set(FACTS)
    assert not set(view.on) & view.ignored


def test_the_story_of_these_tests_has_every_fact_that_a_view_handles_but_faults():
    handled = {kind for view in catalog.VIEWS.values() for kind in view.on}
    assert handled - set(every(story())) == {"follower-fault", "job-failed"}


@pytest.mark.parametrize("name", sorted(catalog.VIEWS))
def test_rows_of_a_view_fill_exactly_its_columns(name):
    view = catalog.VIEWS[name]
    rows = folded(story())[name].rows
    assert rows
    for key, row in rows.items():
        assert set(row) == set(view.table.c.keys())
        assert row[view.key] == key


@pytest.mark.parametrize("name", sorted(catalog.VIEWS))
def test_a_row_at_rest_comes_back_as_the_same_row_at_rest(name):
    view = catalog.VIEWS[name]
    for row in folded(story())[name].rows.values():
        rest = at_rest(view, row)
        assert at_rest(view, in_memory(view, rest)) == rest


def test_a_merged_incident_points_to_the_older_one_which_holds_its_threats():
    memories = folded(story())
    older, younger = (memories["incidents"].rows[str(uid(name))] for name in "AB")
    assert (younger["status"], younger["merged_into"]) == ("merged", str(uid("A")))
    assert older["threats"] == [str(uid("a")), str(uid("b"))]
    assert {memories["threats"].rows[str(uid(t))]["incident"] for t in "ab"} == {str(uid("A"))}


def test_a_merge_alone_moves_the_threats():
    memories = folded(drafts(detected("a"), detected("b"), opened("A", "a"), opened("B", "b"), merged("B", "A")))
    assert memories["incidents"].rows[str(uid("A"))]["threats"] == [str(uid("a")), str(uid("b"))]


@pytest.mark.parametrize(
    ("before", "then", "statuses"),
    [
        ([], [], ("contained", "open")),
        (["acknowledged"], [], ("contained", "acknowledged")),
        ([], ["acknowledged"], ("contained", "acknowledged")),
        ([], ["resolved"], ("resolved", "resolved")),
    ],
)
def test_a_contained_incident_goes_back_to_what_it_was_when_nothing_holds_it_back(before, then, statuses):
    stream = f"incident/{uid('A')}"
    start = [
        detected("a"), opened("A", "a"), *(done("A", what) for what in before),
        (stream, IncidentContained(incident=uid("A"), response=uid("R"))), *(done("A", what) for what in then),
    ]  # fmt: skip
    released = (stream, IncidentReleased(incident=uid("A"), response=uid("R"), reason="ttl"))
    for some, status in ((start, statuses[0]), ([*start, released], statuses[1])):
        row = folded(drafts(*some))["incidents"].rows[str(uid("A"))]
        assert row["status"] == status
    assert row["timeline"][-1]["text"].endswith("was taken back (ttl)")


def test_an_incident_bears_the_title_of_its_worst_threat():
    rows = folded(drafts(opened("A", "a"), linked("A", "b", risk=9.0), linked("A", "c", risk=9.0)))["incidents"].rows
    assert rows[str(uid("A"))]["title"] == "title of b"


def test_the_last_verdict_decides_the_status_and_all_are_kept():
    rows = folded(drafts(detected("a"), verdict("a", "correct"), verdict("a", "incorrect")))["threats"].rows
    row = rows[str(uid("a"))]
    assert row["status"] == "dismissed"
    assert [v["verdict"] for v in row["verdicts"]] == ["correct", "incorrect"]


def test_a_timeline_keeps_its_beginning_and_its_end():
    rows = folded(drafts(opened("A", "a"), *[done("A", "note")] * (TIMELINE + 5)))["incidents"].rows
    timeline = rows[str(uid("A"))]["timeline"]
    assert len(timeline) == TIMELINE
    assert timeline[0]["what"] == "incident-opened"
    assert timeline[-1]["position"] == TIMELINE + 6


def test_feed_totals_are_the_sums_of_its_batches():
    feed = folded(drafts(story_feed(), scored(number=1), scored(number=2, received=500)))["feeds"].rows["zeek"]
    assert [feed[n] for n in ("batches", "received", "scored", "skipped", "malformed")] == [2, 1500, 1494, 2, 4]
    assert feed["skipped_by"] == {"skipped: unread": 2}


def story_feed():
    from tests.projections.story import feed_opened

    return feed_opened()


def test_a_fact_that_cannot_be_handled_parks_its_stream_and_nothing_else():
    facts = drafts(linked("ghost", "a"), detected("a"), done("ghost", "note"), opened("A", "a"))
    memory = folded(facts)["incidents"]
    assert [(p.stream, p.position) for p in memory.parked.values()] == [(f"incident/{uid('ghost')}", 1)]
    assert list(memory.rows) == [str(uid("A"))]


def test_a_handler_that_fails_half_way_changes_no_row():
    memory = Memory()
    log = open_log("memory:", lambda: NOON)
    log.append(drafts(opened("A", "a"), merged("A", "ghost")))
    fold(catalog.VIEWS["incidents"], memory.rows, memory.parked, log.read())
    assert memory.rows[str(uid("A"))]["status"] == "open"
    assert list(memory.parked) == [f"incident/{uid('A')}"]


def test_as_of_shows_what_had_occurred_by_then():
    log = open_log("memory:", lambda: NOON + 1000 * SECOND)
    log.append(story())
    before = catalog.as_of(follow(log), NOON + 2 * SECOND)
    assert list(before["threats"].rows) == [str(uid("a"))]
    assert catalog.as_of(follow(log), NOON + 1000 * SECOND - 1, by_recorded=True)["threats"].rows == {}
    everything = catalog.as_of(follow(log), NOON + 1000 * SECOND, by_recorded=True)
    assert catalog.digests(everything) == catalog.digests(catalog.replay(follow(log)))


@pytest.mark.parametrize("name", sorted(catalog.VIEWS))
def test_documents_are_json_and_show_no_microseconds(name):
    documents = catalog.documents(name, folded(story())[name])
    assert str(NOON)[:8] not in json.dumps(documents)
