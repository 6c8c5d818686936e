"""A frame as bytes, for the other process: arrays as they lie in memory, texts once for each distinct value.

Rules:
    1. What the senses read is sent; the other columns (`order`, `status`, `source`, `size`, `service`) are empty on the
       other side. All rows are rows to be scored.
    2. Nothing but plain values is sent, never code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from sys import intern
from typing import IO, Any, Final, overload

import msgspec
import numpy as np

from engine.frame import COLUMNS, Coded, Frame

NUMBERS: Final = {
    "row": "<i8", "clock": "<i8", "late": "|b1", "ts": "<i8", "src_port": "<i8", "dst_port": "<i8", "duration": "<f8",
    "src_bytes": "<i8", "dst_bytes": "<i8", "src_pkts": "<i8", "dst_pkts": "<i8",
}  # fmt: skip
TEXTS: Final = ("log", "src_ip", "dst_ip", "proto", "service", "conn_state")


class Raws(Sequence[bytes]):
    """Rows as they were read, cut from one piece of memory when somebody asks."""

    def __init__(self, data: bytes, ends: Sequence[int], begin: int = 0) -> None:
        self._data, self._ends, self._begin = data, ends, begin

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> Raws: ...

    def __getitem__(self, at: int | slice) -> bytes | Raws:
        if isinstance(at, slice):
            start, stop, _ = at.indices(len(self._ends))
            return Raws(self._data, self._ends[start:stop], self._start(start))
        at %= len(self._ends)
        return self._data[self._start(at) : self._ends[at]]

    def __iter__(self) -> Iterator[bytes]:
        return (self[at] for at in range(len(self)))

    def _start(self, at: int) -> int:
        return self._ends[at - 1] if at else self._begin


class _Sent(msgspec.Struct, array_like=True):
    numbers: list[bytes]
    texts: list[tuple[bytes, list[str]]]
    detail: list[dict[str, Any]] | None
    raw: bytes
    sizes: list[int]


def pack(frame: Frame) -> bytes:
    """The bytes of a frame."""
    numbers = [frame.numbers(name).astype(kind, copy=False).tobytes() for name, kind in NUMBERS.items()]
    texts = [_used(frame.coded(name), len(frame)) for name in TEXTS]
    detail = frame.detail if any(frame.detail) else None
    return msgspec.msgpack.encode(_Sent(numbers, texts, detail, b"".join(frame.raw), list(map(len, frame.raw))))


def unpack(data: bytes) -> Frame:
    """The frame of some bytes.

    Raises:
        msgspec.MsgspecError: these are no bytes of a frame.
    """
    sent = msgspec.msgpack.decode(data, type=_Sent)
    arrays: dict[str, Any] = {
        name: np.frombuffer(part, kind) for (name, kind), part in zip(NUMBERS.items(), sent.numbers, strict=True)
    }
    columns: dict[str, Any] = {name: array.tolist() for name, array in arrays.items()}
    for name, (codes, texts) in zip(TEXTS, sent.texts, strict=True):
        values = list(map(intern, texts))  # what is remembered of many frames is one text
        coded = arrays[name] = Coded(np.frombuffer(codes, np.int32), values)
        columns[name] = [values[code] for code in coded.codes.tolist()]
    rows = len(sent.sizes)
    columns["raw"] = Raws(sent.raw, list(accumulate(sent.sizes)))
    columns["detail"] = sent.detail or [{}] * rows
    columns["status"] = [""] * rows
    empty: list[Any] = [None] * rows
    frame = Frame(**{name: columns.get(name, empty) for name in COLUMNS})
    frame.arrays.update(arrays)
    return frame


def binary_output() -> IO[bytes]:
    """Standard output for bytes, all of them.

    `sys.stdout.buffer` is none when PYTHONUNBUFFERED is set: it then writes without a loop, and what a signal (a stop,
    a debugger) cut short is lost without a word.
    """
    return open(1, "wb", closefd=False)


def _used(coded: Coded, rows: int) -> tuple[bytes, list[str]]:
    """A coded column without the values that no row of a short frame has."""
    codes, values = coded
    if len(values) > rows:
        used, again = np.unique(codes, return_inverse=True)
        return again.astype("<i4").tobytes(), [values[code] for code in used.tolist()]
    return codes.astype("<i4", copy=False).tobytes(), values
