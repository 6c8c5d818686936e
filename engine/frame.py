"""Columns: the canonical form in which every feed hands over its rows.

Rules:
    1. A frame holds rows of one feed in merged order; every column is a list of the same length.
    2. Every complete data row that was received is in a frame, in its place; `status` is "" for a row to be scored,
       else the reason why it is not ("malformed: ..." or "skipped: ..."), and then its other columns are empty.
    3. `log` is the row's log type: conn for any flow, else the Zeek name (dns, http, ssl, ssh, ...).
    4. An unset number is 0, an unset text is ""; `detail` holds what only some logs have (dns query, ssh auth).
    5. `clock` is the feed's event time right after the row (running maximum, jumps of more than a day excluded).
    6. A frame is not changed once it was handed on. The same columns are there as arrays too (`numbers`, `coded`): made
       once when somebody asks, or handed over by a feed that has them anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.values import Micros

Numbers: TypeAlias = NDArray[Any]
"""One number a row: int64, float64 or bool."""


class Coded(NamedTuple):
    """A column of texts: row `i` holds `values[codes[i]]`; values are distinct, their order means nothing."""

    codes: NDArray[np.int32]
    values: list[str]


@dataclass(slots=True, kw_only=True)
class Frame:
    """Columns of one micro-batch.

    Attributes:
        order: running number over all feeds of the run: only comparisons inside one run mean anything.
        row: number of the row in the feed's merged order, from 1, without gaps.
        status: "" or why the row is not scored.
        source: identity of the log the row came from: its type and the hash of its first data row.
        size: uncompressed bytes this row takes in its log, its line end and the comment lines before it included.
        clock: the feed's event time after the row, microseconds.
        late: the row is more than an hour behind the clock: scored, but changes no window.
        log: log type.
        ts: event time of the row, microseconds.
        duration: seconds.
        detail: fields of the row beyond the canonical flow, by their Zeek names ({} for most flows).
        raw: the row as it was read (bytes), for its hash.
    """

    order: list[int]
    row: list[int]
    status: list[str]
    source: list[str]
    size: list[int]
    clock: list[Micros]
    late: list[bool]
    log: list[str]
    ts: list[Micros]
    src_ip: list[str]
    src_port: list[int]
    dst_ip: list[str]
    dst_port: list[int]
    proto: list[str]
    service: list[str]
    duration: list[float]
    src_bytes: list[int]
    dst_bytes: list[int]
    src_pkts: list[int]
    dst_pkts: list[int]
    conn_state: list[str]
    detail: list[dict[str, Any]]
    raw: list[bytes]
    arrays: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def numbers(self, name: str) -> Numbers:
        """A column of numbers as an array: int64, float64 (duration) or bool (late)."""
        if name not in self.arrays:
            self.arrays[name] = np.array(getattr(self, name))
        found: Numbers = self.arrays[name]
        return found

    def coded(self, name: str) -> Coded:
        """A column of texts as codes and distinct values."""
        if name not in self.arrays:
            numbers: dict[str, int] = {}
            codes = [numbers.setdefault(text, len(numbers)) for text in getattr(self, name)]
            self.arrays[name] = Coded(np.array(codes, np.int32), list(numbers))
        found: Coded = self.arrays[name]
        return found

    def __len__(self) -> int:
        return len(self.row)

    def scored(self) -> Frame:
        """The rows that are to be scored: those with an empty status."""
        if not any(self.status):
            return self
        keep = [not status for status in self.status]
        return Frame(**{name: list(compress(getattr(self, name), keep)) for name in COLUMNS})

    def slice(self, start: int, stop: int) -> Frame:
        """Rows `start` to `stop` (exclusive) as a frame of their own."""
        frame = Frame(**{name: getattr(self, name)[start:stop] for name in COLUMNS})
        for name, array in self.arrays.items():
            frame.arrays[name] = cut(array, start, stop)
        return frame

    @classmethod
    def of(cls, rows: list[tuple[Any, ...]]) -> Frame:
        """A frame of row tuples whose values stand in the order of `COLUMNS`."""
        columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
        return cls(**{name: list(column) for name, column in zip(COLUMNS, columns, strict=True)})


def cut(array: Numbers | Coded, start: int, stop: int) -> Numbers | Coded:
    """Rows `start` to `stop` (exclusive) of a column."""
    return Coded(array.codes[start:stop], array.values) if isinstance(array, Coded) else array[start:stop]


COLUMNS = tuple(f.name for f in fields(Frame) if f.name != "arrays")
"""Names of the columns, in the order of a row tuple."""
