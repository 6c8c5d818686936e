"""Near misses: rows for which all conditions of a rule held but one, and that one in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.rules import conditions as ours
from engine.rules.matcher import LogMatcher, Mask
from engine.rules.sigma import Rule
from engine.rules.table import Table

LONGEST: Final = 240
"""Characters of a condition, or of what was found instead, that are told."""

SHOWN: Final = 5
"""Alternatives of a test that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A row of a table that a rule missed by one condition: which one, and what the row holds there."""

    at: int
    failed: str
    found: str


class Nearness:
    """One rule, looked at for what it just misses. A rule whose whole condition is a single test misses nothing."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._matcher = LogMatcher(rule.source.log, [rule])
        self._hit = self._matcher.plan(rule.condition)
        ways = [parts for parts in _ways(rule.condition) if len(parts) > 1]
        self._ways = [[(part, self._matcher.plan(part)) for part in parts] for parts in ways]

    def of(self, table: Table) -> tuple[NDArray[np.int64], list[NearMiss]]:
        """The rows of a table that match, and those that one condition alone kept from it, in row order."""
        look = self._matcher.look(table)
        hit = _rows(self._hit(look), table)
        near: dict[int, NearMiss] = {}
        for parts in self._ways:
            masks = [_rows(plan(look), table) for _, plan in parts]
            missed = ~hit & (np.sum(masks, axis=0) == len(parts) - 1)
            for at in np.flatnonzero(missed).tolist():
                part = next(part for (part, _), mask in zip(parts, masks, strict=True) if not mask[at])
                failed, found = shortened(in_words(part)), shortened(_found(part, table, at))
                near.setdefault(at, NearMiss(at=at, failed=failed, found=found))
        return np.flatnonzero(hit), [near[at] for at in sorted(near)]


def shortened(text: str) -> str:
    """The text, or its beginning when it is long."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _rows(mask: Mask, table: Table) -> NDArray[np.bool_]:
    return np.zeros(len(table), np.bool_) if mask is None else mask


def _ways(condition: ours.Condition) -> list[tuple[ours.Condition, ...]]:
    """The ways in which a condition can hold, each as the parts that must all hold."""
    match condition:
        case ours.All(parts=parts):
            return [parts]
        case ours.Any(parts=parts):
            return [way for part in parts for way in _ways(part)]
        case _:
            return [(condition,)]


def _found(part: ours.Condition, table: Table, at: int) -> str:
    fields = dict.fromkeys(leaf.field for leaf in ours.leaves(part))
    return ", ".join(f"{_name(field)} is {table.value(field.column, at)!r}" for field in list(fields)[:SHOWN])


def in_words(condition: ours.Condition) -> str:
    """A condition as a person would say it.

    >>> in_words(ours.Test(ours.Field("uri"), (ours.Literal("/x", "start"), ours.Literal("y", "exact"))))
    "uri starts with '/x' or is 'y'"
    """
    match condition:
        case ours.Test(field=field, any_of=alternatives):
            shown = [_alternative(alternative) for alternative in alternatives[:SHOWN]]
            more = len(alternatives) - len(shown)
            return f"{_name(field)} {' or '.join(shown)}{f' or {more} more' if more else ''}"
        case ours.SameAs(field=field, other=other, place=place):
            return f"{_name(field)} {PLACES[place]} {_name(other)}"
        case ours.Not(part=part):
            return f"not ({in_words(part)})"
        case ours.All(parts=parts):
            return " and ".join(f"({in_words(part)})" for part in parts)
        case ours.Any(parts=parts):
            return " or ".join(f"({in_words(part)})" for part in parts)


PLACES: Final[dict[ours.Place, str]] = {
    "exact": "is", "start": "starts with", "end": "ends with", "inside": "contains",
}  # fmt: skip
ORDERS: Final[dict[ours.Order, str]] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def _name(field: ours.Field) -> str:
    return f"{field.view} of {field.column}" if field.view else field.column


def _alternative(alternative: ours.Alternative) -> str:
    match alternative:
        case ours.Literal(text=text, place=place, written=written):
            return f"{PLACES[place]} {written or text!r}"
        case ours.Wildcards(written=written):
            return f"fits {written}"
        case ours.Pattern(regex=regex):
            return f"fits /{regex}/"
        case ours.Network(cidr=cidr):
            return f"is in {cidr}"
        case ours.Compare(order=order, number=number):
            return f"{ORDERS[order]} {number:g}"
        case ours.TimePart(unit=unit, number=number):
            return f"has {unit} {number}"
        case ours.Absent():
            return "is unset"
        case ours.Present():
            return "is set"
