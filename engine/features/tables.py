"""The state of the open windows as arrays: what a row is, how they grow, how they are dumped and loaded.

Rules:
    1. Every table is an array of records, its keys (64 bits) and an index over them (see `lookup`); the first
       `numbers[<table>]` records are in use, in the order in which they came.
    2. Tables double when there might not be room for one more row; sizes never change a result.
    3. A dump holds the used part of each array as raw bytes; indexes are built anew by `load`.
    4. Windows, the flows received and the distinct values of both are of one start each, and leave together when the
       start is closed (`kept`): nothing is ever deleted one by one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.features.letters import LETTERS
from engine.features.services import CLASSES
from engine.features.sketch import REGISTERS

Array: TypeAlias = NDArray[Any]

SAMPLE: Final = 5
"""Flows that a window keeps to show."""

SLICES: Final = 16
"""Equal parts of a window whose flows are counted apart."""

BINS: Final = 32
"""Sizes of flows are counted by their number of binary digits; the last bin takes all from 1 GiB on."""

TEXT: Final = 256
"""Bytes of a text that are kept."""

PEERS, PORTS, CALLERS = 0, 1, 2
"""Kinds of distinct values: of a window its peers and ports, of a host that received flows its callers."""

NUMBERS = np.dtype([(name, "i8") for name in (
    "starts", "windows", "received", "pairs", "texts", "bytes", "sketches", "due", "inside_seen", "late_for_window",
    "ahead_of_clock", "hosts_over_limit", "receivers_over_limit", "sketches_over_limit",
)])  # fmt: skip
"""How much of each table is used, when the next start is due, and the counters."""

LIMITS = np.dtype([(name, "i8") for name in (
    "width", "span", "hosts", "distinct", "callers", "pairs", "sketches",
)])  # fmt: skip

START = np.dtype([("start", "i8"), ("windows", "i8"), ("received", "i8")])

WINDOW = np.dtype([
    ("host", "u8"), ("start", "i8"), ("first", "i8"), ("last", "i8"), ("previous", "i8"), ("gap_before", "i8"),
    ("gap", "i8"), ("flows", "i8"), ("gap_squares", "f8"), ("duration", "f8"), ("out", "f8"), ("back", "f8"),
    ("sent", "f8"), ("got", "f8"), ("text", "i4"), ("steady", "i4"), ("failed", "i4"), ("udp", "i4"), ("inside", "i4"),
    ("empty", "i4"), ("exact", "i4", (2,)), ("head", "i4", (2,)), ("tail", "i4", (2,)), ("sketch", "i4", (2,)),
    ("rest", "i8", (2,)), ("slices", "u4", (SLICES,)), ("sizes", "u4", (BINS,)), ("services", "u4", (CLASSES,)),
    ("letters", "u1", (LETTERS,)), ("evidence", "u1", (32,)),
])  # fmt: skip
"""What one host did in one window, as counted so far. Of its peers and of its ports: how many are told apart
(`exact`), the list of them (`head` to `tail`), how many flows went to further ones (`rest`), and their sketch."""

SHOWN = np.dtype([
    ("ts", "i8"), ("out", "i8"), ("back", "i8"), ("dst", "i4"), ("proto", "i4"), ("sport", "i4"), ("dport", "i4"),
])  # fmt: skip
"""A flow that a window keeps to show; texts by their number."""

RECEIVED = np.dtype([("host", "u8"), ("start", "i8"), ("flows", "i8"), ("callers", "i4"), ("sketch", "i4")])
"""Flows that others opened to an inside host in one window."""

PAIR = np.dtype([("value", "u8"), ("owner", "i4"), ("next", "i4"), ("count", "u4"), ("text", "i4"), ("kind", "i4")])
"""A distinct value of a window, or a distinct caller of a host: the identity or number, and how many flows."""

PLACE = np.dtype([("begin", "i8"), ("size", "i8")])
"""Where a text stands in the blob."""

_KEYED: Final = {"windows": WINDOW, "received": RECEIVED, "pairs": PAIR, "texts": PLACE}
_ROOM: Final = {"starts": 1, "windows": 1, "received": 1, "pairs": 3, "texts": 4, "bytes": 4 * TEXT, "sketches": 3}
"""How much one row may need."""

NONE: Final = -1
NEVER: Final = 1 << 62


class Tables(NamedTuple):
    """All that the kernels read and write."""

    numbers: Array
    limits: Array
    starts: Array
    windows: Array
    windows_keys: Array
    windows_index: Array
    shown: Array
    received: Array
    received_keys: Array
    received_index: Array
    pairs: Array
    pairs_keys: Array
    pairs_index: Array
    texts: Array
    texts_keys: Array
    texts_index: Array
    bytes: Array
    sketches: Array


def empty(limits: Array, sizes: dict[str, int] | None = None) -> Tables:
    """Tables without a row, with room for `sizes` (a power of two each)."""
    room = {name: max(64 if name != "bytes" else 8192, (sizes or {}).get(name, 0)) for name in _ROOM}
    made: dict[str, Array] = {"numbers": np.zeros(1, NUMBERS), "limits": limits}
    made["numbers"]["due"] = NEVER
    for name in _ROOM:
        made |= _table(name, room[name])
    return Tables(**made)


def _table(name: str, room: int) -> dict[str, Array]:
    """The arrays of one table with `room` places."""
    if name in _KEYED:
        made: dict[str, Array] = {
            name: np.zeros(room, _KEYED[name]),
            f"{name}_keys": np.zeros(room, np.uint64),
            f"{name}_index": np.zeros(2 * room, np.int32),
        }
        return made | ({"shown": np.zeros((room, SAMPLE), SHOWN)} if name == "windows" else {})
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
    from engine.features.lookup import rebuild

    for name, need in _ROOM.items():
        used, room = int(tables.numbers[name][0]), len(getattr(tables, name))
        if used + need <= room:
            continue
        made = _table(name, 2 * room)
        for part in made:
            if not part.endswith("_index"):
                made[part][:used] = getattr(tables, part)[:used]
        tables = tables._replace(**made)
        if name in _KEYED:
            rebuild(made[f"{name}_index"], made[f"{name}_keys"], used)
    return tables


def dump(tables: Tables) -> bytes:
    """The used part of every table."""
    parts = {"numbers": tables.numbers.tobytes()}
    for name in _ROOM:
        used = int(tables.numbers[name][0])
        parts |= {part: getattr(tables, part)[:used].tobytes() for part in _parts(name)}
    return msgspec.msgpack.encode(parts)


def load(state: bytes, limits: Array) -> Tables:
    """The tables of a dump."""
    from engine.features.lookup import rebuild

    parts = msgspec.msgpack.decode(state, type=dict[str, bytes])
    numbers = np.frombuffer(parts["numbers"], NUMBERS).copy()
    used = {name: int(numbers[name][0]) for name in _ROOM}
    tables = empty(limits, {name: 1 << (used[name] + _ROOM[name]).bit_length() for name in _ROOM})
    tables.numbers[:] = numbers
    for name in _ROOM:
        for part in _parts(name):
            array = getattr(tables, part)
            array[: used[name]] = np.frombuffer(parts[part], array.dtype).reshape(-1, *array.shape[1:])
        if name in _KEYED:
            rebuild(getattr(tables, f"{name}_index"), getattr(tables, f"{name}_keys"), used[name])
    return tables


def _parts(name: str) -> tuple[str, ...]:
    """The arrays of a table that a dump holds."""
    return (name, *((f"{name}_keys",) if name in _KEYED else ()), *(("shown",) if name == "windows" else ()))
