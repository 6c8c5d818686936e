"""A state as msgpack, piece by piece: the whole at once would be the peak of the memory.

Rules:
    1. A tuple is taken apart, part by part; a list, or the items of a table, so many entries at a time.
    2. The pieces, joined, are what msgspec would write of the whole.

    >>> state = (1, [("a", 2), ("b", 3)], {"c": 4}.items())
    >>> msgspec.msgpack.decode(b"".join(pieces(state)))
    [1, [['a', 2], ['b', 3]], [['c', 4]]]
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

TOGETHER: Final = 1024
"""Entries of a list that make one piece."""

_encode: Final = msgspec.msgpack.Encoder().encode


def pieces(state: Any) -> Iterator[bytes]:
    """The bytes of a state: anything that msgspec writes, and items of tables in place of lists."""
    if isinstance(state, tuple):
        yield _array(len(state))
        for part in state:
            yield from pieces(part)
    elif isinstance(state, list | ItemsView):
        yield _array(len(state))
        entries = map(_encode, state)
        while piece := b"".join(islice(entries, TOGETHER)):
            yield piece
    else:
        yield _encode(state)


def _array(size: int) -> bytes:
    """What stands in front of an array of so many values (array 32 of the msgpack specification)."""
    return b"\xdd" + size.to_bytes(4, "big")
