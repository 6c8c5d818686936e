"""The log in one SQLite file, on the `eventsourcing` library's pool, transactions and tracking.

Rules:
    1. WAL and `synchronous=FULL` on every connection; both are asserted when the log is opened.
    2. A write transaction begins IMMEDIATE: reading first and then upgrading the lock would give an instant BUSY.
    3. Positions are assigned from the tail, so that a deleted end is never numbered again.
    4. Another process's append is found by `PRAGMA data_version`, at most 20 looks a second for all waiters.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from eventsourcing.persistence import IntegrityError, PersistenceError, StoredEvent, Subscription
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteProcessRecorder,
    SQLiteTransaction,
)

from adapters.log.base import FORMAT, ChainedLog, Damaged, Repeated, Unreadable, identity
from adapters.log.chain import COLUMNS, GENESIS, NAMES, Row, Tail
from adapters.log.plan import Heads, Known, content_in
from adapters.log.reading import SHOWN, Shown
from adapters.log.recorder import WatchSubscription, adopt
from adapters.log.watch import Watch
from domain.journal import Cursor, JournalError, Wanted
from domain.values import Micros

LOCK_TIMEOUT: Final = 30

_TYPES: Final = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}
_DEFINITION: Final = ", ".join(f"{name} {_TYPES[kind]} NOT NULL" for name, kind in COLUMNS)

TABLES: Final = (
    (
        f"CREATE TABLE IF NOT EXISTS events ({_DEFINITION}, PRIMARY KEY (position), UNIQUE (event_id), "
        "UNIQUE (stream, version)) STRICT"
    ),
    (
        "CREATE TABLE IF NOT EXISTS log (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, log_id TEXT "
        "NOT NULL, position INTEGER NOT NULL, events INTEGER NOT NULL, head BLOB NOT NULL, digest BLOB NOT NULL) STRICT"
    ),
    "CREATE TABLE IF NOT EXISTS cursors (feed TEXT PRIMARY KEY, rows INTEGER NOT NULL, body BLOB NOT NULL) STRICT",
    (
        "CREATE VIEW IF NOT EXISTS stored_events AS SELECT position AS rowid, stream AS originator_id, "
        "version AS originator_version, kind AS topic, body AS state FROM events"
    ),
)

INSERT: Final = f"INSERT INTO events ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SELECT: Final = f"SELECT {NAMES} FROM events"
_READ: Final = f"SELECT {SHOWN} FROM events"
_TAIL: Final = "SELECT position, events, head, digest FROM log"
_HEADS: Final = (
    "SELECT stream, version, rank FROM json_each(?) AS asked JOIN events ON position = (SELECT position FROM events "
    "WHERE stream = asked.value ORDER BY version DESC LIMIT 1)"
)
_TRACK: Final = (
    "INSERT INTO tracking VALUES (?, ?) ON CONFLICT (application_name) DO UPDATE "
    "SET notification_id = excluded.notification_id WHERE tracking.notification_id <= excluded.notification_id"
)
_MOVE: Final = (
    "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT (feed) DO UPDATE "
    "SET rows = excluded.rows, body = excluded.body WHERE cursors.rows <= excluded.rows"
)


class _Immediate(SQLiteTransaction):
    """A transaction of the library that takes the write lock when it begins."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class _Connection(SQLiteConnection):
    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        with _Immediate(self, commit=commit) as cursor, cursor:
            yield cursor


class _Pool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        made = super()._create_connection()._sqlite_conn
        made.execute("PRAGMA synchronous=FULL")
        return _Connection(made, self.max_age)


