"""The log in a schema of a PostgreSQL database, on the `eventsourcing` library's pool and tracking.

Rules:
    1. One writer at a time: an append locks the one row of `log` until it commits. So the order of positions is the
       order of commits, and a reader that tails the log misses nothing.
    2. Rows go in by binary COPY. `synchronous_commit=on` on every connection, `fsync` asserted at the start.
    3. A lost connection is tried again: an append that was committed without an answer is found by its event ids.
    4. Who waits is woken by NOTIFY through one connection outside the pool; a look a second is the safety net.
    5. The library's database functions stay off: they let a tailing reader miss events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any, Final, TypeAlias, TypeVar
from uuid import uuid4

import psycopg
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    PersistenceError,
    StoredEvent,
    Subscription,
)
from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row, tuple_row
from psycopg.sql import SQL, Composed, Identifier

from adapters.log.base import FORMAT, ChainedLog, Repeated, Unreadable, identity
from adapters.log.chain import COLUMNS, GENESIS, NAMES, Row, Tail
from adapters.log.plan import Content, Heads, Known, content_in
from adapters.log.reading import SHOWN, Shown
from adapters.log.recorder import WatchSubscription, adopt
from adapters.log.watch import Watch
from domain.journal import Cursor, JournalError, Progress, Wanted
from domain.values import Micros

TRIES: Final = 3
POOL: Final = 4
T = TypeVar("T")
Sql: TypeAlias = psycopg.Cursor[Any]

_TYPES: Final = {int: "bigint", str: "text", bytes: "bytea"}
COPY_TYPES: Final = tuple({int: "int8", str: "text", bytes: "bytea"}[kind] for _, kind in COLUMNS)
_DEFINITION: Final = ", ".join(f"{name} {_TYPES[kind]} NOT NULL" for name, kind in COLUMNS)

TABLES: Final = (
    "CREATE SCHEMA IF NOT EXISTS {schema}",
    (
        f"CREATE TABLE IF NOT EXISTS {{schema}}.events ({_DEFINITION}, PRIMARY KEY (position), UNIQUE (event_id), "
        "UNIQUE (stream, version))"
    ),
    (
        "CREATE TABLE IF NOT EXISTS {schema}.log (one integer PRIMARY KEY CHECK (one = 1), format integer NOT NULL, "
        "log_id text NOT NULL, position bigint NOT NULL, events bigint NOT NULL, head bytea NOT NULL, "
        "digest bytea NOT NULL)"
    ),
    "CREATE TABLE IF NOT EXISTS {schema}.cursors (feed text PRIMARY KEY, rows bigint NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {schema}.tracking (application_name text PRIMARY KEY, notification_id bigint)",
    (
        "CREATE OR REPLACE VIEW {schema}.stored_events AS SELECT position AS notification_id, stream AS originator_id, "
        "version AS originator_version, kind AS topic, body AS state FROM {schema}.events"
    ),
    "INSERT INTO {schema}.tracking VALUES ('__migration__', 1) ON CONFLICT DO NOTHING",
)

COPY: Final = f"COPY {{schema}}.events ({NAMES}) FROM STDIN (FORMAT BINARY)"
_SELECT: Final = f"SELECT {NAMES} FROM {{schema}}.events"
_READ: Final = f"SELECT {SHOWN} FROM {{schema}}.events"
_TAIL: Final = "SELECT position, events, head, digest FROM {schema}.log"
_UPDATE: Final = "UPDATE {schema}.log SET position = %s, events = %s, head = %s, digest = %s"
_HEADS: Final = (
    "SELECT asked.stream, last.version, last.rank FROM unnest(%s::text[]) AS asked(stream) CROSS JOIN LATERAL "
    "(SELECT version, rank FROM {schema}.events WHERE stream = asked.stream ORDER BY version DESC LIMIT 1) AS last"
)
_TRACK: Final = (
    "INSERT INTO {schema}.tracking AS old VALUES (%s, %s) ON CONFLICT (application_name) DO UPDATE "
    "SET notification_id = excluded.notification_id WHERE old.notification_id <= excluded.notification_id"
)
_MOVE: Final = (
    "INSERT INTO {schema}.cursors AS old VALUES (%s, %s, %s) ON CONFLICT (feed) DO UPDATE "
    "SET rows = excluded.rows, body = excluded.body WHERE old.rows <= excluded.rows"
)


class Datastore(PostgresDatastore):
    """The library's pool, opened by a DSN with all its parameters, every connection durable."""

    def __init__(self, dsn: str, schema: str) -> None:
        super().__init__("", "", "", "", "", schema=schema, originator_id_type="text", pool_size=1, max_overflow=POOL)
        self.pool.kwargs = {**conninfo_to_dict(dsn), "row_factory": dict_row}

    def after_connect_func(self) -> Callable[[psycopg.Connection[Any]], None]:
        """What the pool does with a new connection."""
        usual = super().after_connect_func()

        def configure(connection: psycopg.Connection[Any]) -> None:
            usual(connection)
            connection.execute("SET synchronous_commit = on")

        return configure


