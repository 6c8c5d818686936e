"""What all views share: a table, one function a kind of fact, and a fold that live, replay and as-of have in common.

Rules:
    1. A view names every kind of fact: it is handled (`on`) or ignored (`ignored`), never forgotten. Kinds of families
       that are none of its business are named by their family, the module of `domain.facts` (`facts_of`).
    2. A handler is pure: it reads rows by key and returns the rows that changed, whole. It never changes one in place.
    3. A handler that raises parks the fact's stream for its view: the rest of that stream is left out, nothing else.
    4. Live database, replay and as-of fold with the same `fold`; equal digests are no coincidence.
    5. JSON columns (`View.json`) are canonical text at rest. In a row that a handler reads they may still be that text,
       unread (`msgspec.Raw`): a handler looks at one with `value_of`, and passes on unread what it does not change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from domain.events import FACTS
from domain.journal import Recorded
from domain.values import LEVELS, Micros

Row: TypeAlias = dict[str, Any]
"""A row by column name."""


class Rows(Protocol):
    """The rows of a view as a handler sees them."""

    def get(self, key: str, /) -> Row | None:
        """The row of that key, if there is one."""


class Store(Rows, Protocol):
    """Rows that can be written: a dict, or the live database behind a cache."""

    def __setitem__(self, key: str, row: Row, /) -> None:
        """Put the row in the place of an older one."""


Handler: TypeAlias = Callable[[Rows, Any, Recorded], Iterable[Row]]
"""(rows, fact, its record) -> the rows that changed."""


Reads: TypeAlias = Callable[[Recorded], Iterable[UUID | str | None]]
"""A fact's record -> keys of rows that its handler reads; None is no key."""


def nothing_known(_: Recorded) -> Iterable[None]:
    """A fact does not tell which rows its handler reads."""
    return ()


def named_by(*fields: str) -> Reads:
    """Fields of facts hold the keys of the rows that their handlers read."""
    return lambda recorded: [getattr(recorded.fact, name, None) for name in fields]


class ViewTable(SQLModel, registry=registry()):
    """Root of the tables of all views: their metadata is apart from everybody else's."""


