"""Connection logs in Zeek's TSV, column by column: the common case, by pyarrow, at a tenth of the general way's cost.

Rules:
    1. `read` gives exactly what the general way (`ZeekTsv.convert`) gives, or None: then the general way looks, and
       finds out which rows are bad. So everything unusual is left to it.
    2. Texts are converted once for each distinct value, by the same functions.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from adapters.feeds.canon import BLANK, CONVERT, LAST_MOMENT, Canon, check_ends
from adapters.feeds.errors import Malformed
from engine.frame import Coded

UNSET: Final = ["", "-", "(empty)"]
KINDS: Final = dict(zip(CONVERT, BLANK, strict=True))
MOST: Final = {"src_port": 65535, "dst_port": 65535, "duration": sys.float_info.max}
LARGEST: Final = (1 << 63) - 1
ODD: Final = (b"\r", b"\n\n", b"\t0x", b"\t0X", b"\t-0x", b"\t-0X")
"""What pyarrow reads otherwise than the general way does: line ends, empty lines, hexadecimal numbers."""

Found = tuple[list[Any], list[list[Any]], dict[str, Any]]
"""Moments, the canonical columns after them, and all of these as arrays, by name."""


class ConnColumns:
    """The wanted columns of one header: `places` are where they stand among `width` fields."""

    def __init__(self, places: dict[str, int], width: int, canon: Canon) -> None:
        import pyarrow
        from pyarrow import csv

        texts = pyarrow.dictionary(pyarrow.int32(), pyarrow.binary())
        kinds = {str: texts, int: pyarrow.int64(), float: pyarrow.float64()}
        types = {str(place): kinds[_kind(name)] for name, place in places.items()}
        self._places, self._canon = places, canon
        self._errors = (pyarrow.ArrowException, Malformed, UnicodeDecodeError)
        self._names = [str(place) for place in range(width)]
        self._parse = csv.ParseOptions(
            delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
        )
        self._convert = csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=UNSET, strings_can_be_null=True,
            check_utf8=False,
        )  # fmt: skip
        self._open: Callable[[bytes], Any] = pyarrow.BufferReader
        self._csv, self._pool = csv, pyarrow.system_memory_pool()

    def read(self, lines: list[bytes]) -> Found | None:
        """The columns of a block of lines."""
        data = b"\n".join((*lines, b""))
        if any(odd in data for odd in ODD):
            return None
        try:
            return self._columns(self._table(data), len(lines))
        except self._errors:
            return None

    def _table(self, data: bytes) -> Any:
        options = self._csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(data) + 1)
        return self._csv.read_csv(
            self._open(data), read_options=options, parse_options=self._parse, convert_options=self._convert,
            memory_pool=self._pool,
        )  # fmt: skip

    def _columns(self, table: Any, rows: int) -> Found | None:
        if table.num_rows != rows or table.column(0).num_chunks != 1:
            return None
        arrays: dict[str, Any] = {name: self._array(table.column(str(place)).chunk(0), name)
                                  for name, place in self._places.items()}  # fmt: skip
        moments = arrays["ts"] * 1e6
        if not _sound(arrays, moments):
            return None
        arrays["ts"] = np.rint(moments).astype(np.int64)
        columns = [
            _listed(arrays[name]) if name in arrays else [blank] * rows
            for name, blank in zip(CONVERT, BLANK, strict=True)
        ]
        check_ends(columns)
        return arrays["ts"].tolist(), columns, arrays

    def _array(self, column: Any, name: str) -> Any:
        if name == "conn_state" and column.null_count:
            raise Malformed("no state")  # what else is known of the flow says what it is: the general way
        if _kind(name) is not str:
            blank = math.nan if name == "ts" else 0
            return column.fill_null(blank).to_numpy(zero_copy_only=False)
        convert = self._canon.remembered[name]
        texts = [convert(raw) for raw in column.dictionary.to_pylist()]
        unset, numbers = len(texts), dict[str, int]()
        same = [numbers.setdefault(text, len(numbers)) for text in (*texts, "")]
        raw = column.indices.fill_null(unset).to_numpy(zero_copy_only=False)
        return Coded(np.array(same, np.int32)[raw], list(numbers))


def _kind(name: str) -> type:
    return float if name == "ts" else type(KINDS[name])


def _sound(arrays: dict[str, Any], moments: Any) -> bool:
    """Whether all numbers are ones that a flow can have (what is not a number fails every comparison)."""
    if not (moments.min() >= 0 and moments.max() <= LAST_MOMENT):
        return False
    numbers = [(name, array) for name, array in arrays.items() if not isinstance(array, Coded) and name != "ts"]
    return all(array.min() >= 0 and array.max() <= MOST.get(name, LARGEST) for name, array in numbers)


def _listed(array: Any) -> list[Any]:
    if isinstance(array, Coded):
        values = array.values
        return [values[code] for code in array.codes.tolist()]
    listed: list[Any] = array.tolist()
    return listed
