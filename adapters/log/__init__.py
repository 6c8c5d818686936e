"""The log: `open_log(location, now)` gives the journal that lives there. Libraries are imported when needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.log.location import Postgres, place_of
from domain.values import Micros

if TYPE_CHECKING:
    from adapters.log.base import ChainedLog

__all__ = ["open_log"]


def open_log(location: str | Path, now: Callable[[], Micros], *, schema: str = "myrmidon") -> ChainedLog:
    """The journal at a location, made when it is not there yet.

    Args:
        location: a file (SQLite), `postgresql://...` (with an optional parameter `schema=NAME`), or `memory:`.
        now: the clock of `recorded_at`, microseconds.
        schema: the schema of a PostgreSQL log whose location names none.
    """
    place = place_of(location, schema)
    if place is None:
        from adapters.log.memory import MemoryLog

        return MemoryLog(now)
    if isinstance(place, Postgres):
        from adapters.log.postgres import PostgresLog

        return PostgresLog(place.dsn, now, place.schema)
    from adapters.log.sqlite import SQLiteLog

    return SQLiteLog(place, now)
