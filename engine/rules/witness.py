"""Which fields of a record made a rule match: what an analyst wants to see beside the addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from engine.rules import conditions as ours
from engine.rules.fields import EVERYTHING
from engine.rules.sigma import Rule
from engine.rules.table import Table
from engine.rules.values import Classes, text_of

SHOWN = 100
"""Characters of a value that are told."""


class Witness:
    """The tests of one rule that speak for a match, ready to be made of one record."""

    def __init__(self, rule: Rule) -> None:
        tests: dict[str, list[ours.Test]] = defaultdict(list)
        for test in _positive(rule.condition):
            if test.field.column != EVERYTHING:
                tests[test.field.column].append(test)
        self._classes = {column: Classes(dict.fromkeys(some)) for column, some in tests.items()}

    def of(self, table: Table, at: int) -> dict[str, str]:
        """The fields that speak for it, with their values, by column."""
        said: dict[str, str] = {}
        for column, classes in self._classes.items():
            value: Any = table.canonical(column, at) if column in table.own else table.cell(column, at)
            if classes.tests[classes.of([value])[0]]:
                text = ",".join(map(text_of, value)) if isinstance(value, tuple) else text_of(value)
                said[column] = text[:SHOWN]
        return said


def _positive(condition: ours.Condition) -> Iterator[ours.Test]:
    """The tests that a match may rest on: not those that must fail."""
    match condition:
        case ours.Test():
            yield condition
        case ours.All(parts=parts) | ours.Any(parts=parts):
            for part in parts:
                yield from _positive(part)
        case ours.Not() | ours.SameAs():
            pass
