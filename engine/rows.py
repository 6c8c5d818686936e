"""Rows of numbers of very many owners in one table: the last so many of each.

Rules:
    1. Every owner has a place (a small number). At a place stand at most `size` rows of `width` numbers; a further one
       takes the place of the oldest.
    2. Rows lie in blocks of 32 (`BLOCK`; of `size` where that is less), a column after the other, so that a loop over
       one column runs over neighbours, and who has few rows takes little room. Blocks that become free are used again.
    3. Numbers are kept in single precision.

    >>> table = Rows(width=1, size=2)
    >>> for number in (1.0, 2.0, 3.0):
    ...     table.keep(np.array([4]), np.array([[number]]))
    >>> table.rows(4).tolist(), int(table.used[4])
    ([[3.0], [2.0]], 2)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 32
"""Rows of a block at most."""

Places = NDArray[np.intp]


class Rows:
    """See the module.

    Attributes:
        width: numbers a row.
        size: rows a place at most.
        used: rows at each place.
        turn: where the next row at each place goes.
    """

    def __init__(self, width: int, size: int) -> None:
        self.width, self.size, self._block = width, size, min(BLOCK, size)
        self.used, self.turn = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._blocks = np.full((0, -(-size // self._block)), -1, np.int32)
        self._data = np.empty((0, width, self._block), np.float32)
        self._top = 0
        self._free: list[int] = []

    def keep(self, places: Places, rows: NDArray[np.floating]) -> None:
        """One more row at each of these places, no place twice."""
        self.make_room(int(places.max(initial=-1)) + 1)
        turn = self.turn[places]
        fresh = places[(turn == self.used[places]) & (turn % self._block == 0)]
        if len(fresh):
            self._blocks[fresh, self.used[fresh] // self._block] = self._taken(len(fresh))
        self._data[self._blocks[places, turn // self._block], :, turn % self._block] = rows
        self.used[places] = np.maximum(self.used[places], turn + 1)
        self.turn[places] = (turn + 1) % self.size

    def rows(self, place: int) -> NDArray[np.float32]:
        """The rows at a place, in the order in which they lie there; a copy."""
        used = int(self.used[place])
        blocks = self._data[self._blocks[place, : -(-used // self._block)]]
        return np.ascontiguousarray(blocks.transpose(0, 2, 1).reshape(-1, self.width)[:used])

    def put(self, place: int, rows: NDArray[np.floating], turn: int) -> None:
        """Let these rows, at most `size`, take the place of all that are there."""
        self.clear(place)
        used = len(rows)
        blocks = self._taken(-(-used // self._block))
        self._blocks[place, : len(blocks)] = blocks
        for number, block in enumerate(blocks):
            part = rows[number * self._block : (number + 1) * self._block]
            self._data[block, :, : len(part)] = part.T
        self.used[place], self.turn[place] = used, turn

    def clear(self, place: int) -> None:
        """Forget the rows at a place."""
        self.make_room(place + 1)
        if self.used[place]:
            held = self._blocks[place]
            self._free += held[: -(-int(self.used[place]) // self._block)].tolist()
            held[:], self.used[place], self.turn[place] = -1, 0, 0

    def drop(self, column: int) -> None:
        """Forget one number of every row."""
        self.width -= 1
        self._data = np.delete(self._data, column, axis=1)

    def make_room(self, need: int) -> None:
        """Room for so many places."""
        have = len(self.used)
        if need > have:
            more = max(need, 2 * have, 64) - have
            self.used, self.turn = (np.concatenate([part, np.zeros(more, np.int32)]) for part in (self.used, self.turn))
            self._blocks = np.concatenate([self._blocks, np.full((more, self._blocks.shape[1]), -1, np.int32)])

    def _taken(self, count: int) -> list[int]:
        """Blocks that nobody uses."""
        again = [self._free.pop() for _ in range(min(count, len(self._free)))]
        first = self._top
        self._top += count - len(again)
        if self._top > len(self._data):
            self._data = self._grown(self._data, max(self._top, 2 * len(self._data)))
        return [*again, *range(first, self._top)]

    def _grown(self, data: NDArray[Any], blocks: int) -> NDArray[Any]:
        """The same blocks, and more of them."""
        made = np.empty((blocks, *data.shape[1:]), data.dtype)
        made[: len(data)] = data
        return made
