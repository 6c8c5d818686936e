"""Texts as numbers: a 64-bit identity of each text, the same in every process and on every machine.

The identity is SipHash-1-3 with the key 0 over the text's UTF-8 bytes, which is what `hash(bytes)` gives in a Python
that was started with PYTHONHASHSEED=0. [Aumasson, Bernstein: SipHash, 2012] Among a million texts two share one with
a probability of 3e-8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.features.inside import Inside
from engine.features.jit import jit

ASK = 2
"""Not an IPv4 address: whether it is inside is for `Inside` to say."""


class Texts(NamedTuple):
    """Distinct texts of a frame: text `i` is `blob[ends[i]:ends[i + 1]]`."""

    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]
    ids: NDArray[np.uint64]


def texts_of(values: list[str]) -> Texts:
    """The texts as bytes, and their identities."""
    joined = "".join(values)
    if joined.isascii():
        encoded, sizes = joined.encode(), map(len, values)
    else:
        parts = [value.encode(errors="surrogatepass") for value in values]
        encoded, sizes = b"".join(parts), map(len, parts)
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(sizes, np.int64, len(values)), out=ends[1:])
    blob = np.frombuffer(encoded or b"\0", np.uint8)
    ids = np.empty(len(values), np.uint64)
    _identify(blob, ends, ids)
    return Texts(blob, ends, ids)


class InsideTexts:
    """Which of a frame's texts are addresses of ours: IPv4 by a kernel, all else by `Inside`."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._inside = Inside(networks)
        ranges = self._inside.ranges(4)
        self._ranges = np.array(ranges or [(1, 0)], np.uint64)

    def __call__(self, texts: Texts, values: list[str]) -> NDArray[np.uint8]:
        """1 for each text that lies inside, else 0."""
        answers = np.empty(len(values), np.uint8)
        _within(texts.blob, texts.ends, self._ranges, answers)
        for place in np.flatnonzero(answers == ASK).tolist():
            answers[place] = self._inside[values[place]]
        return answers


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
def _identify(blob: Any, ends: Any, ids: Any) -> None:
    for i in range(len(ids)):
        ids[i] = siphash(blob, ends[i], ends[i + 1])


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


@jit
def _within(blob: Any, ends: Any, ranges: Any, answers: Any) -> None:
    for i in range(len(answers)):
        number = _ipv4(blob, ends[i], ends[i + 1])
        answers[i] = ASK if number < 0 else 0
        for k in range(len(ranges) if number >= 0 else 0):
            if (np.uint64(number) & ranges[k, 1]) == ranges[k, 0]:
                answers[i] = 1
