"""Feature scales: each column centred and divided by its spread, clipped, so that no single one drowns the others.

>>> import numpy as np
>>> scale = Scale.of(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32))
>>> scale.apply(np.array([[2.0, 5.0], [90.0, 5.0]], np.float32)).tolist()
[[1.0, 0.0], [5.0, 0.0]]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD: Final = 0.1
"""Spread (standard deviation) of a column that hardly moved: below it small steps would count as far away."""

CLIP: Final = 5.0
"""Spreads beyond which further away counts no more: the size of one number says little about its oddity."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Centre and spread of each column (float64)."""

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[Any]) -> Scale:
        """The scale of `rows`."""
        plain = np.asarray(rows, np.float64)
        return cls(plain.mean(axis=0), np.maximum(plain.std(axis=0), LEAST_SPREAD))

    def apply(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The rows in units of spread, at most `CLIP` of them away from the centre."""
        scaled = (np.asarray(rows, np.float64) - self.centre) / self.spread
        return np.ascontiguousarray(np.clip(scaled, -CLIP, CLIP))
