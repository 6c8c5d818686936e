"""The fingerprint of a log without opening it: for `status`, which must answer at once and start no library."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from adapters.log.location import EVIDENCE, Postgres, place_of
from domain.journal import Fingerprint, JournalError

_QUERY = "SELECT events, position, head, digest FROM {}log"


def peek(location: str | Path, *, schema: str = "myrmidon") -> Fingerprint | None:
    """How far the log at a location is; None when there is none. Writes nothing.

    Raises:
        JournalError: there is something, but it cannot be read as a log.
    """
    place = place_of(location, schema)
    if place is None:
        return None
    row = _peek_postgres(place) if isinstance(place, Postgres) else _peek_file(place)
    if row is None:
        return None
    events, position, head, digest = row
    return Fingerprint(events=events, position=position, head=head.hex(), digest=digest.hex())


def _peek_file(file: Path) -> Any:
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'log'").fetchone():
                return None
            return connection.execute(_QUERY.format("")).fetchone()
    except sqlite3.Error as error:
        raise JournalError(f"{file} cannot be read as a log: {error}{_advice(error)}") from error
    except UnicodeDecodeError as error:  # by what SQLite says of a damaged file it quotes from it
        raise JournalError(f"{file} cannot be read as a log: {EVIDENCE}") from error


def _advice(error: sqlite3.Error) -> str:
    return f": {EVIDENCE}" if is_damage(error) else ""


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says of a file that it is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the code without its kind
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or any(
        sign in str(error) for sign in ("malformed", "UTF-8")
    )


def _peek_postgres(place: Postgres) -> Any:
    import psycopg
    from psycopg.sql import SQL, Identifier

    try:
        with psycopg.connect(place.dsn, connect_timeout=5) as connection:
            query = SQL(_QUERY.replace("{}", "{}.")).format(Identifier(place.schema))
            return connection.execute(query).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise JournalError(
            f"PostgreSQL log in schema {place.schema} cannot be read: {' '.join(str(error).split())}"
        ) from error
