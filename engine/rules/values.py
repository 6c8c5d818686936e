"""Which tests hold for a value: each distinct value is looked at once, however many rows and rules share it.

Rules:
    1. Every value belongs to a *class*: the set of tests that hold for it. Rows carry the number of their value's
       class; rules are then evaluated over a handful of classes.
    2. All literals of a column are found in one pass over the new values (Aho and Corasick, 1975); where in the value
       a literal stands decides whether it counts.
    3. What was found for a value is remembered in a bounded table. It is a pure function of the value, so nothing
       depends on the table being emptied, and it is no part of the working state.
    4. Texts, numbers and truth values are compared by their text: 200 is "200", true is "true".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

import numpy as np
from ahocorasick_rs import AhoCorasick, MatchKind
from numpy.typing import NDArray

from engine.rules import conditions as ours
from engine.rules.fields import VIEWS

KEPT: Final = 1 << 15
"""Values remembered of a column."""

LONGEST: Final = 1024
"""Characters of the longest value that is remembered."""

SHORTEST: Final = 3
"""Shorter literals are looked for one by one: they stand in too many values for the automaton to gain anything."""

AT_ONCE: Final = 16
"""Regular expressions that are looked for together."""

REGEX_MEMORY: Final = 32 << 20
"""Bytes that such a bundle may use."""

BREAK: Final = "\x00"
"""Stands between two values in one pass; a literal that holds it is looked for one by one."""

Tests = frozenset[int]
Check = Callable[[str], bool]


def text_of(value: Any) -> str:
    """A value as rules compare it.

    >>> text_of(200), text_of(True), text_of(1.0), text_of("GET"), text_of(None)
    ('200', 'true', '1', 'GET', '')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class _Literals:
    """All literals of one view of a column, without regard to case."""

    def __init__(self) -> None:
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._placed: dict[str, list[tuple[ours.Place, int]]] = defaultdict(list)
        self._automaton: AhoCorasick | None = None
        self._patterns: list[list[tuple[ours.Place, int]]] = []

    def add(self, text: str, place: ours.Place, test: int) -> None:
        """One more literal."""
        if place == "exact":
            self._exact[text].append(test)
        else:
            self._placed[text].append((place, test))

    def build(self) -> None:
        """Make the automaton."""
        if self._placed:
            self._automaton = AhoCorasick(list(self._placed), matchkind=MatchKind.Standard)
            self._patterns = list(self._placed.values())

    def find(self, texts: Sequence[str], found: Sequence[set[int]]) -> None:
        """Add to `found` the tests that hold for each text."""
        lowered = [text.lower() for text in texts]
        if self._exact:
            for tests, low in zip(found, lowered, strict=True):
                tests.update(self._exact.get(low, ()))
        if self._automaton is not None:
            self._place(self._automaton, lowered, found)

    def _place(self, automaton: AhoCorasick, lowered: Sequence[str], found: Sequence[set[int]]) -> None:
        """Add the tests whose literal stands where it should."""
        starts = np.cumsum([0, *(len(low) + 1 for low in lowered)])
        hits = automaton.find_matches_as_indexes(_sound(BREAK.join(lowered)), overlapping=True)
        if not hits:
            return
        table = np.array(hits, np.int64)
        owners = np.searchsorted(starts, table[:, 1], "right") - 1
        at_start = table[:, 1] == starts[owners]
        at_end = table[:, 2] == starts[owners + 1] - 1
        for pattern, owner, first, last in zip(
            table[:, 0].tolist(), owners.tolist(), at_start.tolist(), at_end.tolist(), strict=True
        ):
            for place, test in self._patterns[pattern]:
                if place == "inside" or (first if place == "start" else last):
                    found[owner].add(test)


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which the automaton does not take; its length stays."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


class _Regexes:
    """Some regular expressions, looked for at once by RE2.

    Its time is linear in the value: nobody who writes a value can make the detections stand still.
    """

    def __init__(self, regexes: Sequence[tuple[int, str]]) -> None:
        import re2

        options = re2.Options()
        options.log_errors = False
        options.max_mem = REGEX_MEMORY
        self._tests = [test for test, _ in regexes]
        self._set: Any = re2.Set.SearchSet(options)
        for _, regex in regexes:
            self._set.Add(regex)
        self._set.Compile()

    def find(self, texts: Sequence[str], found: Sequence[set[int]]) -> None:
        """Add to `found` the tests that hold for each text."""
        for text, tests in zip(texts, found, strict=True):
            if text:
                tests.update(self._tests[number] for number in self._set.Match(_sound(text)) or ())

    def holds(self, text: str) -> bool:
        """Whether any of them is found in a text."""
        return bool(self._set.Match(_sound(text)))


