"""Rules over the rows of a frame: which rows does each rule match?

Rules:
    1. A row is judged by the rules of its log type alone, and by what stands in the row alone: how rows are cut into
       frames changes nothing.
    2. The tests of all rules on one column are made together, once a distinct value (engine/rules/values.py); a rule
       is then a few operations on arrays of truth values, and nothing at all where one of its tests holds nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from engine.rules import conditions as ours
from engine.rules.fields import EVERYTHING, URL
from engine.rules.finders import ORDERS, PLACED
from engine.rules.sigma import Rule
from engine.rules.table import Table, numbers_of, texts_of
from engine.rules.values import Classes, text_of

DEAREST: Final = 4
FEW: Final = 32
"""Up to so many numbers it is quicker to compare with each than to sort."""

Mask: TypeAlias = NDArray[np.bool_] | None
"""One truth value a row; None when it holds nowhere."""


class _Column:
    """The tests of all rules on one column of a log."""

    def __init__(self, name: str, log: str, tests: Sequence[ours.Test]) -> None:
        self.name = name
        self.tests = tests
        self._coded = name in texts_of(log)
        self._number = name in numbers_of(log)
        self.cost = 0 if self._number else 1 if self._coded else 3 if name in {URL, EVERYTHING} else 2
        # comparisons of numbers are made on the array; the rest of a column of numbers by its texts
        self._compared = {i: _comparison(test) for i, test in enumerate(tests)} if self._number else {}
        self._by_text = [i for i in range(len(tests)) if self._compared.get(i) is None]
        self._classes = Classes((tests[i] for i in self._by_text), unset="" if self._coded else None)

    def masks(self, table: Table) -> dict[int, NDArray[np.bool_]]:
        """The rows for which each test holds; tests that hold nowhere are left out."""
        found: dict[int, NDArray[np.bool_]] = {}
        if self._number:
            column = table.numbers(self.name)
            for i, compare in self._compared.items():
                if compare is not None and (mask := compare(column)).any():
                    found[i] = mask
        if self._by_text:
            codes = self._codes(table)
            for place, classes in self._holding(codes).items():
                found[self._by_text[place]] = _any_class(codes, classes)
        return found

    def _codes(self, table: Table) -> NDArray[np.int32]:
        if self._coded:
            coded = table.codes(self.name)
            if coded is None:
                return self._classes.of(table.texts(self.name))
            rows: NDArray[np.int32] = self._classes.of(coded.values)[coded.codes]
            return rows
        if self._number:
            distinct, inverse = np.unique(table.numbers(self.name), return_inverse=True)
            classes: NDArray[np.int32] = self._classes.of([text_of(value) for value in distinct.tolist()])[inverse]
            return classes
        return self._classes.of(table.values(self.name))

    def _holding(self, codes: NDArray[np.int32]) -> dict[int, list[int]]:
        """For each test that holds somewhere, the classes that are there and for which it does."""
        tests = self._classes.tests
        found: dict[int, list[int]] = {}
        for number in np.flatnonzero(np.bincount(codes, minlength=len(tests))).tolist():
            for test in tests[number]:
                found.setdefault(test, []).append(number)
        return found


def _any_class(codes: NDArray[np.int32], classes: list[int]) -> NDArray[np.bool_]:
    held = np.zeros(max(int(codes.max()), *classes) + 1, np.bool_)
    held[classes] = True
    rows: NDArray[np.bool_] = held[codes]
    return rows


def _comparison(test: ours.Test) -> Any:
    """A function from a column of numbers to truth values, when every alternative is about numbers."""
    if test.field.view:
        return None
    equal: list[float] = []
    ordered: list[ours.Compare] = []
    for alternative in test.any_of:
        match alternative:
            case ours.Compare():
                ordered.append(alternative)
            case ours.Literal(text=text, place="exact") if text.isascii() and text.isdigit():
                equal.append(float(text))
            case _:
                return None

    def compare(column: NDArray[Any]) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = np.isin(column, equal) if len(equal) > FEW else np.zeros(len(column), np.bool_)
        if len(equal) <= FEW:
            for number in equal:
                mask |= column == number
        for one in ordered:
            mask |= ORDERS[one.order](column, one.number)
        return mask

    return compare


class LogMatcher:
    """The rules of one log type."""

    def __init__(self, log: str, rules: Sequence[Rule]) -> None:
        self.log = log
        self.rules = rules
        tests: dict[str, dict[ours.Test, int]] = {}
        for rule in rules:
            for leaf in ours.leaves(rule.condition):
                if isinstance(leaf, ours.Test):
                    there = tests.setdefault(leaf.field.column, {})
                    there.setdefault(leaf, len(there))
        self._columns = [_Column(name, log, list(there)) for name, there in tests.items()]
        self._where = {
            test: (place, number)
            for place, column in enumerate(self._columns)
            for number, test in enumerate(column.tests)
        }
        self._plans = [self.plan(rule.condition) for rule in rules]

    def match(self, table: Table) -> list[NDArray[np.int64] | None]:
        """For each rule the indices of its rows in the table, None when there are none."""
        look = self.look(table)
        found: list[NDArray[np.int64] | None] = []
        for plan in self._plans:
            mask = plan(look)
            rows = None if mask is None else np.flatnonzero(mask)
            found.append(rows if rows is not None and len(rows) else None)
        return found

    def look(self, table: Table) -> Look:
        """The rows of a table, to ask what holds for each of them."""
        return Look(table, self._columns)

    def _cost(self, condition: ours.Condition) -> int:
        """How dear it is to look at a condition first."""
        return self._columns[self._where[condition][0]].cost if isinstance(condition, ours.Test) else DEAREST

    def plan(self, condition: ours.Condition) -> Plan:
        """A function that gives the rows for which a condition holds, all of whose tests are of these rules."""
        match condition:
            case ours.Test():
                place, number = self._where[condition]
                return lambda look: look.mask(place, number)
            case ours.All(parts=parts):
                # a cheap test that holds nowhere spares the rest
                plans = [self.plan(part) for part in sorted(parts, key=self._cost)]
                return lambda look: _all(look, plans)
            case ours.Any(parts=parts):
                plans = [self.plan(part) for part in parts]
                return lambda look: _any(look, plans)
            case ours.Not(part=part):
                inner = self.plan(part)
                return lambda look: _not(look, inner)
            case ours.SameAs():
                return lambda look: _same(look, condition)


class Look:
    """The rows of a table, and for the tests of some rules those for which they hold: a column once it is asked for."""

    __slots__ = ("_columns", "_masks", "table")

    def __init__(self, table: Table, columns: Sequence[_Column]) -> None:
        self.table = table
        self._columns = columns
        self._masks: list[dict[int, NDArray[np.bool_]] | None] = [None] * len(columns)

    def mask(self, place: int, number: int) -> Mask:
        """The rows for which a test of a column holds."""
        masks = self._masks[place]
        if masks is None:
            masks = self._masks[place] = self._columns[place].masks(self.table)
        return masks.get(number)


Plan: TypeAlias = Callable[[Look], Mask]


def _all(look: Look, plans: Iterable[Plan]) -> Mask:
    found: Mask = None
    for plan in plans:
        mask = plan(look)
        if mask is None:
            return None
        if found is not None:
            mask = found & mask
            if not mask.any():
                return None
        found = mask
    return found


def _any(look: Look, plans: Iterable[Plan]) -> Mask:
    found: Mask = None
    for plan in plans:
        mask = plan(look)
        if mask is not None:
            found = mask if found is None else found | mask
    return found


def _not(look: Look, plan: Plan) -> Mask:
    mask = plan(look)
    return np.ones(len(look.table), np.bool_) if mask is None else ~mask


def _same(look: Look, leaf: ours.SameAs) -> Mask:
    table, fit = look.table, PLACED[leaf.place]
    pairs = ((table.value(leaf.field.column, i), table.value(leaf.other.column, i)) for i in range(len(table)))
    mask = np.array([bool(one and other and fit(one.lower(), other.lower())) for one, other in pairs], np.bool_)
    return mask if mask.any() else None


class Matcher:
    """All rules about single records."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        by_log: dict[str, list[int]] = {}
        for place, rule in enumerate(rules):
            by_log.setdefault(rule.source.log, []).append(place)
        self._places = by_log
        self._logs = {log: LogMatcher(log, [rules[place] for place in places]) for log, places in by_log.items()}

    def match(self, frame: Frame) -> list[tuple[int, Table, NDArray[np.int64]]]:
        """Matches: the rule's number, the table of its log's rows, and the indices of the matching rows in it."""
        found: list[tuple[int, Table, NDArray[np.int64]]] = []
        for table in tables(frame, self._logs):
            for place, rows in zip(self._places[table.log], self._logs[table.log].match(table), strict=True):
                if rows is not None:
                    found.append((place, table, rows))
        return found


def tables(frame: Frame, logs: Iterable[str]) -> list[Table]:
    """The rows of a frame by log type, for those logs that are wanted."""
    if not len(frame):
        return []
    if frame.log.count(frame.log[0]) == len(frame):
        return [Table(frame, frame.log[0], None)] if frame.log[0] in logs else []
    codes, names = frame.coded("log")
    return [
        Table(frame, name, np.flatnonzero(codes == number).astype(np.int64))
        for number, name in enumerate(names)
        if name in logs
    ]
