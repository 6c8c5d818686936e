"""The contract over SQLite, and what only a file can suffer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.log import sqlite
from adapters.log.base import ChainedLog
from adapters.log.sqlite import SQLiteLog
from domain.journal import JournalError
from tests.log.contract import JournalContract, Open
from tests.log.story import note, ticking


class TestSQLiteLog(JournalContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Open:
        return lambda: SQLiteLog(tmp_path / "log.sqlite", ticking())

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[ChainedLog]:
        log = SQLiteLog(tmp_path / "other.sqlite", ticking())
        yield log
        log.close()


def test_every_connection_is_full_and_wal(tmp_path: Path) -> None:
    with closing(SQLiteLog(tmp_path / "log.sqlite", ticking())) as log:
        pool = log.recorder.datastore.pool
        connections = [pool.get_connection() for _ in range(4)]
        for connection in connections:
            assert connection._sqlite_conn.execute("PRAGMA synchronous").fetchone()[0] == 2
            assert connection._sqlite_conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            pool.put_connection(connection)


def test_a_log_that_would_not_last_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loose(sqlite._Pool):
        def _create_connection(self) -> sqlite.SQLiteConnection:
            made = super()._create_connection()
            made._sqlite_conn.execute("PRAGMA synchronous=NORMAL")
            return made

    monkeypatch.setattr(sqlite, "_Pool", Loose)
    with pytest.raises(JournalError, match="a log needs wal and 2"):
        SQLiteLog(tmp_path / "log.sqlite", ticking())


def test_a_log_of_a_later_format_is_refused(tmp_path: Path) -> None:
    SQLiteLog(tmp_path / "log.sqlite", ticking()).close()
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection, connection:
        connection.execute("UPDATE log SET format = 2")
    with pytest.raises(JournalError, match="has format 2"):
        SQLiteLog(tmp_path / "log.sqlite", ticking())


def test_positions_after_a_deleted_end_are_not_used_again(tmp_path: Path) -> None:
    with closing(SQLiteLog(tmp_path / "log.sqlite", ticking())) as log:
        log.append([note(1), note(2)])
        with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection, connection:
            connection.execute("DELETE FROM events WHERE position = 2")
        assert log.append([note(3, "b")]) == [3]
        assert log.verify().first_break == 2