class Recorder(PostgresProcessRecorder):
    """The library's recorder over our table.

    Args:
        dsn: the database.
        schema: the schema that holds the log.
        now: clock of `recorded_at` for events that the library writes.
    """

    def __init__(self, dsn: str, schema: str, now: Callable[[], Micros]) -> None:
        super().__init__(Datastore(dsn, schema), tracking_table_name="tracking")
        self.datastore.db_type_names.clear()
        self._now = now
        self.channel_name = f"{schema}_log"
        self.notice = News(dsn, self.channel_name, self._look)

    def create_table(self) -> None:
        """Create what is missing; safe in several processes at once."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self.channel_name,))
            cursor.execute("SET LOCAL client_min_messages = warning")
            for statement in TABLES:
                cursor.execute(self.sql(statement))
            cursor.execute(
                self.sql("INSERT INTO {schema}.log VALUES (1, %s, %s, 0, 0, %s, %s) ON CONFLICT DO NOTHING"),
                (FORMAT, uuid4().hex, GENESIS, GENESIS),
            )

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Record events of the library."""
        with self.datastore.transaction(commit=True) as cursor:
            if kwargs.get("tracking") is not None:
                self._insert_tracking(cursor, kwargs["tracking"])
            return adopt(stored_events, _Writing(self, cursor), self._now)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[Any]:
        """Notifications from `gt` on, past and to come."""
        return WatchSubscription(self.notice.watch(), self, gt, topics)

    def sql(self, statement: str) -> Composed:
        """A statement about our schema."""
        return SQL(statement).format(schema=Identifier(self.datastore.schema))

    def close(self) -> None:
        """Close every connection."""
        self.notice.close()
        self.datastore.close()

    def _look(self) -> int | None:
        with self.datastore.get_connection() as connection:
            found = connection.cursor(row_factory=tuple_row).execute(self.sql("SELECT position FROM {schema}.log"))
            return int((found.fetchone() or (0,))[0])


class News:
    """One connection that listens; begun by the first who waits."""

    def __init__(self, dsn: str, channel: str, look: Callable[[], int | None]) -> None:
        self._dsn = dsn
        self._listen = SQL("LISTEN {}").format(Identifier(channel))
        self._starting = Lock()
        self._listening: Thread | None = None
        self._closed = False
        self.told = Watch(look, pause=1.0)

    def watch(self) -> Watch:
        """The watch, told by the server from now on."""
        with self._starting:
            if self._listening is None and not self._closed:
                self._listening = Thread(target=self._run, args=(self._connect(),), name="log-news", daemon=True)
                self._listening.start()
        return self.told

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self.told.close()
        if self._listening is not None:
            self._listening.join()

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._dsn, autocommit=True)
        connection.execute(self._listen)
        return connection

    def _run(self, connection: psycopg.Connection[Any]) -> None:
        with connection:
            while not self._closed:
                try:
                    for notice in connection.notifies(timeout=0.2, stop_after=1):
                        self.told.tell(int(notice.payload))
                except psycopg.Error:
                    self._listening = None  # the next waiter listens anew; until then a look a second finds the news
                    return