class _View:
    """The tests on one view of a column."""

    def __init__(self, name: str) -> None:
        self.read = VIEWS.get(name)
        self._literals = _Literals()
        self._regexes: list[tuple[int, str]] = []
        self._sets: list[_Regexes] = []
        self._checks: list[tuple[int, Check]] = []
        self.absent: set[int] = set()
        self.present: set[int] = set()

    def add(self, test: int, alternative: ours.Alternative) -> None:
        """One more alternative of a test."""
        match alternative:
            case ours.Absent():
                self.absent.add(test)
            case ours.Present():
                self.present.add(test)
            case ours.Literal(text=text, place=place, cased=False) if _fits(text, place):
                self._literals.add(text, place, test)
            case ours.Pattern(regex=regex):
                self._regexes.append((test, regex))
            case _:
                self._checks.append((test, check_of(alternative)))

    def build(self) -> None:
        """Make it ready."""
        self._literals.build()
        self._sets = [_Regexes(self._regexes[i : i + AT_ONCE]) for i in range(0, len(self._regexes), AT_ONCE)]

    def find(self, texts: Sequence[str], found: Sequence[set[int]]) -> None:
        """Add to `found` the tests that hold for each text ("" is absent)."""
        if self.read:
            texts = [(self.read(text) or "") if text else "" for text in texts]
        if self.absent or self.present:
            for text, tests in zip(texts, found, strict=True):
                tests.update(self.present if text else self.absent)
        self._literals.find(texts, found)
        for regexes in self._sets:
            regexes.find(texts, found)
        for test, check in self._checks:
            for text, tests in zip(texts, found, strict=True):
                if text and test not in tests and check(text):
                    tests.add(test)


def _fits(text: str, place: ours.Place) -> bool:
    return place == "exact" or (len(text) >= SHORTEST and BREAK not in text)


def check_of(alternative: ours.Alternative) -> Check:
    """A function that tells whether one alternative holds for a text that is there."""
    match alternative:
        case ours.Literal(text=text, place=place, cased=cased):
            fit = PLACED[place]
            return (lambda value: fit(value, text)) if cased else (lambda value: fit(value.lower(), text))
        case ours.Pattern(regex=regex):
            return _Regexes([(0, regex)]).holds
        case ours.Network(cidr=cidr):
            return _inside(cidr)
        case ours.Compare(order=order, number=number):
            compare = ORDERS[order]
            return lambda value: bool(compare(_number(value), number))
        case ours.TimePart(unit=unit, number=number):
            part = TIME_PARTS[unit]
            return lambda value: part(value) == number
        case ours.Present():
            return bool
        case ours.Absent():
            return lambda value: not value


PLACED: Final[Mapping[ours.Place, Callable[[str, str], bool]]] = {
    "exact": lambda value, text: value == text,
    "start": lambda value, text: value.startswith(text),
    "end": lambda value, text: value.endswith(text),
    "inside": lambda value, text: text in value,
}

ORDERS: Final[Mapping[ours.Order, Callable[[Any, float], Any]]] = {
    "lt": lambda value, number: value < number,
    "lte": lambda value, number: value <= number,
    "gt": lambda value, number: value > number,
    "gte": lambda value, number: value >= number,
}
"""Comparisons of a number, or of an array of them, with a number."""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _inside(cidr: str) -> Check:
    network = ip_network(cidr)
    family = AF_INET if network.version == 4 else AF_INET6
    first, last = network.network_address.packed, network.broadcast_address.packed

    def check(value: str) -> bool:
        try:
            return first <= inet_pton(family, value) <= last
        except (OSError, ValueError):
            return False

    return check


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _part(read: Callable[[datetime], int]) -> Callable[[str], int | None]:
    return lambda text: None if (moment := _moment(text)) is None else read(moment)


TIME_PARTS: Final[Mapping[ours.TimeUnit, Callable[[str], int | None]]] = {
    "minute": _part(lambda moment: moment.minute),
    "hour": _part(lambda moment: moment.hour),
    "day": _part(lambda moment: moment.day),
    "week": _part(lambda moment: moment.isocalendar().week),
    "month": _part(lambda moment: moment.month),
    "year": _part(lambda moment: moment.year),
}
"""Parts of a moment that is written in epoch seconds."""


class Classes:
    """The classes of one column's values: see rule 1. Tests are numbered from 0 in the order given."""

    def __init__(self, tests: Iterable[ours.Test]) -> None:
        views: dict[str, _View] = {}
        for number, test in enumerate(tests):
            view = views.setdefault(test.field.view, _View(test.field.view))
            for alternative in test.any_of:
                view.add(number, alternative)
        self._views = list(views.values())
        for view in self._views:
            view.build()
        self._begin()

    def _begin(self) -> None:
        self._known: dict[Any, int] = {}
        self._numbers: dict[Tests, int] = {}
        self.tests: list[Tests] = []

    def of(self, values: Sequence[Any]) -> NDArray[np.int32]:
        """The class of each value. Values are hashable: texts, numbers, None, or tuples of them (lists)."""
        if len(self._known) > KEPT or len(self.tests) > KEPT:
            self._begin()
        known = self._known
        new = [value for value in set(values) if value not in known]
        passing: dict[Any, int] = {}
        if new:
            for value, tests in zip(new, self._look(new), strict=True):
                number = self._numbers.setdefault(tests, len(self.tests))
                if number == len(self.tests):
                    self.tests.append(tests)
                if isinstance(value, str) and len(value) > LONGEST:
                    passing[value] = number
                else:
                    known[value] = number
        if passing:
            return np.array([passing[value] if value in passing else known[value] for value in values], np.int32)
        return np.fromiter(map(known.__getitem__, values), np.int32, len(values))

    def _look(self, values: list[Any]) -> list[Tests]:
        """The tests that hold for each value; for a list, those that hold for some member."""
        lists = [value if isinstance(value, tuple) else (value,) for value in values]
        owners = [owner for owner, members in enumerate(lists) for _ in members or ("",)]
        texts = [text_of(member) for members in lists for member in members or ("",)]
        found: list[set[int]] = [set() for _ in texts]
        for view in self._views:
            view.find(texts, found)
        joined: list[set[int]] = [set() for _ in values]
        for owner, tests in zip(owners, found, strict=True):
            joined[owner] |= tests
        return [frozenset(tests) for tests in joined]
