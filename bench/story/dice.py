"""Where every random number of a story comes from.

Rules:
    1. One `Dice` for each habit of each host, keyed by names: taking one habit or attack away moves no other row.
    2. Every number is drawn from `numpy.random.Generator(PCG64)` seeded by the story's seed and those names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeVar
from zlib import crc32

import numpy as np

from domain.values import SECOND, Micros

T = TypeVar("T")
BLOCK: Final = 512
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
HEX: Final = "0123456789abcdef"
BASE32: Final = LETTERS + "234567"
BASE36: Final = LETTERS + "0123456789"


class Dice:
    """Seeded draws, in blocks because a scalar draw from numpy costs a microsecond."""

    __slots__ = ("_normals", "_units", "rng")

    def __init__(self, seed: int, *names: str) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32("/".join(names).encode())])))
        self._units: list[float] = []
        self._normals: list[float] = []

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._units:
            self._units = self.rng.random(BLOCK).tolist()
        return self._units.pop()

    def normal(self) -> float:
        """A standard normal number."""
        if not self._normals:
            self._normals = self.rng.standard_normal(BLOCK).tolist()
        return self._normals.pop()

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return self.unit() < p

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, of: Sequence[T]) -> T:
        """One of `of`, each alike."""
        return of[int(self.unit() * len(of))]

    def popular(self, of: Sequence[T]) -> T:
        """One of `of`, earlier ones far more often (rank is log-uniform, as Zipf's law has it)."""
        return of[min(len(of) - 1, int(len(of) ** self.unit()) - 1)]

    def sample(self, of: Sequence[T], count: int) -> list[T]:
        """`count` different ones of `of`, in the order of `of`."""
        chosen = self.rng.permutation(len(of))[:count].tolist()
        return [of[i] for i in sorted(chosen)]

    def size(self, median: float, sigma: float = 1.0) -> int:
        """A log-normal size in bytes."""
        return int(median * math.exp(sigma * self.normal()))

    def span(self, median: float, sigma: float = 0.6) -> float:
        """A log-normal time in seconds."""
        return median * math.exp(sigma * self.normal())

    def text(self, length: int, alphabet: str = BASE36) -> str:
        """`length` letters of `alphabet`."""
        return "".join(self.pick(alphabet) for _ in range(length))

    def times(self, begin: Micros, end: Micros, per_hour: float) -> list[Micros]:
        """Moments of a Poisson process over [begin, end)."""
        count = int(self.rng.poisson(max(0.0, per_hour * (end - begin) / (3600 * SECOND))))
        return sorted(begin + int(u * (end - begin)) for u in self.rng.random(count).tolist())

    def beat(self, begin: Micros, end: Micros, period: float, jitter: float = 0.0) -> list[Micros]:
        """Every `period` seconds from a random phase; each gap is off by at most the share `jitter`."""
        out, at = [], begin + int(self.unit() * period * SECOND)
        while at < end:
            out.append(at)
            at += int(period * SECOND * (1.0 + jitter * (2.0 * self.unit() - 1.0)))
        return out
