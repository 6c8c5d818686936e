"""The rows of one log in a frame, column by column, as the rules of that log need them.

A column is pulled once a frame, whatever the number of rules that look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from types import NoneType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.frame import Coded, Frame
from engine.rules.fields import (
    CANONICAL_NUMBERS,
    CANONICAL_TEXTS,
    EVERYTHING,
    FLOW_NUMBERS,
    FLOW_TEXTS,
    OTHER_NAMES,
    URL,
)
from engine.rules.values import text_of

PLAIN: Final = {str, int, float, NoneType}
"""Types of values that are told apart by their text as they stand."""

LISTS: Final = PLAIN | {list}


NAMES: Final = CANONICAL_TEXTS | CANONICAL_NUMBERS
FLOW_NAMES: Final = FLOW_TEXTS | FLOW_NUMBERS


def texts_of(log: str) -> frozenset[str]:
    """Canonical columns of texts in a log."""
    return FLOW_TEXTS if log == "conn" else CANONICAL_TEXTS


def numbers_of(log: str) -> frozenset[str]:
    """Canonical columns of numbers in a log."""
    return FLOW_NUMBERS if log == "conn" else CANONICAL_NUMBERS


class Table:
    """Rows of `log` in a frame. `rows` are their indices in the frame, None when it holds no others."""

    def __init__(self, frame: Frame, log: str, rows: NDArray[np.int64] | None) -> None:
        self.frame = frame
        self.log = log
        self.rows = rows
        self._places = None if rows is None else rows.tolist()
        self._detail: list[dict[str, Any]] | None = None
        self._values: dict[str, list[Any]] = {}
        self.own = FLOW_NAMES if log == "conn" else NAMES

    def __len__(self) -> int:
        return len(self.frame) if self.rows is None else len(self.rows)

    def codes(self, name: str) -> Coded | None:
        """A canonical column of texts as codes and distinct texts, when the frame has it so already."""
        if name not in self.frame.arrays:
            return None
        codes, values = self.frame.coded(name)
        return Coded(codes if self.rows is None else codes[self.rows], values)

    def texts(self, name: str) -> Sequence[str]:
        """A canonical column of texts."""
        column: list[str] = getattr(self.frame, name)
        return column if self._places is None else [column[row] for row in self._places]

    def numbers(self, name: str) -> NDArray[Any]:
        """A canonical column of numbers; `ts` in seconds."""
        column = self.frame.numbers(name)
        column = column if self.rows is None else column[self.rows]
        return column / 1e6 if name == "ts" else column

    def values(self, name: str) -> list[Any]:
        """Any other column: texts, numbers, None where it is unset, tuples for lists."""
        if name not in self._values:
            self._values[name] = self._made(name)
        return self._values[name]

    def _made(self, name: str) -> list[Any]:
        if name == URL:
            return self._urls()
        if name == EVERYTHING:
            return self._everything()
        values = self._pulled(name)
        kinds = set(map(type, values))
        if kinds <= PLAIN:
            return values
        if kinds <= LISTS:
            values = [tuple(value) if type(value) is list else value for value in values]
            with suppress(TypeError):  # a member that is a list or an object
                hash(tuple(values))
                return values
        return [_plain(value) for value in values]

    def value(self, name: str, at: int) -> str:
        """The text of one cell: `at` is an index into the rows of this table."""
        if name in self.own:
            return text_of(self.canonical(name, at))
        value = self._cell(name, self.detail()[at])
        return ",".join(map(text_of, value)) if isinstance(value, list | tuple) else text_of(value)

    def canonical(self, name: str, at: int) -> Any:
        """One value of a canonical column (those in `own`)."""
        value = getattr(self.frame, name)[at if self.rows is None else int(self.rows[at])]
        return value / 1e6 if name == "ts" else value

    def cell(self, name: str, at: int) -> Any:
        """One value of a column that is not canonical: a text, a number, None, or a tuple."""
        return _plain(self._cell(name, self.detail()[at]))

    def _cell(self, name: str, detail: dict[str, Any]) -> Any:
        """One value of a column that is not canonical, read by itself: the columns may not have been pulled."""
        if name == URL:
            return url_of(text_of(self._cell("host", detail)), text_of(self._cell("uri", detail)))
        value = detail.get(name)
        if value is None or isinstance(value, dict):
            names = [*OTHER_NAMES.get(self.log, {}).get(name, ()), *([name] if "." in name else [])]
            value = next((found for other in names if (found := _getter(other)(detail)) is not None), None)
        return None if isinstance(value, dict) else value

    def detail(self) -> list[dict[str, Any]]:
        """The fields beyond the canonical columns, a row each."""
        if self._detail is None:
            details = self.frame.detail
            self._detail = details if self._places is None else [details[row] for row in self._places]
        return self._detail

    def _pulled(self, name: str) -> list[Any]:
        values = [detail.get(name) for detail in self.detail()]
        others = [*OTHER_NAMES.get(self.log, {}).get(name, ()), *([name] if "." in name else [])]
        for other in others:
            if None not in values and "." not in other:
                break
            if "." not in other:
                values = [
                    detail.get(other) if value is None else value
                    for value, detail in zip(values, self.detail(), strict=True)
                ]
                continue
            get = _getter(other)
            values = [
                get(detail) if value is None or isinstance(value, dict) else value
                for value, detail in zip(values, self.detail(), strict=True)
            ]
        return values

    def _urls(self) -> list[Any]:
        return list(map(url_of, map(text_of, self.values("host")), map(text_of, self.values("uri"))))

    def _everything(self) -> list[Any]:
        ends = zip(self.texts("src_ip"), self.texts("dst_ip"), self.texts("proto"), strict=True)
        return [
            tuple(text for value in (*end, *map(_plain, detail.values())) for text in _members(value))
            for end, detail in zip(ends, self.detail(), strict=True)
        ]


def url_of(host: str, uri: str) -> str | None:
    """The whole address of a request.

    >>> url_of("a.example", "/x"), url_of("a.example", "http://b.example/x"), url_of("a.example", "")
    ('http://a.example/x', 'http://b.example/x', None)
    >>> url_of("", "/x")  # nobody knows of which host
    '/x'
    """
    if not uri:
        return None
    return f"http://{host}{uri}" if host and "://" not in uri[:12] else uri


def _members(value: Any) -> tuple[str, ...]:
    members = value if isinstance(value, tuple) else (value,)
    return tuple(text for text in map(text_of, members) if text)


def _plain(value: Any) -> Any:
    """A value that can be hashed and is told from every other by its text."""
    if isinstance(value, bool):
        return text_of(value)
    if isinstance(value, list | tuple):
        return tuple(text_of(member) for member in value if not isinstance(member, dict | list))
    return None if isinstance(value, dict) else value


@cache
def _getter(name: str) -> Callable[[dict[str, Any]], Any]:
    """A function that looks a dotted name up with underscores, or through nested objects."""
    first, *rest = name.split(".")
    flat = name.replace(".", "_")

    def get(detail: dict[str, Any]) -> Any:
        value = detail.get(flat)
        if value is None:
            value = detail.get(first)
            for part in rest:
                value = value.get(part) if isinstance(value, dict) else None
        return value

    return get
