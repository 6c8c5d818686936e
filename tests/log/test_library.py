"""The `eventsourcing` library's own contract tests over our recorder subclasses: its tools work on our log."""

from __future__ import annotations

import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)

from adapters.log import postgres, sqlite
from tests.log.story import note, ticking


def join_readers() -> None:
    """The library's test of concurrency does not wait for its readers: to close under them is a crash of SQLite."""
    for thread in threading.enumerate():
        if "read_continuously" in thread.name:
            thread.join(30.0)


class OnSQLite:
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.recorder = sqlite.Recorder(Path(self.folder.name) / "log.sqlite", ticking())
        self.recorder.create_table()

    def tearDown(self) -> None:
        join_readers()
        self.recorder.close()
        self.folder.cleanup()

    def create_recorder(self) -> Any:
        return self.recorder

    def new_originator_id(self) -> str:
        return str(uuid4())


class OnPostgres(OnSQLite):
    @pytest.fixture(autouse=True)
    def server(self, postgres_dsn: str, fresh_schema: str) -> None:
        self.dsn, self.schema = postgres_dsn, fresh_schema

    def setUp(self) -> None:
        self.recorder = postgres.Recorder(self.dsn, self.schema, ticking())
        self.recorder.create_table()

    def tearDown(self) -> None:
        join_readers()
        self.recorder.close()


class TestProcessOnSQLite(OnSQLite, ProcessRecorderTestCase): ...


class TestApplicationOnSQLite(OnSQLite, ApplicationRecorderTestCase[Any]):
    def test_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingOnSQLite(OnSQLite, TrackingRecorderTestCase): ...


class TestProcessOnPostgres(OnPostgres, ProcessRecorderTestCase): ...


class TestApplicationOnPostgres(OnPostgres, ApplicationRecorderTestCase[Any]):
    def test_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingOnPostgres(OnPostgres, TrackingRecorderTestCase): ...


def test_what_the_library_writes_is_chained_like_everything_else(tmp_path: Path) -> None:
    with closing(sqlite.SQLiteLog(tmp_path / "log.sqlite", ticking())) as log:
        log.append([note(1, "a")])
        stored = StoredEvent(originator_id="a", originator_version=2, topic="other", state=b"{}")
        assert log.recorder.insert_events([stored], tracking=Tracking("follower", 1)) == [2]
        log.append([note(2, "a")])
        assert log.verify().ok
        assert (log.version("a"), log.tracked("follower"), log.fingerprint().events) == (3, 1, 3)


def test_the_library_subscribes_to_what_we_append(tmp_path: Path) -> None:
    with closing(sqlite.SQLiteLog(tmp_path / "log.sqlite", ticking())) as log:
        log.append([note(1)])
        with log.recorder.subscribe(gt=0) as subscription:
            log.append([note(2)])
            assert [next(subscription).id, next(subscription).id] == [1, 2]


del ProcessRecorderTestCase, ApplicationRecorderTestCase, TrackingRecorderTestCase
