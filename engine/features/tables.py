"""The state of the open windows as arrays: what a row is, how they grow, how they are dumped and loaded.

Rules:
    1. Every table is an array of records and an index over their keys (see `lookup`); the first `numbers[<table>]`
       records are in use, in the order in which they came.
    2. Tables double when there might not be room for one more row; sizes never change a result.
    3. A dump holds the used part of each array as raw bytes, one part each; indexes are built anew by `load`.
    4. Windows, the flows received and the distinct values of both are of one start each, and leave together when the
       start is closed (see `compaction`): nothing is ever deleted one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.features.letters import LETTERS
from engine.features.services import CLASSES

Array: TypeAlias = NDArray[Any]

SAMPLE: Final = 5
"""Flows that a window keeps to show."""

SLICES: Final = 16
"""Equal parts of a window whose flows are counted apart."""

BINS: Final = 32
"""Sizes of flows are counted by their number of binary digits; the last bin takes all from 1 GiB on."""

REGISTERS: Final = 1024
"""Bytes of a sketch."""

TEXT: Final = 256
"""Bytes of a text that are kept."""

PEERS, PORTS, CALLERS = np.int64(0), np.int64(1), np.int64(2)
"""Kinds of distinct values: of a window its peers and ports, of a host that received flows its callers."""

PLACE = np.dtype(np.int32)
"""A place of an index: the number of an entry plus one."""

LIMITS = ("width", "span", "max_hosts", "max_distinct", "max_callers", "max_pairs", "max_sketches",
          "utc_offset", "day_begins", "day_ends")  # fmt: skip
NUMBERS = np.dtype([(name, "i8") for name in (
    *LIMITS, "starts", "windows", "received", "pairs", "texts", "bytes", "sketches", "due", "inside_seen",
    "late_for_window", "ahead_of_clock", "hosts_over_limit", "receivers_over_limit", "sketches_over_limit",
)])  # fmt: skip
"""The limits, how much of each table is used, when the next start is due, and the counters."""

START = np.dtype([("start", "i8"), ("windows", "i8"), ("received", "i8")])

WINDOW = np.dtype([
    ("key", "u8"), ("host", "u8"), ("start", "i8"), ("first", "i8"), ("last", "i8"), ("previous", "i8"),
    ("gap_before", "i8"), ("gap", "i8"), ("flows", "i8"), ("gap_squares", "f8"), ("duration", "f8"), ("out", "f8"),
    ("back", "f8"), ("sent", "f8"), ("got", "f8"), ("text", "i4"), ("steady", "i4"), ("failed", "i4"), ("udp", "i4"),
    ("inside", "i4"), ("empty", "i4"), ("exact", "i4", (2,)), ("head", "i4", (2,)), ("tail", "i4", (2,)),
    ("sketch", "i4", (2,)), ("rest", "i8", (2,)), ("slices", "u4", (SLICES,)), ("sizes", "u4", (BINS,)),
    ("services", "u4", (CLASSES,)), ("letters", "u1", (LETTERS,)), ("evidence", "u1", (32,)),
    ("shown_ts", "i8", (SAMPLE,)), ("shown_out", "i8", (SAMPLE,)), ("shown_back", "i8", (SAMPLE,)),
    ("shown_dst", "i4", (SAMPLE,)), ("shown_proto", "i4", (SAMPLE,)), ("shown_sport", "i4", (SAMPLE,)),
    ("shown_dport", "i4", (SAMPLE,)),
])  # fmt: skip
"""What one host did in one window, as counted so far. Of its peers and of its ports: how many are told apart
(`exact`), the list of them (`head` to `tail`), how many flows went to further ones (`rest`), and their sketch. Texts
are told by their number."""

RECEIVED = np.dtype(
    [("key", "u8"), ("host", "u8"), ("start", "i8"), ("flows", "i8"), ("callers", "i4"), ("sketch", "i4")]
)
"""Flows that others opened to an inside host in one window."""

PAIR = np.dtype([
    ("key", "u8"), ("value", "u8"), ("owner", "i4"), ("next", "i4"), ("count", "u4"), ("text", "i4"), ("kind", "i4"),
])  # fmt: skip
"""A distinct value of a window, or a distinct caller of a host: the identity or number, and how many flows."""

WORD = np.dtype([("key", "u8"), ("begin", "i8"), ("size", "i8")])
"""Where a text stands in the blob."""

_KEYED: Final = {"windows": WINDOW, "received": RECEIVED, "pairs": PAIR, "texts": WORD}
_ROOM: Final = {"starts": 1, "windows": 1, "received": 1, "pairs": 3, "texts": 4, "bytes": 4 * TEXT, "sketches": 3}
"""How much one row may need."""

PARTS: Final = 1 + len(_ROOM)
"""Parts of a dump."""

NONE: Final = -1
NEVER: Final = 1 << 62


class Tables(NamedTuple):
    """All that the kernels read and write."""

    numbers: Array
    starts: Array
    windows: Array
    windows_index: Array
    received: Array
    received_index: Array
    pairs: Array
    pairs_index: Array
    texts: Array
    texts_index: Array
    bytes: Array
    sketches: Array


def empty(limits: tuple[int, ...], sizes: dict[str, int] | None = None) -> Tables:
    """Tables without a row, with room for `sizes` (a power of two each).

    Args:
        limits: in the order of `LIMITS`.
        sizes: places, by table.
    """
    room = {name: max(64 if name != "bytes" else 8192, (sizes or {}).get(name, 0)) for name in _ROOM}
    made: dict[str, Array] = {"numbers": np.zeros(1, NUMBERS)}
    made["numbers"]["due"] = NEVER
    for name, limit in zip(LIMITS, limits, strict=True):
        made["numbers"][name] = limit
    for name in _ROOM:
        made |= _table(name, room[name])
    return Tables(**made)


def _table(name: str, room: int) -> dict[str, Array]:
    """The arrays of one table with `room` places."""
    if name in _KEYED:
        return {name: np.zeros(room, _KEYED[name]), f"{name}_index": np.zeros(2 * room, PLACE)}
    shapes: dict[str, tuple[Any, Any]] = {
        "starts": (room, START), "bytes": (room, np.uint8), "sketches": ((room, REGISTERS), np.uint8),
    }  # fmt: skip
    shape, dtype = shapes[name]
    return {name: np.zeros(shape, dtype)}


def sizes_of(tables: Tables) -> dict[str, int]:
    """How many places each table has."""
    return {name: len(getattr(tables, name)) for name in _ROOM}


def grown(tables: Tables) -> Tables:
    """The same tables, with double the places where there may be no room for another row."""
    for name, need in _ROOM.items():
        used, room = int(tables.numbers[name][0]), len(getattr(tables, name))
        if used + need > room:
            made = _table(name, 2 * room)
            made[name][:used] = getattr(tables, name)[:used]
            tables = tables._replace(**made)
            _index(tables, name)
    return tables


def parts(tables: Tables) -> Iterator[bytes]:
    """The numbers, then the used part of every table (`PARTS` in all)."""
    yield tables.numbers.tobytes()
    for name in _ROOM:
        yield getattr(tables, name)[: int(tables.numbers[name][0])].tobytes()


def load(parts: Sequence[bytes | memoryview], limits: tuple[int, ...]) -> Tables:
    """The tables of a dump, under the limits of today."""
    numbers = np.frombuffer(parts[0], NUMBERS)
    held = dict(zip(_ROOM, parts[1:], strict=True))
    used = {name: int(numbers[name][0]) for name in _ROOM}
    tables = empty(limits, {name: 1 << (used[name] + _ROOM[name]).bit_length() for name in _ROOM})
    for name in set(NUMBERS.names or ()) - set(LIMITS):
        tables.numbers[name] = numbers[name]
    for name in _ROOM:
        array = getattr(tables, name)
        array[: used[name]] = np.frombuffer(held[name], array.dtype).reshape(-1, *array.shape[1:])
        _index(tables, name)
    return tables


def _index(tables: Tables, name: str) -> None:
    """Build the index of a table, if it has one."""
    from engine.features.lookup import rebuild

    if name in _KEYED:
        rebuild(getattr(tables, f"{name}_index"), getattr(tables, name)["key"], int(tables.numbers[name][0]))
