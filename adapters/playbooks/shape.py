"""How JSON is checked against a table: small kinds of values, put together.

A kind is a function of a value and its place (a JSON path) that yields what is wrong. What is grave makes a document
unusable; a note tells of something that the standard does not have so, and that does no harm here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
IDENTIFIER: Final = re.compile(rf"[a-z][a-z0-9-]+[a-z0-9]--{UUID}")
TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where.

    Attributes:
        place: JSON path; of a step it ends in, or goes through, the step's id.
        grave: whether the document cannot be used because of it.
    """

    place: str
    reason: str
    grave: bool = True

    def __str__(self) -> str:
        return one_line(f"{self.place or '(document)'}: {self.reason}")


Kind: TypeAlias = Callable[[Any, str], Iterator[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The properties of an object.

    Attributes:
        needs: those that must be there.
        may: those that may be there.
        one_of: at least one of these must be there (empty: no such rule).
        open: whether other properties are expected (no note about them).
    """

    needs: Mapping[str, Kind] = field(default_factory=dict)
    may: Mapping[str, Kind] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    open: bool = False

    def __call__(self, value: Any, place: str) -> Iterator[Problem]:
        """What is wrong with an object of this shape."""
        if not isinstance(value, dict):
            yield Problem(place=place, reason=f"must be an object, is {named(value)}")
            return
        for name in self.needs:
            if name not in value:
                yield Problem(place=place, reason=f"lacks the property {name!r}")
        if self.one_of and not any(name in value for name in self.one_of):
            yield Problem(place=place, reason=f"needs one of the properties {', '.join(self.one_of)}")
        for name, part in value.items():
            kind = self.needs.get(name) or self.may.get(name)
            if kind is not None:
                yield from kind(part, under(place, name))
            elif not self.open:
                yield Problem(place=under(place, name), reason="is no property of CACAO 2.0 here", grave=False)


def under(place: str, name: str | int) -> str:
    """The place of a part.

    >>> under("", "workflow"), under("a", 3), under("a", "b.c")
    ('workflow', 'a[3]', 'a["b.c"]')
    """
    if isinstance(name, int):
        return f"{place}[{name}]"
    if not re.fullmatch(r"[\w-]+", name):
        return f'{place}["{name[:80]}"]'
    return f"{place}.{name}" if place else name


def one_line(said: str) -> str:
    r"""Text of somebody else as one line that steers no terminal.

    >>> one_line("a\nb")
    'a\ufffdb'
    """
    return said if said.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in said)


def named(value: Any) -> str:
    """What JSON calls a value of this type.

    >>> named([]), named(True), named(None)
    ('an array', 'a boolean', 'null')
    """
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "an array", str: "a text", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), "something else")


def shown(value: Any) -> str:
    """A value for a message: not too long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def text(pattern: str = "", what: str = "") -> Kind:
    """A text; all of it matches `pattern`, which `what` says in words."""
    compiled = re.compile(pattern)

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem(place=place, reason=f"must be a text, is {named(value)}")
        elif pattern and not compiled.fullmatch(value):
            yield Problem(place=place, reason=f"{shown(value)} is no {what}")

    return check


def exactly(wanted: str) -> Kind:
    """This text and no other."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        if value != wanted:
            yield Problem(place=place, reason=f"must be {wanted!r}, is {shown(value)}")

    return check


def known(words: Collection[str]) -> Kind:
    """A word of an open vocabulary: another is only noted."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        yield from text()(value, place)
        if isinstance(value, str) and value not in words:
            yield Problem(place=place, reason=f"{shown(value)} is not in the vocabulary of CACAO 2.0", grave=False)

    return check


def number(low: int, high: int) -> Kind:
    """A whole number within bounds."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            yield Problem(place=place, reason=f"must be a whole number from {low} to {high}, is {shown(value)}")

    return check


def flag(value: Any, place: str) -> Iterator[Problem]:
    """True or false."""
    if not isinstance(value, bool):
        yield Problem(place=place, reason=f"must be true or false, is {named(value)}")


def anything(value: Any, place: str) -> Iterator[Problem]:
    """Whatever it is."""
    del value, place
    yield from ()


def identifier(*of: str) -> Kind:
    """`type--uuid`; of one of these types, when some are given."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            yield Problem(place=place, reason=f"{shown(value)} is no identifier (type--uuid)")
        elif of and value.split("--")[0] not in of:
            yield Problem(place=place, reason=f"{value} is no identifier of a {' or '.join(of)}")

    return check


def timestamp(value: Any, place: str) -> Iterator[Problem]:
    """RFC 3339 in UTC ("2026-01-31T12:00:00.000Z")."""
    right = isinstance(value, str) and TIMESTAMP.fullmatch(value) is not None
    if right:
        try:
            datetime.fromisoformat(value[:19])
        except ValueError:
            right = False
    if not right:
        yield Problem(place=place, reason=f"{shown(value)} is no time in UTC (2026-01-31T12:00:00.000Z)")


def many(kind: Kind, least: int = 1) -> Kind:
    """An array of things of one kind."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(place=place, reason=f"must be an array, is {named(value)}")
            return
        if len(value) < least:
            yield Problem(place=place, reason=f"must hold at least {least}, holds {len(value)}")
        for i, part in enumerate(value):
            yield from kind(part, under(place, i))

    return check


def mapping(keys: str, what: str, kind: Kind) -> Kind:
    """An object whose keys match `keys` (`what` in words) and whose values are of one kind."""
    compiled = re.compile(keys)

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(place=place, reason=f"must be an object, is {named(value)}")
            return
        for name, part in value.items():
            if not compiled.fullmatch(name):
                yield Problem(place=under(place, name), reason=f"{shown(name)} is no {what}")
            yield from kind(part, under(place, name))

    return check
