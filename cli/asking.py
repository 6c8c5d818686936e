"""Questions to the databases of a home as they stand: no library is started, nothing is followed or written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.home import Home
from domain.journal import JournalError

Query = Callable[[str], list[dict[str, Any]]]
"""Rows of a SELECT; none when its table is not there (yet)."""


@contextmanager
def asking_log(home: Home) -> Iterator[Query]:
    """Questions to the database of the log."""
    from adapters.log.location import Postgres, place_of

    place = place_of(home.log_location)
    if isinstance(place, Postgres):
        with _postgres(place.dsn, place.schema) as ask:
            yield ask
    else:
        with _sqlite(place) as ask:
            yield ask


@contextmanager
def asking_views(home: Home) -> Iterator[Query]:
    """Questions to the live views."""
    from adapters.log.location import Postgres, place_of

    place = place_of(home.log_location)
    if isinstance(place, Postgres):
        with _postgres(place.dsn, "public") as ask:
            found = ask(f"SELECT generation FROM {place.schema}_views_current")
        schema = f"{place.schema}_views_{found[0]['generation']}" if found else "public"
        with _postgres(place.dsn, schema) as ask:
            yield ask
    else:
        with _sqlite(_live_file(home.path)) as ask:
            yield ask


def _live_file(home: Path) -> Path | None:
    try:
        return home / f"views-{int((home / 'views.current').read_text('ascii'))}.db"
    except (OSError, ValueError):
        return None


@contextmanager
def _sqlite(file: Path | None) -> Iterator[Query]:
    if file is None or not file.exists():
        yield lambda _: []
        return
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    connection.row_factory = sqlite3.Row

    def ask(query: str) -> list[dict[str, Any]]:
        try:
            return [dict(row) for row in connection.execute(query)]
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return []
            raise JournalError(f"{file} cannot be read ({error}): run `myrmidon projections rebuild`") from error

    try:
        yield ask
    finally:
        connection.close()


@contextmanager
def _postgres(dsn: str, schema: str) -> Iterator[Query]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(dsn, autocommit=True, options=f"-csearch_path={schema}", row_factory=dict_row) as connection:

        def ask(query: str) -> list[dict[str, Any]]:
            try:
                return connection.execute(query.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

        yield ask
