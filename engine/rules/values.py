"""Which tests hold for a value: each distinct value is looked at once, however many rows and rules share it.

Rules:
    1. Every value belongs to a *class*: the set of tests that hold for it. Rows carry the number of their value's
       class; rules are then evaluated over a handful of classes.
    2. All new values of a column are looked at together, by finders that each answer many tests in one pass.
    3. What was found for a value is remembered in a bounded table. It is a pure function of the value, so nothing
       depends on the table being emptied, and it is no part of the working state.
    4. Texts, numbers and truth values are compared by their text: 200 is "200", true is "true".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engine.rules import conditions as ours
from engine.rules.fields import VIEWS
from engine.rules.finders import Found, Literals, Networks, Regexes, Single, Singles

KEPT: Final = 1 << 15
"""Values remembered of a column."""

LONGEST: Final = 1024
"""Characters of the longest value that is remembered."""

Tests = frozenset[int]
NONE: Final[Tests] = frozenset()


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


class Finder(Protocol):
    """See engine/rules/finders.py."""

    def find(self, texts: Sequence[str], found: Found) -> None:
        """Add to `found`, by the text's index, the tests that hold for it."""


class View:
    """The tests on one view of a column."""

    def __init__(self, name: str, tests: Sequence[tuple[int, ours.Test]]) -> None:
        self._read = VIEWS.get(name)
        pairs = [(number, alternative) for number, test in tests for alternative in test.any_of]
        self._absent = {number for number, alternative in pairs if isinstance(alternative, ours.Absent)}
        self._present = {number for number, alternative in pairs if isinstance(alternative, ours.Present)}
        self._finders = _finders(pairs)

    def find(self, texts: Sequence[str | None], found: Found) -> None:
        """Add to `found` the tests that hold for each text (None: the field is absent)."""
        if self._read is not None:
            texts = [None if text is None else self._read(text) for text in texts]
        elif None not in texts:
            self._find(cast("Sequence[str]", texts), found)
            return
        # many texts share a path or an extension: it is looked at once
        places: dict[str | None, list[int]] = defaultdict(list)
        for i, text in enumerate(texts):
            places[text].append(i)
        for i in places.pop(None, ()) if self._absent else ():
            found[i] |= self._absent
        places.pop(None, None)
        inner: Found = defaultdict(set)
        self._find([text for text in places if text is not None], inner)
        for where, tests in zip(places.values(), map(inner.get, range(len(places))), strict=True):
            for i in where if tests else ():
                found[i] |= tests or NONE

    def _find(self, texts: Sequence[str], found: Found) -> None:
        for i in range(len(texts)) if self._present else ():
            found[i] |= self._present
        for finder in self._finders:
            finder.find(texts, found)


def _finders(pairs: Sequence[tuple[int, ours.Alternative]]) -> list[Finder]:
    """The finders that some alternatives need."""
    literals: list[tuple[int, ours.Literal | ours.Wildcards]] = []
    patterns: list[tuple[int, ours.Pattern]] = []
    networks: list[tuple[int, ours.Network]] = []
    singles: list[tuple[int, Single]] = []
    for number, alternative in pairs:
        match alternative:
            case ours.Literal(cased=False) | ours.Wildcards(cased=False):
                literals.append((number, alternative))
            case ours.Pattern():
                patterns.append((number, alternative))
            case ours.Network():
                networks.append((number, alternative))
            case ours.Literal() | ours.Wildcards() | ours.Compare() | ours.TimePart():
                singles.append((number, alternative))
            case ours.Absent() | ours.Present():
                pass
    found: list[Finder] = []
    found += [Literals(literals)] if literals else []
    found += [Regexes(patterns)] if patterns else []
    found += [Networks(networks)] if networks else []
    found += [Singles(singles)] if singles else []
    return found


class Classes:
    """The classes of one column's values: see rule 1. Tests are numbered from 0 in the order given.

    `unset` is what stands for an absent value beside None: of canonical columns the empty text.
    """

    def __init__(self, tests: Iterable[ours.Test], unset: str | None = None) -> None:
        self._unset = unset
        views: dict[str, list[tuple[int, ours.Test]]] = defaultdict(list)
        for number, test in enumerate(tests):
            views[test.field.view].append((number, test))
        self._views = [View(name, some) for name, some in views.items()]
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
        codes: list[Any] = list(map(known.get, values))
        if None in codes:
            new = {value for value, code in zip(values, codes, strict=True) if code is None}
            made = self._classify(list(new))
            if max(map(_length, made)) > LONGEST:
                known.update((value, code) for value, code in made.items() if _length(value) <= LONGEST)
            else:
                known.update(made)
            codes = [made[value] if code is None else code for value, code in zip(values, codes, strict=True)]
        return np.array(codes, np.int32)

    def _classify(self, values: list[Any]) -> dict[Any, int]:
        """The classes of new values; of a list, that of all tests that hold for some member."""
        owners: Sequence[int] = range(len(values))
        members = values
        if tuple in set(map(type, values)):
            pairs = [
                (owner, member)
                for owner, value in enumerate(values)
                for member in ((value or (None,)) if isinstance(value, tuple) else (value,))
            ]
            owners, members = [owner for owner, _ in pairs], [member for _, member in pairs]
        unset = self._unset
        texts = [None if value is None or value == unset else text_of(value) for value in members]
        found: Found = defaultdict(set)
        for view in self._views:
            view.find(texts, found)
        joined: dict[int, set[int]] = {}
        for place, tests in found.items():
            joined.setdefault(owners[place], set()).update(tests)
        made = dict.fromkeys(values, self._number(NONE))
        for owner, tests in joined.items():
            made[values[owner]] = self._number(frozenset(tests))
        return made

    def _number(self, tests: Tests) -> int:
        number = self._numbers.setdefault(tests, len(self.tests))
        if number == len(self.tests):
            self.tests.append(tests)
        return number


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
