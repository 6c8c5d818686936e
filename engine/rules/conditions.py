"""What a rule asks of one row, as a small tree; and what a test on one field may ask of one value.

Rules:
    1. A test holds for a row when any of its alternatives holds for the field's value; of a list, for any member.
    2. Texts are compared without regard to case, unless the rule says `cased`; regular expressions are case-sensitive
       and may be found anywhere in the value.
    3. A field that is unset is absent: only `Absent` holds for it, and every other test fails. So `not` over a test of
       an absent field holds, as in Sigma. The empty text is a text like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import TypeAlias

Place = OneOf["exact", "start", "end", "inside"]
Order = OneOf["lt", "lte", "gt", "gte"]
TimeUnit = OneOf["minute", "hour", "day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row: its column, and which part of the value is meant ("" is all of it; see fields.VIEWS)."""

    column: str
    view: str = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text without wildcards, and where in the value it must stand; `written` as in its rule, for people."""

    text: str
    place: Place
    cased: bool = False
    written: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Wildcards:
    """A text with wildcards: pieces that follow one another with anything between them.

    A piece is a text in which None stands for any one character. The first must stand at the start unless `open_start`,
    the last at the end unless `open_end`. `written` is the text as in its rule, for people.
    """

    pieces: tuple[tuple[str | None, ...], ...]
    open_start: bool
    open_end: bool
    cased: bool = False
    written: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of RE2's syntax, its flags written in it."""

    regex: str


@dataclass(frozen=True, slots=True)
class Network:
    """An address range."""

    cidr: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison with a number."""

    order: Order
    number: float


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a moment (UTC), as in `ts|hour`."""

    unit: TimeUnit
    number: int


@dataclass(frozen=True, slots=True)
class Absent:
    """The field is unset."""


@dataclass(frozen=True, slots=True)
class Present:
    """The field is set."""


Alternative: TypeAlias = Literal | Wildcards | Pattern | Network | Compare | TimePart | Absent | Present


@dataclass(frozen=True, slots=True)
class Test:
    """Any of the alternatives holds for the field."""

    field: Field
    any_of: tuple[Alternative, ...]
    __test__ = False  # no test of pytest's


@dataclass(frozen=True, slots=True)
class SameAs:
    """One field compared with another of the same row, without regard to case."""

    field: Field
    other: Field
    place: Place


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition: TypeAlias = Test | SameAs | All | Any | Not


def all_of(parts: Iterable[Condition]) -> Condition:
    """Every part, without needless nesting."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    return flat[0] if len(flat) == 1 else All(tuple(dict.fromkeys(flat)))


def any_of(parts: Iterable[Condition]) -> Condition:
    """Some part, without needless nesting; tests on the same field become one test with more alternatives."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Any) else (part,))]
    tests: dict[Field, dict[Alternative, None]] = {}
    others: list[Condition] = []
    for part in flat:
        if isinstance(part, Test):
            tests.setdefault(part.field, {}).update(dict.fromkeys(part.any_of))
        else:
            others.append(part)
    merged: list[Condition] = [Test(field, tuple(alternatives)) for field, alternatives in tests.items()]
    merged += dict.fromkeys(others)
    return merged[0] if len(merged) == 1 else Any(tuple(merged))


def leaves(condition: Condition) -> Iterator[Test | SameAs]:
    """The tests of a condition, from left to right."""
    match condition:
        case Test() | SameAs():
            yield condition
        case Not(part=part):
            yield from leaves(part)
        case All(parts=parts) | Any(parts=parts):
            for part in parts:
                yield from leaves(part)