class MissingRow(LookupError):  # noqa: N818 - names what is the matter
    """A fact speaks of something that this view has not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A table, its key, its JSON columns, and what it does at each kind of fact.

    Attributes:
        reads: keys of the rows that the handler of a fact reads, as far as the fact tells.
        opens: kinds whose handler makes a row without reading an older one.
        later: columns that came after a release, with what they hold while they say nothing; then they are no part of
            the digest, so that the views of old histories keep theirs.
    """

    name: str
    table: Table
    key: str
    on: Mapping[str, Handler]
    ignored: frozenset[str]
    json: frozenset[str]
    reads: Reads = nothing_known
    opens: frozenset[str] = frozenset()
    later: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A stream that a view gave up on: from which position, and why."""

    view: str
    stream: str
    position: int
    error: str


@dataclass(slots=True)
class Memory:
    """One view in memory: what replay and as-of fold into."""

    rows: dict[str, Row] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)


def facts_of(*families: ModuleType) -> frozenset[str]:
    """The kinds of all facts that modules of `domain.facts` define."""
    return frozenset(fact.kind for family in families for fact in FACTS.values() if fact.__module__ == family.__name__)


def fold(view: View, rows: Store, parked: dict[str, Parked], facts: Iterable[Recorded]) -> None:
    """Fold facts that the view handles, in log order, into `rows`.

    A stream whose fact cannot be handled goes to `parked`.
    """
    for recorded in facts:
        if recorded.stream in parked:
            continue
        fact = recorded.fact
        try:
            changed = tuple(view.on[fact.kind](rows, fact, recorded))
        except Exception as error:  # noqa: BLE001 - supervision: one bad fact must not stop the view
            parked[recorded.stream] = _gave_up(view, recorded, error)
            continue
        for row in changed:
            rows[row[view.key]] = row


def _gave_up(view: View, recorded: Recorded, error: Exception) -> Parked:
    text = f"{type(error).__name__}: {error}"[:500]
    return Parked(view=view.name, stream=recorded.stream, position=recorded.position, error=text)


def named(view: View, facts: Iterable[Recorded]) -> Iterable[str]:
    """Keys of the rows that these facts, which the view handles, read and do not make themselves."""
    wanted: dict[str, bool] = {}
    for recorded in facts:
        for key in view.reads(recorded):
            if key is not None:
                wanted.setdefault(key_of(key), recorded.fact.kind not in view.opens)
    return (key for key, read in wanted.items() if read)


key_of: Final[Callable[[UUID | str], str]] = msgspec.to_builtins
"""An id as a view shows it: what `str` makes of it, in a quarter of the time."""


def known(rows: Rows, key: UUID | str, what: str) -> Row:
    """The row of `key`.

    Raises:
        MissingRow: there is none.
    """
    row = rows.get(key_of(key))
    if row is None:
        raise MissingRow(f"{what} {key} is unknown to this view")
    return row


def joined(some: Sequence[str], *more: str) -> list[str]:
    """`some` and then those of `more` that are not yet in it.

    >>> joined(["a", "b"], "b", "c")
    ['a', 'b', 'c']
    """
    if len(more) == 1:  # the usual case: a long list and one that may be new
        return [*some] if more[0] in some else [*some, *more]
    return list(dict.fromkeys((*some, *more)))


def holds(column: Column[Any], member: str) -> ColumnElement[bool]:
    """A JSON list of texts at rest has this member."""
    return column.contains(_text(member), autoescape=True)


Condition: TypeAlias = ColumnElement[bool]


def active(begin: Column[Any], last: Column[Any], since: Micros | None, until: Micros | None) -> list[Condition]:
    """Conditions of rows that were active in a span; an end that is None is open."""
    after = [] if since is None else [last >= since]
    return after if until is None else [*after, begin <= until]


def equal(*asked: tuple[Column[Any], Any]) -> list[Condition]:
    """Conditions of rows with these values; None asks for nothing."""
    return [column == value for column, value in asked if value is not None]


def at_least(column: Column[Any], level: str | None) -> list[Condition]:
    """Conditions of rows of this level or a graver one; None asks for nothing."""
    names: list[str] = [name for _, name in LEVELS]
    return [] if level is None else [column.in_(names[: names.index(level) + 1])]


def plain(text: str) -> str:
    r"""Text that every database takes: PostgreSQL knows no NUL.

    >>> plain("a\x00b")
    'a�b'
    """
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODE: Final = msgspec.json.Decoder().decode


def at_rest(view: View, row: Row) -> Row:
    """The row as the table holds it: JSON columns as canonical text."""
    rest = row.copy()
    for name in view.json:
        rest[name] = _ENCODER.encode(row[name]).decode()
    return rest


def unread(view: View, row: Row) -> Row:
    """A row at rest as handlers get it: most facts look at few of its JSON columns."""
    for name in view.json:
        row[name] = msgspec.Raw(row[name])
    return row


def value_of(row: Row, name: str) -> Any:
    """The value of a JSON column, read now if it was not yet."""
    value = row[name]
    return _DECODE(value) if type(value) is msgspec.Raw else value


def in_memory(view: View, row: Mapping[str, Any]) -> Row:
    """The row as readers see it: JSON columns parsed."""
    made = dict(row)
    for name in view.json:
        made[name] = _DECODE(row[name])
    return made


def _text(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def digest(rows: Iterable[Row]) -> str:
    """SHA-256 (hex) over the canonical JSON of rows at rest, which come ordered by key."""
    hasher = hashlib.sha256()
    for row in rows:
        hasher.update(_ENCODER.encode(row) + b"\n")
    return hasher.hexdigest()


def told(view: View, row: Row) -> Row:
    """A row at rest as it enters the digest: without later columns that say nothing."""
    silent = [name for name, nothing in view.later.items() if row[name] == nothing]
    return {name: value for name, value in row.items() if name not in silent} if silent else row


def digest_of(view: View, memory: Memory) -> str:
    """Digest of a view in memory; equal to that of the same view in a database."""
    return digest(told(view, at_rest(view, memory.rows[key])) for key in sorted(memory.rows))
