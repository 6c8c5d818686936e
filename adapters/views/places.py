"""Where generations of the views live: files of a home, or schemas of a PostgreSQL database.

Rules:
    1. A generation is a number; its tables are in `views-<n>.db`, or in the schema `<log's schema>_views_<n>`.
    2. One pointer says which is live (file `views.current`, table `<log's schema>_views_current`); it moves whole or
       not at all.
    3. A generation is removed when nobody has it open.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from adapters.log.location import Postgres
from adapters.log.location import place_of as log_place_of
from domain.journal import JournalError

POINTER: Final = "views.current"
_LOCK: Final = 7_109_736_213
"""Key of the advisory lock under which generations are numbered."""


class Place(Protocol):
    """What a store of generations can do."""

    def current(self) -> int:
        """Number of the live generation; 0 when there is none."""

    def generations(self) -> list[int]:
        """Numbers of all generations, live or not."""

    def create(self) -> int:
        """Number of a new, empty generation, nobody else's."""

    def engine(self, generation: int) -> Engine:
        """Access to a generation."""

    def where(self, generation: int) -> str:
        """What a generation is called in errors."""

    def point(self, generation: int) -> None:
        """Make a generation the live one."""

    def drop(self, generation: int) -> bool:
        """Remove a generation, unless somebody has it open."""


def place_of(location: str) -> Place:
    """The place for a location: a `postgresql://` DSN or a folder."""
    found = log_place_of(location)
    if found is None:
        raise JournalError("views of a log in memory are folded in memory: there is no place for them")
    return Schemas(found.dsn, found.schema) if isinstance(found, Postgres) else Files(found)


class Files:
    """Generations as SQLite files of one folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)

    def current(self) -> int:
        """What the pointer file says."""
        try:
            return int((self._home / POINTER).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def generations(self) -> list[int]:
        """From the names of the files."""
        names = (re.fullmatch(r"views-(\d+)\.db", path.name) for path in self._home.iterdir())
        return sorted(int(match[1]) for match in names if match)

    def create(self) -> int:
        """An empty file, made exclusively."""
        number = max(self.generations(), default=0) + 1
        while True:
            try:
                self._path(number).touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return number

    def engine(self, generation: int) -> Engine:
        """SQLite in WAL; a transaction that says `writing` takes the writer's lock at its beginning."""
        path = self._path(generation)

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30, check_same_thread=False)
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")  # a lost commit is lost with its position: it is redone
            connection.execute("PRAGMA cache_size=-32768")  # KiB: a batch of rows stays in memory until its commit
            connection.execute("PRAGMA wal_autocheckpoint=4000")  # pages: what several batches change is copied once
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=4)
        event.listen(engine, "begin", _begin)
        return engine

    def where(self, generation: int) -> str:
        """The file."""
        return str(self._path(generation))

    def point(self, generation: int) -> None:
        """Replace the pointer file."""
        fresh = self._home / f"{POINTER}.{generation}"
        fresh.write_text(str(generation), "ascii")
        os.replace(fresh, self._home / POINTER)  # noqa: PTH105 - the call whose atomicity is documented

    def drop(self, generation: int) -> bool:
        """Remove the file and what SQLite keeps beside it; it can leave WAL only when nobody else is in it."""
        try:
            with closing(sqlite3.connect(f"file:{self._path(generation)}?mode=rw", uri=True, timeout=0)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                return False
        for tail in ("", "-wal", "-shm"):
            self._path(generation).with_name(f"views-{generation}.db{tail}").unlink(missing_ok=True)
        return True

    def _path(self, generation: int) -> Path:
        return self._home / f"views-{generation}.db"


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


class Schemas:
    """Generations as schemas of a PostgreSQL database."""

    def __init__(self, dsn: str, schema: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", schema):
            raise JournalError(f"{schema!r} cannot name a schema: use lower-case letters, digits and _")
        self._dsn = dsn
        self._prefix = f"{schema}_views_"
        self._pointer = f"public.{schema}_views_current"
        self._run(f"CREATE TABLE IF NOT EXISTS {self._pointer} (one int PRIMARY KEY, generation int NOT NULL)")

    def current(self) -> int:
        """What the pointer table says."""
        rows = self._run(f"SELECT generation FROM {self._pointer}")
        return int(rows[0][0]) if rows else 0

    def generations(self) -> list[int]:
        """From the names of the schemas."""
        rows = self._run(f"SELECT nspname FROM pg_namespace WHERE nspname ~ '^{self._prefix}[0-9]+$'")
        return sorted(int(name.removeprefix(self._prefix)) for (name,) in rows)

    def create(self) -> int:
        """A new schema, numbered under a lock."""
        with self._connect() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            rows = connection.execute(f"SELECT nspname FROM pg_namespace WHERE nspname ~ '^{self._prefix}[0-9]+$'")
            number = max((int(name.removeprefix(self._prefix)) for (name,) in rows), default=0) + 1
            connection.execute(f"CREATE SCHEMA {self._prefix}{number}")
        return number

    def engine(self, generation: int) -> Engine:
        """Connections that see this schema alone."""
        schema = f"{self._prefix}{generation}"
        return create_engine(
            "postgresql+psycopg://",
            # a commit that a crash of the server loses is lost with its position: it is redone
            creator=lambda: self._enter(schema),
            pool_size=1,
            max_overflow=4,
        )

    def where(self, generation: int) -> str:
        """The schema."""
        return f"schema {self._prefix}{generation}"

    def point(self, generation: int) -> None:
        """Move the pointer in one statement."""
        self._run(
            f"INSERT INTO {self._pointer} VALUES (1, {int(generation)}) "
            "ON CONFLICT (one) DO UPDATE SET generation = excluded.generation"
        )

    def drop(self, generation: int) -> bool:
        """Remove the schema with all that is in it; each connection to it holds a shared lock."""
        schema = f"{self._prefix}{int(generation)}"
        with self._connect() as connection:
            [free] = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_key(schema),)).fetchone()
            if free:
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        return bool(free)

    def _enter(self, schema: str) -> Any:
        connection = self._connect(options=f"-csearch_path={schema} -csynchronous_commit=off")
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (_key(schema),))
        connection.commit()
        return connection

    def _connect(self, **options: str) -> Any:
        import psycopg

        return psycopg.connect(self._dsn, **options)  # type: ignore[arg-type]

    def _run(self, statement: str) -> list[Any]:
        with self._connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def _key(schema: str) -> int:
    """Of the advisory lock that says that a generation is in use."""
    return int.from_bytes(sha256(f"views|{schema}".encode()).digest()[:8], "big", signed=True)