class _Writing:
    """One write transaction (see `base.Transaction`)."""

    def __init__(self, recorder: Recorder, cursor: Sql) -> None:
        self._as = recorder.sql
        self._channel = recorder.channel_name
        self._sql = cursor.connection.cursor(row_factory=tuple_row, binary=True)

    def tail(self) -> Tail:
        found = self._sql.execute(self._as(f"{_TAIL} FOR UPDATE"), prepare=True).fetchone()
        return _tail_in(found)

    def heads(self, streams: Sequence[str]) -> Heads:
        return _heads_in(self._sql.execute(self._as(_HEADS), (list(streams),)))

    def known(self, event_ids: Sequence[bytes]) -> Known:
        found = self._sql.execute(self._as(f"{_SELECT} WHERE event_id = ANY(%s)"), (list(event_ids),)).fetchall()
        return {row[6]: (row[0], content_in(row)) for row in found}

    def insert(self, rows: Sequence[Row], tail: Tail) -> None:
        with self._sql.copy(self._as(COPY)) as copy:
            copy.set_types(COPY_TYPES)
            for row in rows:
                copy.write_row(row)
        self._sql.execute(
            self._as(_UPDATE), (tail.position, tail.events, tail.head, tail.digest.to_bytes(32, "big")), prepare=True
        )
        self._sql.execute("SELECT pg_notify(%s, %s)", (self._channel, str(tail.position)), prepare=True)

    def track(self, follower: str, position: int) -> bool:
        return self._sql.execute(self._as(_TRACK), (follower, position)).rowcount == 1

    def move(self, feed: str, cursor: Cursor) -> bool:
        return self._sql.execute(self._as(_MOVE), (feed, cursor.rows, cursor.body)).rowcount == 1


