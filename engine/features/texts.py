"""Texts as numbers: a 64-bit identity of each text, the same in every process and on every machine.

The identity is SipHash-1-3 with the key 0 over the text's UTF-8 bytes, which is what `hash(bytes)` gives in a Python
that was started with PYTHONHASHSEED=0. [Aumasson, Bernstein: SipHash, 2012] Among a million texts two share one with
a probability of 3e-8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from engine.features.inside import Inside
from engine.features.tables import Array
from engine.jit import jit

ASK: Final = 2
"""Not an IPv4 address: whether it is inside is for `Inside` to say."""

WORD = np.dtype([("id", "u8"), ("begin", "i8"), ("end", "i8"), ("inside", "u1")])
"""A text: what it is known by, where it stands in the blob, whether it is an address of ours."""


class Words(NamedTuple):
    """Texts and their bytes."""

    words: Array
    blob: Array


class Reader:
    """Makes words of texts. IPv4 addresses are told by a kernel, all else by `Inside`."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._inside = Inside(networks)
        self._ranges = np.array(self._inside.ranges(4) or [(1, 0)], np.uint64)

    def __call__(self, texts: list[str]) -> Words:
        """The texts as words, in their order."""
        written, words = "\n".join(texts).encode(errors="surrogatepass"), np.empty(len(texts), WORD)
        blob = np.frombuffer(written or b"\0", np.uint8)
        if written.count(b"\n") == len(texts) - 1:
            _split(blob, len(written), words)
        else:
            sizes = np.array([len(text.encode(errors="surrogatepass")) for text in texts])
            words["end"] = np.cumsum(sizes) + np.arange(len(texts))
            words["begin"] = words["end"] - sizes
        _know(blob, self._ranges, words)
        for place in np.flatnonzero(words["inside"] == ASK).tolist():
            words["inside"][place] = self._inside[texts[place]]
        return Words(words, blob)


@jit
def _split(blob: Any, size: Any, words: Any) -> None:
    """Where the words stand that line ends separate."""
    word, begin = 0, 0
    for at in range(size + 1):
        if at == size or blob[at] == 10:
            words[word].begin, words[word].end = begin, at
            word, begin = word + 1, at + 1


@jit
def _know(blob: Any, ranges: Any, words: Any) -> None:
    """What each word is known by, and whether it is inside."""
    for k in range(len(words)):
        w = words[k]
        w.id = siphash(blob, w.begin, w.end)
        number = _ipv4(blob, w.begin, w.end)
        w.inside = ASK if number < 0 else 0
        for r in range(len(ranges) if number >= 0 else 0):
            if (np.uint64(number) & ranges[r, 1]) == ranges[r, 0]:
                w.inside = 1


@jit
def _round(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 = v0 + v1
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 = v2 + v3
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 = v0 + v3
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 = v2 + v1
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@jit
def siphash(data: Any, begin: Any, end: Any) -> Any:
    """SipHash-1-3 with the key 0 of `data[begin:end]` (uint8)."""
    v0, v1 = np.uint64(0x736F6D6570736575), np.uint64(0x646F72616E646F6D)
    v2, v3 = np.uint64(0x6C7967656E657261), np.uint64(0x7465646279746573)
    words = (end - begin) // 8
    for word in range(words + 1):
        at = begin + 8 * word
        m = np.uint64((end - begin) & 255) << np.uint64(56) if word == words else np.uint64(0)
        for k in range(min(8, end - at)):
            m |= np.uint64(data[at + k]) << np.uint64(8 * k)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
    v2 ^= np.uint64(255)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@jit
def _ipv4(blob: Any, begin: Any, end: Any) -> Any:
    """The address as a number, -1 if the text is none: four decimal parts without leading zeros."""
    number, part, digits, parts = np.int64(0), np.int64(0), 0, 0
    for at in range(begin, end + 1):
        c = blob[at] if at < end else np.uint8(46)
        if c == 46:
            if digits == 0 or part > 255:
                return np.int64(-1)
            number, part, digits, parts = number * 256 + part, np.int64(0), 0, parts + 1
        elif 48 <= c <= 57 and digits < 3 and not (digits and part == 0):
            part, digits = part * 10 + (c - 48), digits + 1
        else:
            return np.int64(-1)
        if parts > 4:
            return np.int64(-1)
    return number if parts == 4 else np.int64(-1)
