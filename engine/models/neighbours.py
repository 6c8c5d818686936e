"""Nearest neighbours: how far a row lies from the rows that were normal.

The score is the distance (in spreads, over all features) to the `NEIGHBOURS`-th nearest of at most `REFERENCES` rows of
the training. [Ramaswamy, Rastogi, Shim: Efficient algorithms for mining outliers from large data sets, SIGMOD 2000]

    >>> import numpy as np
    >>> rows = np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)
    >>> model = Neighbours.fit(rows, seed=7)
    >>> model.score(np.array([[0, 0], [4, 4]], np.float32)).round(2).tolist()
    [0.14, 3.99]

It takes the third vote on tables of single flows, which hold no sequence that the Markov model could read.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix, Reads, Scores, verified
from engine.models.compiled import compiled
from engine.models.scaling import Scale

NEIGHBOURS: Final = 5
REFERENCES: Final = 4_096


class _Stored(msgspec.Struct, array_like=True):
    columns: int
    centre: bytes
    spread: bytes
    references: bytes


class Neighbours:
    """The rows that were normal, as plain arrays."""

    name: ClassVar[str] = "neighbours"
    reads: ClassVar[Reads] = "vectors"

    def __init__(self, scale: Scale, references: NDArray[np.float64]) -> None:
        self._scale, self._references = scale, np.ascontiguousarray(references)

    @classmethod
    def fit(cls, rows: Matrix, seed: int) -> Neighbours:
        """Keep a sample of the rows."""
        scale = Scale.of(rows)
        chosen = np.random.default_rng(seed).permutation(len(rows))[:REFERENCES]
        return cls(scale, scale.apply(rows[np.sort(chosen)]))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of `dump()`."""
        return sha256(self.dump()).hexdigest()

    def score(self, rows: Matrix) -> Scores:
        """One score a row: the distance to the fifth nearest row of the training."""
        scores = np.empty(len(rows))
        compiled(_nearest)(self._scale.apply(rows), self._references, min(NEIGHBOURS, len(self._references)), scores)
        return scores

    def dump(self) -> bytes:
        """The parameters as plain bytes."""
        scale = self._scale
        parts = (np.asarray(part, "<f8").tobytes() for part in (scale.centre, scale.spread, self._references))
        return msgspec.msgpack.encode(_Stored(len(scale.centre), *parts))

    @classmethod
    def load(cls, data: bytes, expected_sha256: str) -> Neighbours:
        """The model of a dump.

        Raises:
            ModelDamaged: the bytes do not have the expected hash.
        """
        stored = msgspec.msgpack.decode(verified(data, expected_sha256, cls.name), type=_Stored)
        scale = Scale(np.frombuffer(stored.centre, "<f8"), np.frombuffer(stored.spread, "<f8"))
        return cls(scale, np.frombuffer(stored.references, "<f8").reshape(-1, stored.columns))


def _nearest(rows: Any, references: Any, count: int, scores: Any) -> None:
    """Fill `scores` with the distance to the `count`-th nearest reference; a sum that grows too large is cut short."""
    nearest = np.empty(count)
    for i in range(rows.shape[0]):
        nearest[:] = np.inf
        for j in range(references.shape[0]):
            total = 0.0
            for k in range(rows.shape[1]):
                step = rows[i, k] - references[j, k]
                total += step * step
                if total >= nearest[count - 1]:
                    break
            place = count - 1
            if total < nearest[place]:
                while place > 0 and nearest[place - 1] > total:
                    nearest[place] = nearest[place - 1]
                    place -= 1
                nearest[place] = total
        scores[i] = np.sqrt(nearest[count - 1])
