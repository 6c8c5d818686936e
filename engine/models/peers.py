"""Comparison with peers: what a host is held against as long as it has no past of its own.

Rules:
    1. The peers of a host are the hosts whose windows close together with its own: of the same start, at the same row.
       Below `peers_least` of them there is no comparison.
    2. A feature's distance is that from the peers' median, in units of their median absolute deviation (at least
       `LEAST_DEVIATION`, at most `MOST`). The score is the mean of the `WIDEST` largest: one odd number is no odd host.
    3. p is the conformal p-value of the score among the last `POOL` scores of the capture, of all hosts. All are
       learned, so that the rate of votes holds; what is unlike its peers by nature gets votes until it has a past.

    >>> import numpy as np
    >>> office = np.random.default_rng(1).normal(size=(30, 8))
    >>> office[0] += 9
    >>> scores = compare(office).scores
    >>> int(scores.argmax()), bool(scores[0] > 4 * np.median(scores))
    (0, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Scores

NAME: Final = "peers"
VERSION: Final = "median-mad-1"
LEAST_DEVIATION: Final = 0.1
MOST: Final = 20.0
WIDEST: Final = 5
POOL: Final = 2_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a group of windows has in common, and how far each lies from it."""

    medians: NDArray[np.float32]
    deviations: NDArray[np.float32]
    scores: Scores


def compare(vectors: NDArray[np.floating]) -> Comparison:
    """Compare windows that closed together, one vector a row."""
    rows = np.asarray(vectors, np.float32)
    medians = np.median(rows, axis=0).astype(np.float32)
    deviations = (1.4826 * np.median(np.abs(rows - medians), axis=0)).astype(np.float32)
    return Comparison(medians, deviations, distance(rows, medians, deviations))


def distance(rows: NDArray[np.float32], medians: NDArray[np.float32], deviations: NDArray[np.float32]) -> Scores:
    """The score of each row against medians and deviations, rounded to 6 places."""
    steps = np.abs(rows.astype(np.float64) - medians) / np.maximum(deviations.astype(np.float64), LEAST_DEVIATION)
    widest = np.sort(np.minimum(steps, MOST), axis=1)[:, -WIDEST:]
    return np.asarray(np.round(widest.mean(axis=1), 6))