class Recorder(SQLiteProcessRecorder):
    """The library's recorder over our table; `watch` and `subscribe` are what it lacks.

    Args:
        file: the database.
        now: clock of `recorded_at` for events that the library writes.
    """

    def __init__(self, file: Path, now: Callable[[], Micros]) -> None:
        datastore = SQLiteDatastore(str(file), originator_id_type="text")
        datastore.close()
        datastore.pool = _Pool(db_name=file.resolve().as_uri(), lock_timeout=LOCK_TIMEOUT, pool_timeout=LOCK_TIMEOUT)
        super().__init__(datastore)
        self._now = now
        self.watching = sqlite3.connect(file, check_same_thread=False, timeout=LOCK_TIMEOUT, isolation_level=None)
        self._data_version = -1
        self.watch = Watch(self._look)

    def construct_create_table_statements(self) -> list[str]:
        """Our tables, and the library's table of tracking."""
        return [*TABLES, super().construct_create_table_statements()[-1]]

    def create_table(self) -> None:
        """Create what is missing; safe in several processes at once."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement in self.create_table_statements:
                cursor.execute(statement)
            cursor.execute("INSERT OR IGNORE INTO tracking VALUES (?, 1)", (self.table_migration_identifier,))
            cursor.execute(
                "INSERT OR IGNORE INTO log VALUES (1, ?, ?, 0, 0, ?, ?)", (FORMAT, uuid4().hex, GENESIS, GENESIS)
            )

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Record events of the library, and wake who waits for them."""
        positions = super().insert_events(stored_events, **kwargs)
        self.watch.tell(max(positions or (0,)))
        return positions

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        positions = adopt(stored_events, _Writing(c), self._now)
        if kwargs.get("tracking") is not None:
            self._insert_tracking(c, kwargs["tracking"])
        return positions

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[Any]:
        """Notifications from `gt` on, past and to come."""
        return WatchSubscription(self.watch, self, gt, topics)

    def close(self) -> None:
        """Close every connection."""
        self.watch.close()
        self.watching.close()
        self.datastore.close()

    def _look(self) -> int | None:
        (version,) = self.watching.execute("PRAGMA data_version").fetchone()
        if version == self._data_version:
            return None
        self._data_version = version
        (position,) = self.watching.execute("SELECT position FROM log").fetchone()
        return int(position)


class _Writing:
    """One write transaction (see `base.Transaction`)."""

    def __init__(self, cursor: SQLiteCursor) -> None:
        self._sql = cursor.sqlite_cursor
        self._sql.row_factory = None

    def tail(self) -> Tail:
        return _tail_in(self._sql.execute(_TAIL).fetchone())

    def heads(self, streams: Sequence[str]) -> Heads:
        return _heads_in(self._sql.execute(_HEADS, (json.dumps(streams),)))

    def known(self, event_ids: Sequence[bytes]) -> Known:
        found: list[Row] = []
        for start in range(0, len(event_ids), 500):
            page = event_ids[start : start + 500]
            found += self._sql.execute(f"{_SELECT} WHERE event_id IN ({', '.join('?' * len(page))})", page).fetchall()
        return {row[6]: (row[0], content_in(row)) for row in found}

    def insert(self, rows: Sequence[Row], tail: Tail) -> None:
        self._sql.executemany(INSERT, rows)
        self._sql.execute(
            "UPDATE log SET position = ?, events = ?, head = ?, digest = ?",
            (tail.position, tail.events, tail.head, tail.digest.to_bytes(32, "big")),
        )

    def track(self, follower: str, position: int) -> bool:
        return self._sql.execute(_TRACK, (follower, position)).rowcount == 1

    def move(self, feed: str, cursor: Cursor) -> bool:
        return self._sql.execute(_MOVE, (feed, cursor.rows, cursor.body)).rowcount == 1


