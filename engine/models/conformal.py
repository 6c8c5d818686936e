"""Conformal p-values: how many of the scores known so far are at least as high as this one.

Rules:
    1. `p = (1 + #{c >= s}) / (n + 1)`, rounded to 6 places. If the new score is exchangeable with the n known ones,
       `P(p <= a) <= a` for every a: a bound on p is a false-positive rate, whatever the model. [Vovk et al., 2005]
    2. A `Ring` keeps the last `size` entries; older ones fall out.
    3. Ties count against the new score: a host that does the same thing again is not surprising.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray


def p_value(score: float, known: ArrayLike) -> float:
    """The conformal p-value of `score` among the `known` scores.

    >>> p_value(0.7, [0.1, 0.2, 0.7]), p_value(0.9, [0.5] * 99), p_value(0.3, [])
    (0.5, 0.01, 1.0)
    """
    scores = np.asarray(known)
    return round((1 + int(np.count_nonzero(scores >= score))) / (scores.size + 1), 6)


def p_values(scores: ArrayLike, known: ArrayLike) -> list[float]:
    """The same for many scores among the same known ones.

    >>> p_values([0.7, 0.05], [0.1, 0.2, 0.7])
    [0.5, 1.0]
    """
    ordered = np.sort(np.asarray(known), axis=None)
    above = (ordered.size - np.searchsorted(ordered, scores, "left")).tolist()
    shares = {count: round((1 + count) / (ordered.size + 1), 6) for count in set(above)}
    return [shares[count] for count in above]


class Ring(msgspec.Struct, array_like=True):
    """The last rows of `width` numbers each, packed; `dtype` is a numpy type name ("<f8", "<f4").

    >>> ring = Ring(size=2, width=1, dtype="<f8")
    >>> for number in (1.0, 2.0, 3.0):
    ...     ring.add([number])
    >>> ring.rows().tolist(), len(ring)
    ([[3.0], [2.0]], 2)
    """

    size: int
    width: int
    dtype: str
    next: int = 0
    packed: bytearray = msgspec.field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.packed) // max(1, self.width * int(self.dtype[-1]))

    def add(self, row: ArrayLike) -> None:
        """Keep `row`, in place of the oldest when full."""
        self.keep(np.asarray(row, self.dtype).tobytes())

    def keep(self, data: bytes) -> None:
        """`add` a row that is packed already."""
        size, packed = len(data), self.packed
        if self.next * size == len(packed):
            packed += data  # the usual case by far
        else:
            packed[self.next * size : (self.next + 1) * size] = data
        self.next = (self.next + 1) % self.size

    def displace(self, data: bytes) -> bytes:
        """`keep` a row; returns the one that made room for it, packed (empty: there was room)."""
        begin = self.next * len(data)
        displaced = bytes(self.packed[begin : begin + len(data)])
        self.keep(data)
        return displaced

    def take_out(self, row: bytes, times: int) -> int:
        """Take out packed rows equal to `row`, the newest first, at most so many; returns how many there were."""
        step = self.width * int(self.dtype[-1])
        if len(row) != step:
            return 0  # a row of another width: its model has left
        turn = self.next * step if len(self) >= self.size else 0
        ordered = bytes(self.packed[turn:] + self.packed[:turn])
        kept: list[bytes] = []
        taken = 0
        for begin in range(len(ordered) - step, -1, -step):
            held = ordered[begin : begin + step]
            if taken < times and held == row:
                taken += 1
            else:
                kept.append(held)
        self._refill(b"".join(reversed(kept)))
        return taken

    def give_back(self, rows: bytes) -> None:
        """Put packed rows that had made room back, as the oldest; for as many as were taken out there is room."""
        self._refill(rows + bytes(self.packed))

    def _refill(self, packed: bytes) -> None:
        self.packed[:] = packed
        self.next = len(self) % self.size

    def extend(self, rows: ArrayLike) -> None:
        """Keep several rows, as `add` would one after the other."""
        data, step = np.asarray(rows, self.dtype).tobytes(), self.width * int(self.dtype[-1])
        begin = 0
        while begin < len(data):
            place = self.next * step
            part = data[begin : begin + (self.size - self.next) * step]
            self.packed[place : place + len(part)] = part
            self.next = (self.next + len(part) // step) % self.size
            begin += len(part)

    def rows(self) -> NDArray[Any]:
        """The rows kept, in no order that matters; a copy."""
        return np.frombuffer(bytes(self.packed), self.dtype).reshape(-1, self.width)

    def drop(self, column: int) -> None:
        """Forget one number of every row; `width` is one less from then on."""
        kept = np.delete(self.rows(), column, axis=1)
        self.width -= 1
        self.packed = bytearray(kept.tobytes())

    def clear(self) -> None:
        """Forget all."""
        self.packed.clear()
        self.next = 0