class PostgresLog(ChainedLog):
    """The journal in one schema.

    Args:
        dsn: the database, `postgresql://...`.
        now: clock of `recorded_at`.
        schema: the schema that holds the log; it is made when it is missing.
    """

    def __init__(self, dsn: str, now: Callable[[], Micros], schema: str = "myrmidon") -> None:
        try:
            self._where = f"{conninfo_to_dict(dsn).get('host', 'localhost')} schema {schema}"
        except psycopg.ProgrammingError as error:
            raise JournalError(f"the log's DSN cannot be used ({error}): check setting log.dsn") from error
        with self._errors():
            psycopg.connect(dsn).close()  # a server that is not there is told at once; the pool would try for long
            self.recorder = Recorder(dsn, schema, now)
            super().__init__(now, self.recorder.notice.told)
            try:
                self.recorder.create_table()
                self._assert_durable()
                self._log_id = identity(self._all("SELECT format, log_id FROM {schema}.log")[0], self._where)
            except BaseException:
                self.recorder.close()
                raise

    @property
    def log_id(self) -> str:
        """Random identity of this log, made when it was created."""
        return self._log_id

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is a fact after `after` (whoever wrote it) or `timeout` seconds went by."""
        with self._errors():
            return self.recorder.notice.watch().wait(after, timeout)

    def close(self) -> None:
        """Let go of connections."""
        self.recorder.close()

    def _heads_of(self, streams: Sequence[str]) -> Heads:
        return _heads_in(self._all(_HEADS, list(streams)))

    def tracked(self, follower: str) -> int:
        """Position up to which the follower has read; 0 at first."""
        query = "SELECT coalesce(max(notification_id), 0) FROM {schema}.tracking WHERE application_name = %s"
        return int(self._all(query, follower)[0][0])

    def cursor(self, feed: str) -> Cursor:
        """The recorded cursor of a feed; empty at first."""
        found = self._all("SELECT rows, body FROM {schema}.cursors WHERE feed = %s", feed)
        return Cursor(rows=found[0][0], body=found[0][1]) if found else Cursor()

    def _record(
        self, contents: Sequence[Content], expected: Mapping[str, int], progress: Progress, *, look_up: bool
    ) -> list[int]:
        write = super()._record
        return self._persistently(lambda first: write(contents, expected, progress, look_up=look_up or not first))

    @contextmanager
    def _begin(self) -> Iterator[_Writing]:
        with self._errors(), self.recorder.datastore.transaction(commit=True) as cursor:
            yield _Writing(self.recorder, cursor)

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Tail, Iterator[Row]]]:
        with self._errors(), self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            sql = cursor.connection.cursor(row_factory=tuple_row, binary=True)
            yield _tail_in(sql.execute(self.recorder.sql(_TAIL)).fetchone()), self._readable(cursor.connection)

    def _readable(self, connection: psycopg.Connection[Any]) -> Iterator[Row]:
        try:
            with connection.cursor(name="audit", row_factory=tuple_row) as sql:
                sql.itersize = 1000
                yield from sql.execute(self.recorder.sql(f"{_SELECT} ORDER BY position"), binary=True)
        except psycopg.Error as error:
            raise Unreadable(str(error)) from error

    def _rows(self, after: int, limit: int, upto: int | None, wanted: Wanted | None) -> Iterable[Shown]:
        last = (1 << 62) if upto is None else upto
        where = " WHERE position > %s AND position <= %s"
        values: list[Any] = [after, last]
        if wanted is not None:
            where, values = f"{where} AND actor <> %s", [*values, wanted.but_of]
        if wanted is not None and wanted.kinds is not None:
            where, values = f"{where} AND kind = ANY(%s)", [*values, sorted(wanted.kinds)]
        return self._all(f"{_READ}{where} ORDER BY position LIMIT %s", *values, limit)

    def _whole(self, after: int, limit: int, upto: int | None) -> Iterable[Row]:
        last = (1 << 62) if upto is None else upto
        where = " WHERE position > %s AND position <= %s"
        return self._all(f"{_SELECT}{where} ORDER BY position LIMIT %s", after, last, limit)

    def _rows_of(self, stream: str, after: int) -> Iterable[Shown]:
        return self._all(f"{_READ} WHERE stream = %s AND version > %s ORDER BY version", stream, after)

    def _row(self, event_id: bytes) -> Shown | None:
        return next(iter(self._all(f"{_READ} WHERE event_id = %s", event_id)), None)

    def _tail(self) -> Tail:
        return _tail_in(self._all(_TAIL)[0])

    def _persistently(self, attempt: Callable[[bool], T]) -> T:
        for number in range(TRIES - 1):
            try:
                return attempt(number == 0)
            except _Lost:
                self.recorder.datastore.pool.check()  # throws out the connections that are dead
        return attempt(False)

    def _all(self, query: str, *values: Any) -> list[Any]:
        return self._persistently(lambda _: self._select(query, values))

    def _select(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._errors(), self.recorder.datastore.get_connection() as connection:
            sql = connection.cursor(row_factory=tuple_row, binary=True)
            return sql.execute(self.recorder.sql(query), values, prepare=True).fetchall()

    def _assert_durable(self) -> None:
        for name in ("fsync", "synchronous_commit"):
            value = self._all(f"SHOW {name}")[0][0]
            if value != "on":
                raise JournalError(f"log {self._where}: {name} is {value}, a log needs on: set it on the server")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.IntegrityError, IntegrityError) as error:
            raise Repeated(f"log {self._where}: {_line(error)}") from error
        except (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError) as error:
            raise _Lost(f"log {self._where}: {_line(error)}: is the server there?") from error
        except (psycopg.Error, PersistenceError) as error:
            raise JournalError(f"log {self._where}: {_line(error)}: check the database and its schema") from error


class _Lost(JournalError):  # noqa: N818 - says what it is
    """The server did not answer: what was sent may or may not be recorded."""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _tail_in(row: Any) -> Tail:
    position, events, head, digest = row
    return Tail(position, events, head, int.from_bytes(digest, "big"))


def _heads_in(found: Iterable[tuple[str, int, int]]) -> Heads:
    return {stream: (version, rank) for stream, version, rank in found}
