"""The views in their database: exactly once, rebuilt and swapped, equal to a replay. On SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.log import open_log
from adapters.views import ViewError, ViewMismatch, Views
from adapters.views.generation import Generation
from domain.journal import follow
from projections import catalog, incidents, threats
from tests.projections.story import NOON, continued, detected, done, drafts, linked, opened, stories, story, uid


@pytest.fixture
def log():
    journal = open_log("memory:", lambda: NOON)
    yield journal
    journal.close()


@pytest.fixture(params=["sqlite", "postgres"])
def location(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "views")
    server = request.getfixturevalue("postgres_dsn")
    return f"{server}{'&' if '?' in server else '?'}schema=v{uuid4().hex[:12]}"


@pytest.fixture
def views(location, log):
    with Views.open(location, log) as made:
        yield made


def test_live_views_equal_a_replay(views, log):
    log.append(story())
    assert views.catch_up(log, batch=7) == len(story())
    found = views.replay(log)
    assert found["equal"]
    assert found["live"] == found["replayed"] == views.digest()
    assert found["events"] == len(story())


def test_views_of_an_empty_log_equal_its_replay(views, log):
    assert views.catch_up(log) == 0
    assert views.replay(log)["equal"]


def test_a_changed_row_is_seen_by_replay(tmp_path, log):
    with Views.open(str(tmp_path), log) as views:
        log.append(story())
        views.catch_up(log)
        with sqlite3.connect(tmp_path / "views-1.db") as connection:
            connection.execute("UPDATE threats SET risk = 1.0 WHERE id = ?", (str(uid("a")),))
        connection.close()
        found = views.replay(log)
    assert not found["equal"]
    assert [n for n, both in found["views"].items() if both["live"] != both["replayed"]] == ["threats"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=stories())
def test_replay_equals_live_for_any_facts_in_any_batches(tmp_path_factory, some):
    log = open_log("memory:", lambda: NOON)
    with Views.open(str(tmp_path_factory.mktemp("views")), log) as views:
        for start in range(0, len(some), 11):
            log.append(some[start : start + 11])
            views.catch_up(log, batch=3)
        assert views.replay(log)["equal"]
        assert len(views.parked()) == sum(len(m.parked) for m in catalog.replay(follow(log)).values())


def test_catching_up_twice_changes_nothing(views, log):
    log.append(story())
    views.catch_up(log)
    before = views.digest()
    assert views.catch_up(log) == len(story())
    assert views.digest() == before


def test_a_crash_inside_a_batch_leaves_the_batch_before(location, log, monkeypatch):
    log.append(story())
    calls = count()
    real = Generation._apply

    def dies_in_the_third_batch(self, *args):
        real(self, *args)
        if next(calls) == 2:
            raise KeyboardInterrupt
        return []

    with Views.open(location, log) as views:
        monkeypatch.setattr(Generation, "_apply", dies_in_the_third_batch)
        with pytest.raises(KeyboardInterrupt):
            views.catch_up(log, batch=5)
        assert views.progress().position == 10
        monkeypatch.setattr(Generation, "_apply", real)
        views.catch_up(log, batch=5)
        assert views.replay(log)["equal"]


def test_two_readers_of_one_database_fold_each_fact_once(location, log):
    log.append(drafts(detected("a"), opened("A", "a")))
    with Views.open(location, log) as one, Views.open(location, log) as other:
        one.catch_up(log)
        log.append(drafts(continued("a"), start=NOON + 9))
        other.catch_up(log)
        log.append(drafts(continued("a"), start=NOON + 19))
        one.catch_up(log)
        assert one.get("threats", str(uid("a")))["continued"] == 2
        assert one.replay(log)["equal"]


def test_catch_up_stops_where_it_is_told_to(views, log):
    log.append(story())
    assert views.catch_up(log, upto=6) == 6
    assert views.progress().events == 6


def test_rebuild_swaps_and_removes_what_nobody_uses(views, log):
    log.append(story())
    views.catch_up(log)
    digest = views.digest()
    assert [views.rebuild(log)["generation"] for _ in range(3)] == [2, 3, 4]
    assert views._place.generations() == [4]
    assert views.digest() == digest


def test_a_reader_goes_over_to_a_rebuilt_generation(location, log):
    log.append(story())
    with Views.open(location, log) as reader, Views.open(location, log) as builder:
        reader.catch_up(log)
        builder.rebuild(log)
        assert reader._place.generations() == [1, 2], "the reader has the first one open"
        log.append(drafts(continued("a"), start=NOON + 99))
        reader.catch_up(log)
        assert reader._place.generations() == [2]
        assert reader.generation == 2
        assert reader.replay(log)["equal"]


def test_views_of_another_log_demand_a_rebuild_and_get_it(views, log):
    log.append(story())
    views.catch_up(log)
    other = open_log("memory:", lambda: NOON)
    other.append(story()[:3])
    with pytest.raises(ViewMismatch, match=r"audit verify.*only when it is known why, `myrmidon proj"):
        views.catch_up(other)
    assert views.rebuild(other)["position"] == 3
    assert views.replay(other)["equal"]


class Restored:
    """A log of the same identity, restored from somewhere."""

    def __init__(self, log, log_id):
        self.log_id = log_id
        self.read, self.fingerprint = log.read, log.fingerprint


def test_views_ahead_of_a_restored_log_demand_a_rebuild(views, log):
    log.append(story())
    views.catch_up(log)
    shorter = open_log("memory:", lambda: NOON)
    shorter.append(story()[:3])
    restored = Restored(shorter, log.log_id)
    with pytest.raises(
        ViewMismatch, match=r"the log ends at 3: its tail was cut.* run `myrmidon audit verify`; only when"
    ):
        views.catch_up(restored)
    kept = [views.rebuild(restored)["kept"] for _ in range(2)]
    assert kept == [[views._place.where(1)]] * 2, "the last trace of what was cut stays"
    assert views._place.generations() == [1, 3]


def test_a_cut_log_is_told_before_views_of_another_version(tmp_path, log):
    log.append(story())
    shorter = open_log("memory:", lambda: NOON)
    shorter.append(story()[:3])
    with Views.open(str(tmp_path), log) as views:
        views.catch_up(log)
        with sqlite3.connect(tmp_path / "views-1.db") as connection:
            connection.execute("UPDATE progress SET shape = 'older'")
        connection.close()
        with pytest.raises(ViewMismatch, match="another version"):
            views.catch_up(log)
        with pytest.raises(ViewMismatch, match="the log ends at 3: its tail was cut"):
            views.catch_up(Restored(shorter, log.log_id))


def test_views_of_a_log_with_another_past_demand_a_rebuild(location, log):
    log.append(story())
    with Views.open(location, log) as views:
        views.catch_up(log)
    other = open_log("memory:", lambda: NOON + 1)
    other.append(story())
    with (
        Views.open(location, log) as views,
        pytest.raises(ViewMismatch, match=r"another fact at position.*audit verify"),
    ):
        views.catch_up(Restored(other, log.log_id))


def test_a_broken_database_is_one_clear_error(tmp_path, log):
    (tmp_path / "views-1.db").write_bytes(b"no database at all" * 100)
    (tmp_path / "views.current").write_text("1")
    log.append(story())
    with Views.open(str(tmp_path), log) as views:
        with pytest.raises(ViewError, match="projections rebuild"):
            views.catch_up(log)
        assert views.rebuild(log)["generation"] == 2


def test_a_parked_stream_is_recorded_reported_and_left_out(location, log):
    told = []
    ghost = f"incident/{uid('ghost')}"
    log.append(drafts(detected("a"), linked("ghost", "a"), done("ghost", "note"), opened("A", "a")))
    with Views.open(location, log, told.append) as views:
        views.catch_up(log, batch=2)
        assert told == views.parked()
        assert [(p.view, p.stream, p.position) for p in told] == [("incidents", ghost, 2)]
        assert "unknown to this view" in told[0].error
    log.append(drafts(done("ghost", "note"), done("A", "note"), start=NOON + 99))
    with Views.open(location, log, told.append) as views:
        views.catch_up(log)
        assert len(told) == 1
        assert views.list_incidents()[0]["notes"][0]["text"] == "called the owner"
        assert views.replay(log)["equal"]


def test_lists_filter_by_host_level_status_and_time(views, log):
    log.append(story())
    views.catch_up(log)
    found = {
        name: [row["id"] for row in views.rows("threats", threats.listing(**filters))]
        for name, filters in {
            "all": {},
            "entity": {"entity": "10.0.0.6"},
            "peer": {"entity": "203.0.113.9"},
            "wildcard": {"entity": "10.0.0._"},
            "open": {"status": "open"},
            "later": {"since": NOON + 10**9},
            "before": {"until": NOON - 1},
            "graver": {"level": "medium"},
            "gravest": {"level": "critical"},
            "one": {"limit": 1},
        }.items()
    }
    a, b = str(uid("a")), str(uid("b"))
    assert found == {
        "all": [b, a],
        "entity": [b],
        "peer": [b, a],
        "wildcard": [],
        "open": [a],
        "later": [],
        "before": [],
        "graver": [b, a],
        "gravest": [],
        "one": [b],
    }
    assert [r["id"] for r in views.rows("incidents", incidents.listing())] == [str(uid("A"))]
    assert [r["id"] for r in views.rows("incidents", incidents.listing(status="merged"))] == [str(uid("B"))]
    assert views.rows("incidents", incidents.listing(entity="10.0.0.7")) == []


def test_counts_leave_out_what_was_merged_into_another(views, log):
    log.append(story())
    views.catch_up(log)
    assert (len(catalog.replay(follow(log))["threats"].rows), views.count("threats")) == (2, 1)
    assert views.count("incidents") == 1


def test_rows_are_found_by_how_their_id_begins(views, log):
    log.append(story())
    views.catch_up(log)
    assert [row["id"] for row in views.starting("threats", str(uid("a"))[:6])] == [str(uid("a"))]
    assert views.starting("threats", "%") == []


def test_rows_read_back_from_the_database_fold_like_those_kept_in_memory(location, log):
    for draft in story():
        log.append([draft])
        with Views.open(location, log) as views:
            views.catch_up(log)
    with Views.open(location, log) as views:
        assert views.replay(log)["equal"]
        assert views.parked() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE threats SET flows = '[{}]'",
        "UPDATE threats SET flows = '['",
        "UPDATE threats SET risk = 'high'",
        "UPDATE threats SET title = CAST(x'ff' AS TEXT)",
        "DELETE FROM progress",
    ],
)
def test_views_that_hold_what_nobody_wrote_are_told_as_damaged(tmp_path, log, change):
    log.append(story())
    with Views.open(str(tmp_path)) as views:
        views.catch_up(log)
        with sqlite3.connect(tmp_path / "views-1.db") as connection:
            connection.execute(change)
        connection.close()
        with pytest.raises(ViewError, match=r"views-1\.db .*: run `myrmidon projections rebuild`"):
            views.catch_up(log), views.list_threats()
