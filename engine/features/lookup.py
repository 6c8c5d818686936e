"""Hash tables over arrays: open addressing with linear probing.

[Knuth, The Art of Computer Programming 3, 6.4]

Rules:
    1. Entries lie in arrays of their own, numbered from 0; each has a 64-bit key, already well mixed, and `keys` is the
       column of them.
    2. An index has a power of two of places, at least twice as many as entries; a place (`PLACE`) holds the entry's
       number plus one, 0 if it is free. The key itself is read from the entry: an index takes 8 to 16 bytes an entry.
    3. What is found depends on the keys alone, never on the size of the index or on what was removed before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.jit import jit


@jit
def mix(a: Any, b: Any) -> Any:
    """A 64-bit key of two numbers (uint64), in this order.

    [Steele et al., splitmix64, 2014]
    """
    x = a * np.uint64(0x9E3779B97F4A7C15) + b
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@jit
def find(index: Any, keys: Any, key: Any) -> Any:
    """The entry of a key, -1 if there is none."""
    mask = np.uint64(len(index) - 1)
    at = key & mask
    while index[at]:
        entry = np.int64(index[at]) - 1
        if keys[entry] == key:
            return entry
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@jit
def insert(index: Any, key: Any, entry: Any) -> None:
    """Enter a key that is not there yet."""
    mask = np.uint64(len(index) - 1)
    at = key & mask
    while index[at]:
        at = (at + np.uint64(1)) & mask
    index[at] = entry + 1


@jit
def remove(index: Any, keys: Any, key: Any) -> None:
    """Take out a key that is there: what was pushed on by it moves back (algorithm R)."""
    mask = np.uint64(len(index) - 1)
    one = np.uint64(1)
    at = key & mask
    while keys[np.int64(index[at]) - 1] != key:
        at = (at + one) & mask
    free = at
    while True:
        at = (at + one) & mask
        if not index[at]:
            break
        home = keys[np.int64(index[at]) - 1] & mask
        if ((at - home) & mask) >= ((at - free) & mask):
            index[free] = index[at]
            free = at
    index[free] = 0


@jit
def rebuild(index: Any, keys: Any, entries: Any) -> None:
    """Enter the first `entries` entries into an empty index."""
    for entry in range(entries):
        insert(index, keys[entry], entry)


@jit
def carry_over(index: Any, keys: Any, old: Any) -> None:
    """Enter all that is in an old index into an empty one."""
    for at in range(len(old)):
        if old[at]:
            insert(index, keys[np.int64(old[at]) - 1], np.int64(old[at]) - 1)