class SQLiteLog(ChainedLog):
    """The journal in one file.

    Args:
        file: the database; its folder is made when it is missing.
        now: clock of `recorded_at`.
    """

    def __init__(self, file: Path, now: Callable[[], Micros]) -> None:
        self._file = file
        with self._errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            self.recorder = Recorder(file, now)
            super().__init__(now, self.recorder.watch)
            try:
                self.recorder.create_table()
                self._assert_durable()
                self._log_id = identity(self._one("SELECT format, log_id FROM log"), file)
            except BaseException:
                self.recorder.close()
                raise

    @property
    def log_id(self) -> str:
        """Random identity of this log, made when it was created."""
        return self._log_id

    def close(self) -> None:
        """Let go of files and connections."""
        self.recorder.close()

    def _heads_of(self, streams: Sequence[str]) -> Heads:
        return _heads_in(self._all(_HEADS, json.dumps(streams)))

    def tracked(self, follower: str) -> int:
        """Position up to which the follower has read; 0 at first."""
        query = "SELECT coalesce(max(notification_id), 0) FROM tracking WHERE application_name = ?"
        return int(self._one(query, follower)[0])

    def cursor(self, feed: str) -> Cursor:
        """The recorded cursor of a feed; empty at first."""
        found = self._all("SELECT rows, body FROM cursors WHERE feed = ?", feed)
        return Cursor(rows=found[0][0], body=found[0][1]) if found else Cursor()

    @contextmanager
    def _begin(self) -> Iterator[_Writing]:
        with self._errors(), self.recorder.datastore.transaction(commit=True) as cursor:
            yield _Writing(cursor)

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Tail, Iterator[Row]]]:
        with self._errors(), self._reading() as sql:
            tail = _tail_in(sql.execute(_TAIL).fetchone())
            yield tail, _readable(sql)

    def _rows(self, after: int, limit: int, upto: int | None, wanted: Wanted | None) -> Iterable[Shown]:
        last = (1 << 62) if upto is None else upto
        where = f"{_READ} WHERE position > ? AND position <= ?"
        values: list[Any] = [after, last]
        if wanted is not None:
            where, values = f"{where} AND actor <> ?", [*values, wanted.but_of]
        if wanted is not None and wanted.kinds is not None:
            where += f" AND kind IN ({', '.join('?' * len(wanted.kinds))})"
            values += sorted(wanted.kinds)
        return self._all(f"{where} ORDER BY position LIMIT ?", *values, limit)

    def _rows_of(self, stream: str, after: int) -> Iterable[Shown]:
        return self._all(f"{_READ} WHERE stream = ? AND version > ? ORDER BY version", stream, after)

    def _row(self, event_id: bytes) -> Shown | None:
        return next(iter(self._all(f"{_READ} WHERE event_id = ?", event_id)), None)

    def _tail(self) -> Tail:
        return _tail_in(self._one(_TAIL))

    def _one(self, query: str, *values: Any) -> Any:
        return self._all(query, *values)[0]

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._errors(), self._reading() as sql:
            return sql.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Cursor]:
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.sqlite_cursor.row_factory = None
            yield cursor.sqlite_cursor

    def _assert_durable(self) -> None:
        (mode,), (level,) = self._one("PRAGMA journal_mode"), self._one("PRAGMA synchronous")
        if (mode, level) != ("wal", 2):
            raise JournalError(
                f"{self._file}: journal_mode is {mode}, synchronous is {level}; a log needs wal and 2 (FULL): "
                "put it on a local file system"
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, IntegrityError) as error:
            raise Repeated(f"{self._file}: {error}") from error
        except (sqlite3.Error, PersistenceError, OSError) as error:
            raise JournalError(f"log {self._file}: {error}: {_advice(error)}") from error


def _advice(error: BaseException) -> str:
    """What to do: the library keeps SQLite's own error as the cause of its own."""
    code = getattr(error, "sqlite_errorcode", getattr(error.__cause__, "sqlite_errorcode", 0))
    if code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:  # the low byte is the code without its kind
        return "the file is damaged; keep it as it is (it is evidence) and go on with a backup of the home"
    return "check the file and who else holds it"


def _tail_in(row: tuple[int, int, bytes, bytes]) -> Tail:
    position, events, head, digest = row
    return Tail(position, events, head, int.from_bytes(digest, "big"))


def _heads_in(found: Iterable[tuple[str, int, int]]) -> Heads:
    return {stream: (version, rank) for stream, version, rank in found}


def _readable(sql: sqlite3.Cursor) -> Iterator[Row]:
    try:
        yield from sql.execute(f"{_SELECT} ORDER BY position")
    except sqlite3.Error as error:
        raise Unreadable(str(error)) from error
    try:
        damage = sql.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise Damaged(str(error)) from error
    if damage != "ok":
        raise Damaged(" ".join(damage.removeprefix("*** in database main ***").split()))
