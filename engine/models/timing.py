"""How long models take to score: measured by a clock that is handed in, so that the engine itself knows none.

>>> ticks = iter([0.0, 0.9, 1.0, 1.002, 5.0, 5.006])
>>> timing = Timing(lambda: next(ticks))
>>> for windows in (1, 1, 3):  # the first call compiles, and is left out
...     with timing.of("bayes", windows):
...         pass
>>> timing.taken()
{'bayes': (4, 2000.0, 2000.0)}
>>> timing.taken()
{}
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds, from any beginning."""

KEPT: Final = 1000
"""Last calls of a model that its percentile is taken of."""


class Timing:
    """Times of calls by model, without the first of each; nothing is measured without a clock."""

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}
        self._sums: dict[str, tuple[int, float]] = {}
        self._begun: set[str] = set()

    @contextmanager
    def of(self, model: str, windows: int) -> Iterator[None]:
        """Measure a call that scores so many windows."""
        if self._clock is None or not windows:
            yield
            return
        began = self._clock()
        yield
        took = (self._clock() - began) * 1e6
        if model not in self._begun:
            self._begun.add(model)
            return
        count, total = self._sums.get(model, (0, 0.0))
        self._sums[model] = (count + windows, total + took)
        self._calls.setdefault(model, deque(maxlen=KEPT)).append(took / windows)

    def taken(self) -> dict[str, tuple[int, float, float]]:
        """Windows, mean and 95th percentile of the microseconds a window, by model, since this was last asked."""
        found = {}
        for model, (count, total) in sorted(self._sums.items()):
            calls = sorted(self._calls[model])
            found[model] = (count, round(total / count, 1), round(calls[int(0.95 * (len(calls) - 1))], 1))
        self._sums, self._calls = {}, {}
        return found
