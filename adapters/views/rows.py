"""The rows of one view in its database: loaded by need, folded in memory, written once a batch.

Rules:
    1. What a batch will read is asked for with one question; what it changed is written with one statement, however
       often it was changed.
    2. Statements are built from the view's table once, and given to the database driver as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from projections.view import Row, View, at_rest, unread

CACHED: Final = 4_096
"""Rows of a view kept between batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a database is asked for many rows, and given many.

    Attributes:
        load, upsert: statements; `{table}`, `{key}`, `{columns}`, `{marks}` and `{assigned}` are filled in.
        rows: from column names and rows at rest to the parameters of `upsert`.
    """

    load: str
    upsert: str
    rows: Callable[[tuple[str, ...], list[Row]], Any]


DIALECTS: Final = {
    "sqlite": Dialect(
        load="SELECT {columns} FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))",
        upsert="INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {assigned}",
        rows=lambda columns, rows: list(map(itemgetter(*columns), rows)),
    ),
    "postgresql": Dialect(
        load="SELECT {columns} FROM {table} WHERE {key} IN (SELECT json_array_elements_text(%s::json))",
        # all rows as one value: one answer to wait for instead of one a row
        upsert="INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json) "
        "ON CONFLICT ({key}) DO UPDATE SET {assigned}",
        rows=lambda _, rows: (_json(rows),),
    ),
}


class LiveRows:
    """The rows of one view (see `projections.view.Store`)."""

    def __init__(self, view: View, dialect: str) -> None:
        self.view = view
        self._columns = tuple(column.name for column in view.table.c)
        self._dialect = DIALECTS[dialect]
        self._load, self._upsert = (
            statement.format(
                table=view.table.name,
                key=_quoted(view.key),
                columns=", ".join(map(_quoted, self._columns)),
                marks=", ".join("?" for _ in self._columns),
                assigned=", ".join(f"{_quoted(n)} = excluded.{_quoted(n)}" for n in self._columns if n != view.key),
            )
            for statement in (self._dialect.load, self._dialect.upsert)
        )
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
        for values in self._run(self._load, (_json(missing),)).all():
            row = unread(self.view, dict(zip(self._columns, values, strict=True)))
            self._kept[row[self.view.key]] = row

    def __setitem__(self, key: str, row: Row, /) -> None:
        self._kept[key] = row
        self._changed[key] = None

    def flush(self) -> None:
        """Write what changed."""
        if rows := [at_rest(self.view, row) for key in self._changed if (row := self._kept[key]) is not None]:
            self._run(self._upsert, self._dialect.rows(self._columns, rows))
        self._changed.clear()

    def forget(self) -> None:
        """The database is not what it was: keep nothing."""
        self._kept.clear()
        self._changed.clear()

    def _run(self, statement: str, parameters: Any) -> Any:
        assert self._connection is not None, "begin comes first"  # noqa: S101 - an invariant of this class
        return self._connection.exec_driver_sql(statement, parameters)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
