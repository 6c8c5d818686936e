"""The rows of one view in its database: loaded by need, folded in memory, written once a batch.

Rules:
    1. What a batch will read is asked for with one question; what it changed is written at once, however often it was
       changed.
    2. Statements are built from the view's table once, and given to the database driver as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import BigInteger, Connection, Float

from projections.view import Row, View, at_rest, unread

CACHED: Final = 4_096
"""Rows of a view kept between batches."""


class Access(Protocol):
    """How one kind of database is asked for many rows of a view, and given many."""

    def load(self, connection: Connection, keys: list[str]) -> Sequence[Sequence[Any]]:
        """The rows of these keys, as far as there are any: values in the order of the table's columns."""

    def write(self, connection: Connection, rows: list[Row]) -> None:
        """Insert rows at rest, or put them in the place of those with the same key."""


class OnSQLite:
    """A statement for one row, executed for many."""

    def __init__(self, view: View) -> None:
        columns, filled = _parts(view)
        self._values = itemgetter(*columns)
        self._load = "SELECT {columns} FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))".format(**filled)
        marks = ", ".join("?" for _ in columns)
        self._write = "INSERT INTO {table} ({columns}) VALUES ({marks}) {otherwise}".format(**filled, marks=marks)

    def load(self, connection: Connection, keys: list[str]) -> Sequence[Sequence[Any]]:
        """See `Access`."""
        return connection.exec_driver_sql(self._load, (msgspec.json.encode(keys).decode(),)).all()

    def write(self, connection: Connection, rows: list[Row]) -> None:
        """See `Access`."""
        connection.exec_driver_sql(self._write, list(map(self._values, rows)))


class OnPostgres:
    """Rows go by binary COPY into a table of this connection, and from there into the view."""

    def __init__(self, view: View) -> None:
        columns, filled = _parts(view)
        self._values = itemgetter(*columns)
        self._types = [_postgres_type(column.type) for column in view.table.c]
        self._load = "SELECT {columns} FROM {table} WHERE {key} = ANY(%s)".format(**filled)
        self._prepare = (
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_{table} (LIKE {table}) ON COMMIT DELETE ROWS".format(
                **filled
            )
        )
        self._copy = "COPY incoming_{table} ({columns}) FROM STDIN (FORMAT BINARY)".format(**filled)
        self._write = "INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming_{table} {otherwise}".format(
            **filled
        )

    def load(self, connection: Connection, keys: list[str]) -> Sequence[Sequence[Any]]:
        """See `Access`."""
        return connection.exec_driver_sql(self._load, (keys,)).all()

    def write(self, connection: Connection, rows: list[Row]) -> None:
        """See `Access`."""
        driver: Any = connection.connection
        with driver.cursor() as cursor:
            cursor.execute(self._prepare)
            with cursor.copy(self._copy) as copy:
                copy.set_types(self._types)
                for values in map(self._values, rows):
                    copy.write_row(values)
            cursor.execute(self._write)


ACCESS: Final[dict[str, type[OnSQLite | OnPostgres]]] = {"sqlite": OnSQLite, "postgresql": OnPostgres}


class LiveRows:
    """The rows of one view (see `projections.view.Store`)."""

    def __init__(self, view: View, dialect: str) -> None:
        self.view = view
        self._columns = tuple(column.name for column in view.table.c)
        self._access: Access = ACCESS[dialect](view)
        self._connection: Connection | None = None
        self._kept: dict[str, Row | None] = {}
        self._changed: dict[str, None] = {}

    def begin(self, connection: Connection) -> None:
        """Use this transaction from here on."""
        self._connection = connection
        if len(self._kept) > CACHED:
            self._kept.clear()

    def get(self, key: str, /) -> Row | None:
        """The row of that key, from memory or the database."""
        if key not in self._kept:
            self.expect((key,))
        return self._kept[key]

    def expect(self, keys: Iterable[str]) -> None:
        """Load the rows of these keys that are not in memory."""
        missing = [key for key in keys if key not in self._kept]
        if not missing:
            return
        self._kept.update(dict.fromkeys(missing))
        for values in self._access.load(self._open, missing):
            row = unread(self.view, dict(zip(self._columns, values, strict=True)))
            self._kept[row[self.view.key]] = row

    def __setitem__(self, key: str, row: Row, /) -> None:
        self._kept[key] = row
        self._changed[key] = None

    def flush(self) -> None:
        """Write what changed."""
        if rows := [at_rest(self.view, row) for key in self._changed if (row := self._kept[key]) is not None]:
            self._access.write(self._open, rows)
        self._changed.clear()

    def forget(self) -> None:
        """The database is not what it was: keep nothing."""
        self._kept.clear()
        self._changed.clear()

    @property
    def _open(self) -> Connection:
        assert self._connection is not None, "begin comes first"  # noqa: S101 - an invariant of this class
        return self._connection


def _parts(view: View) -> tuple[list[str], dict[str, str]]:
    """Columns of a view's table, and what its statements are made of."""
    columns = [column.name for column in view.table.c]
    assigned = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in columns if name != view.key)
    key = _quoted(view.key)
    return columns, {
        "table": view.table.name,
        "key": key,
        "columns": ", ".join(map(_quoted, columns)),
        "otherwise": f"ON CONFLICT ({key}) DO UPDATE SET {assigned}",
    }


def _postgres_type(declared: object) -> str:
    if isinstance(declared, BigInteger):
        return "int8"
    return "float8" if isinstance(declared, Float) else "text"


def _quoted(name: str) -> str:
    return f'"{name}"'
