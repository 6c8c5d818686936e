"""The warm-up: windows are collected, models are fitted on the first ones beside the work, the others wait for them.

Rules:
    1. The first `warmup_windows` windows are what the models are fitted on; the fit begins with the last of them.
    2. Later ones wait to be scored. The models are due at the first window of a host that has `min_host_windows` of its
       own waiting in its profile, or when `waiting_windows` wait in all: the rows alone say when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from engine.models.base import Model
from engine.models.panel import Left, reason_of, sound
from engine.models.registry import OURS, survey


class Windows(NamedTuple):
    """What models are fitted on: a row and a word a window."""

    vectors: NDArray[np.float32]
    letters: list[bytes]


class Kept(msgspec.Struct, array_like=True):
    """A window that waits: its vector in single precision, packed."""

    host: str
    profile: str
    vector: bytes
    letters: bytes

    @classmethod
    def of(cls, host: str, profile: str, vector: Sequence[float], letters: bytes) -> Kept:
        """Keep a window."""
        return cls(host, profile, np.array(vector, "<f4").tobytes(), letters)


class WarmUpState(msgspec.Struct):
    """What was collected: the windows to fit on, and those that wait to be scored."""

    windows: list[Kept] = []
    waiting: list[Kept] = []


class Fitted(NamedTuple):
    """The fitted models, by name, and those that were left out."""

    models: list[Model]
    left: list[Left]


Begin: TypeAlias = Callable[[Windows, int], Callable[[], Fitted]]
"""Begins to fit all models; what it returns waits for the result. `begin_here`, or `training.begin_apart`."""


def fit_here(windows: Windows, seed: int, *, others: bool = True) -> Fitted:
    """Every family (or only ours) fitted on the windows; what fails is left out."""
    chosen: dict[str, Any] = {"vectors": windows.vectors, "letters": windows.letters}
    found = survey(others=others)
    models: list[Model] = []
    left = [Left(name, "", reason_of(error)) for name, error in found.unusable.items()]
    for family in found.families:
        try:
            model = family.fit(chosen[family.reads], seed)
            models.append(model if family.name in OURS else sound(model, *windows, family.name))
        except Exception as error:
            if family.name in OURS:
                raise
            left.append(Left(family.name, "", reason_of(error)))
    return Fitted(models, sorted(left))


def begin_here(windows: Windows, seed: int) -> Callable[[], Fitted]:
    """Fit in this process, when the result is asked for."""
    return partial(fit_here, windows, seed)


class WarmUp:
    """Windows in, models out."""

    def __init__(self, limits: AnomalyLimits, seed: int, begin: Begin) -> None:
        self._limits, self._seed, self._begin = limits, seed, begin
        self._result: Callable[[], Fitted] | None = None
        self.load(WarmUpState())

    def load(self, state: WarmUpState | None) -> None:
        """Go on from a state; None: the warm-up is over."""
        self.state = state or WarmUpState()
        self._own = Counter((kept.host, kept.profile) for kept in self.state.waiting)
        self._result = None
        if state is not None:
            self._fit_when_warm()

    def waiting_of(self, host: str, profile: str) -> int:
        """Windows of a host that wait to be scored in a profile."""
        return self._own[host, profile]

    def collect(self, windows: Sequence[Kept]) -> int | None:
        """Keep windows; the place of the first for which the models are needed, None if they are not yet."""
        for place, kept in enumerate(windows):
            if len(self.state.windows) < self._limits.warmup_windows:
                self.state.windows.append(kept)
                self._fit_when_warm()
                continue
            own = (kept.host, kept.profile)
            full = len(self.state.waiting) >= self._limits.waiting_windows
            if full or self._own[own] >= self._limits.min_host_windows:
                return place
            self.state.waiting.append(kept)
            self._own[own] += 1
        return None

    def models(self) -> Fitted:
        """The fitted models; waits for them.

        Raises:
            TrainingFailed: there are none.
        """
        assert self._result is not None, "the fit is begun when the warm-up is full"  # noqa: S101 - an invariant
        return self._result()

    def _fit_when_warm(self) -> None:
        if len(self.state.windows) >= self._limits.warmup_windows:
            self._result = self._begin(unpacked(self.state.windows), self._seed)


def unpacked(kept: list[Kept]) -> Windows:
    """Kept windows as models read them."""
    vectors = np.frombuffer(b"".join(each.vector for each in kept), "<f4").reshape(len(kept), -1)
    return Windows(vectors.astype(np.float32), [each.letters for each in kept])


def turns(numbers: Iterable[int], key: Callable[[int], str]) -> list[list[int]]:
    """Numbers in turns in which no key stands twice, each key's in their order.

    >>> turns(range(6), "abacab".__getitem__)
    [[0, 1, 3], [2, 5], [4]]
    """
    seen: Counter[str] = Counter()
    found: list[list[int]] = []
    for number in numbers:
        own = key(number)
        if seen[own] == len(found):
            found.append([])
        found[seen[own]].append(number)
        seen[own] += 1
    return found
