"""One generation of the views: its tables, and how a batch of facts gets into them exactly once.

Rules:
    1. Rows, parked streams, the log's id, the position and the hash of the fact at it are committed together.
    2. The batch is read from the log under the writer's lock, from the position in this very database.
    3. A view whose log is another one, is shorter, or holds another fact at that position is not folded on: first it is
       to be known why. A database whose tables are of another shape than this program's demands a rebuild.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    collate,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.views.rows import LiveRows
from domain.errors import MyrmidonError
from domain.journal import Journal, Recorded
from projections.catalog import VIEWS, digest_parked, shares
from projections.view import Parked, Row, View, ViewTable, digest, fold, in_memory, named, told

REMEDY: Final = "run `myrmidon projections rebuild`"
INQUIRY: Final = (
    "keep the home as it is (the views are a trace of what was there) and run `myrmidon audit verify`; only when it is "
    "known why, `myrmidon projections rebuild`"
)
"""What to do when the log is not the one that was folded: it may have been cut or changed."""


_BOOK: Final = MetaData()
PROGRESS: Final = Table(
    "progress",
    _BOOK,
    Column("one", Integer, primary_key=True),
    Column("shape", Text, nullable=False),
    Column("log_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
PARKED: Final = Table(
    "parked",
    _BOOK,
    Column("view", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
)


class ViewError(MyrmidonError):
    """The database of the views could not do what was asked."""


class ViewMismatch(ViewError):  # noqa: N818 - says what it is
    """The views do not belong to this log, or not to this program: they must be rebuilt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a generation has read, in which log; `hash` is that of the fact at `position`."""

    shape: str
    log_id: str
    position: int
    events: int
    hash: str


class Generation:
    """A database of views and how it follows a log.

    Args:
        number: which one it is.
        engine: access to it.
        where: what it is called in errors.
    """

    def __init__(self, number: int, engine: Engine, where: str) -> None:
        self.number = number
        self._where = where
        self._engine = engine
        self._rows = {name: LiveRows(view, engine.dialect.name) for name, view in VIEWS.items()}
        self._parked: dict[str, dict[str, Parked]] = {}
        self._kept_at = -1

    def prepare(self, log_id: str = "") -> None:
        """Make the tables."""
        with self._transaction(writing=True) as connection:
            ViewTable.metadata.create_all(connection)
            _BOOK.create_all(connection)
            start = {"one": 1, "shape": SHAPE, "log_id": log_id, "position": 0, "events": 0, "hash": ""}
            connection.execute(insert(PROGRESS), [start])

    def step(self, journal: Journal, batch: int, upto: int | None) -> list[Parked] | None:
        """Fold the next batch; returns the streams parked by it, or None when there was nothing to read.

        Raises:
            ViewMismatch: these views are not of this log.
        """
        end = journal.fingerprint().position
        with self._transaction() as connection:
            progress = self._written(connection)
        self._check(journal, progress, end)
        _check_shape(progress)
        if progress.position >= (end if upto is None else min(end, upto)):
            return None
        try:
            with self._transaction(writing=True) as connection:
                progress = self._progress(connection, lock=True)
                facts = journal.read(progress.position, batch, upto=upto)
                return self._apply(connection, progress, facts, journal.log_id) if facts else None
        except BaseException:
            self._kept_at = -1  # what is kept in memory was rolled back in the database
            raise

    def _apply(
        self, connection: Connection, progress: Progress, facts: Sequence[Recorded], log_id: str
    ) -> list[Parked]:
        if progress.position != self._kept_at:
            self._reload(connection)
        before = {name: set(parked) for name, parked in self._parked.items()}
        for name, mine in shares(facts).items():
            view, rows, parked = VIEWS[name], self._rows[name], self._parked[name]
            rows.begin(connection)
            rows.expect(named(view, mine))
            fold(view, rows, parked, mine)
            rows.flush()
        fresh = [
            fault
            for name, parked in self._parked.items()
            for stream, fault in parked.items()
            if stream not in before[name]
        ]
        if fresh:
            connection.execute(insert(PARKED), [_entry(fault) for fault in fresh])
        new = {
            "log_id": log_id,
            "position": facts[-1].position,
            "events": progress.events + len(facts),
            "hash": hash_of(facts[-1]),
        }
        connection.execute(update(PROGRESS).values(new))
        self._kept_at = facts[-1].position
        return fresh

    def _reload(self, connection: Connection) -> None:
        """Another writer was here: begin from what the database holds."""
        for rows in self._rows.values():
            rows.forget()
        self._parked = {name: {} for name in VIEWS}
        for fault in _parked(connection):
            self._parked[fault.view][fault.stream] = fault

    def _check(self, journal: Journal, progress: Progress, end: int) -> None:
        if progress.log_id and progress.log_id != journal.log_id:
            raise ViewMismatch(
                f"the views belong to log {progress.log_id}, this one is {journal.log_id}: another log was put in its "
                f"place, or its identity was changed; {INQUIRY}"
            )
        if progress.position > end:
            raise ViewMismatch(
                f"the views are at position {progress.position}, but the log ends at {end}: its tail was cut, or an "
                f"older copy was put in its place; {INQUIRY}"
            )
        if progress.position and progress.position != self._kept_at and progress.shape == SHAPE:
            there = journal.read(progress.position - 1, 1, upto=progress.position)
            if not there or hash_of(there[0]) != progress.hash:
                raise ViewMismatch(
                    f"the log holds another fact at position {progress.position} than was folded: it was changed; "
                    f"{INQUIRY}"
                )

    def is_trace(self, journal: Journal) -> bool:
        """Whether this generation was folded from facts that the log does not hold (any more)."""
        try:
            with self._transaction() as connection:
                progress = self._written(connection)
            self._check(journal, progress, journal.fingerprint().position)
        except ViewMismatch:
            return True
        except ViewError:
            return False
        return False

    def progress(self) -> Progress:
        """How far this generation has read."""
        with self._transaction() as connection:
            return self._progress(connection)

    def _progress(self, connection: Connection, *, lock: bool = False) -> Progress:
        found = self._written(connection, lock=lock)
        _check_shape(found)
        return found

    def _written(self, connection: Connection, *, lock: bool = False) -> Progress:
        query = select(PROGRESS).with_for_update() if lock else select(PROGRESS)
        row = connection.execute(query).mappings().one()
        return Progress(**{name: value for name, value in row.items() if name != "one"})

    def rows(self, name: str, query: Any) -> list[Row]:
        """Rows of one view that a query of its projection selects."""
        with self._transaction() as connection:
            return [self._sound(VIEWS[name], dict(row)) for row in connection.execute(query).mappings()]

    def _sound(self, view: View, row: Row) -> Row:
        """The row as readers see it: what the table declares is what it holds, or the file is damaged."""
        for name, kinds in _KINDS[view.name].items():
            if name in row and not isinstance(row[name], kinds):
                raise self.damaged(f"{view.name}.{name} holds a value of another type")
        return in_memory(view, row)

    def ask(self, query: Any) -> list[Row]:
        """Rows of a query that counts over views."""
        with self._transaction() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def count(self, view: View) -> int:
        """How many rows a view holds, without those that stand in another."""
        query = select(func.count()).select_from(view.table)
        if "merged_into" in view.table.c:
            query = query.where(view.table.c.merged_into.is_(None))
        with self._transaction() as connection:
            return int(connection.execute(query).scalar_one())

    def parked(self) -> list[Parked]:
        """The streams that were given up."""
        with self._transaction() as connection:
            return _parked(connection)

    def digests(self) -> tuple[Progress, dict[str, str]]:
        """Position and digest of each view as of one moment."""
        with self._transaction() as connection:
            progress = self._progress(connection)
            found = {
                name: digest(told(view, row) for row in _at_rest(connection, view)) for name, view in VIEWS.items()
            }
            return progress, found | {"parked": digest_parked(_parked(connection))}

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _options(self, writing: bool) -> dict[str, Any]:
        """A reader sees one moment; a writer waits for the one before it and sees what that one did."""
        if self._engine.dialect.name != "postgresql":
            return {"writing": writing}
        return {"isolation_level": "READ COMMITTED" if writing else "REPEATABLE READ"}

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**self._options(writing))
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            raise ViewError(f"the views in {self._where} cannot be read ({error.orig}): {REMEDY}") from error
        except SQLAlchemyError as error:
            raise self.damaged(str(error)) from error
        except msgspec.DecodeError as error:
            raise self.damaged(f"a column of JSON holds none: {error}") from error
        except UnicodeDecodeError as error:  # by what SQLite says of a damaged file it quotes from it
            raise self.damaged("what it holds is no text") from error

    def damaged(self, why: str) -> ViewError:
        """The error of views that hold what nobody wrote there."""
        return ViewError(f"the views in {self._where} are damaged ({why}): {REMEDY}")


def hash_of(recorded: Recorded) -> str:
    """SHA-256 (hex) over all that the log holds of a fact."""
    return hashlib.sha256(msgspec.json.encode(recorded, order="sorted")).hexdigest()


def _shape() -> str:
    tables = sorted(ViewTable.metadata.tables.values(), key=lambda table: table.name)
    shape = ";".join(f"{table.name}({','.join(f'{c.name} {c.type!r}' for c in table.c)})" for table in tables)
    return hashlib.sha256(shape.encode()).hexdigest()[:16]


SHAPE: Final = _shape()
"""Names the tables of this program's views."""


_KINDS: Final = {
    name: {
        column.name: (
            *((int, float) if column.type.python_type is float else (column.type.python_type,)),
            *((type(None),) if column.nullable else ()),
        )
        for column in view.table.c
    }
    for name, view in VIEWS.items()
}
"""View -> column -> what a sound row may hold there."""


def _check_shape(progress: Progress) -> None:
    if progress.shape != SHAPE:
        raise ViewMismatch(f"the views were made by another version of this program: {REMEDY}")


def _at_rest(connection: Connection, view: View) -> Iterator[Row]:
    key = view.table.c[view.key]
    order = collate(key, "C") if connection.dialect.name == "postgresql" else key
    for row in connection.execution_options(yield_per=1_000).execute(select(view.table).order_by(order)).mappings():
        yield dict(row)


def _parked(connection: Connection) -> list[Parked]:
    return [Parked(**row) for row in connection.execute(select(PARKED).order_by(PARKED.c.position)).mappings()]


def _entry(fault: Parked) -> Row:
    return {"view": fault.view, "stream": fault.stream, "position": fault.position, "error": fault.error}
