"""What models read of a window's vector: all features but the time of day.

The time of day is what profiles are for (`engine.models.profiles`). As a feature it would make the first evening, or
the first early morning, of every host an anomaly.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.features.table import FEATURES as ALL

CLOCK: Final = frozenset({"day_sine", "day_cosine"})

PLACES: Final = tuple(place for place, feature in enumerate(ALL) if feature.name not in CLOCK)

FEATURES: Final = tuple(ALL[place] for place in PLACES)
"""The features that models read, in their order."""


def used(entries: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a window's vector, or of the vectors of many (one a row), that models read."""
    return entries[..., list(PLACES)]
