"""The panel: the models that vote together, and what happens when one of them fails.

Rules:
    1. A model that cannot be loaded, raises, or gives anything but one number a row is retired for good; the others
       vote on. NaN is no fault (there was nothing to judge), unless the model says it of all that it was fitted on.
    2. Who retires is told by the next group of windows that is judged, with a reason that is the same on every machine:
       no address of memory, no folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Model, ModelDamaged, checked, version_of
from engine.models.evidence import single
from engine.models.timing import Timing

LONGEST: Final = 200
"""Characters of a reason at most."""

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")
_FOLDERS: Final = re.compile(r"(?:[^\s'\"(=]*/)+")


class Left(NamedTuple):
    """A model that votes no more (version "": it never did), and why."""

    name: str
    version: str
    reason: str


class Panel:
    """Models in the order of their names, which is the order of the columns of scores."""

    def __init__(self, models: Iterable[Model] = (), timing: Timing | None = None) -> None:
        self.models = list(models)
        self._timing = timing or Timing(None)

    @property
    def version(self) -> str:
        """The short hash of all parameters."""
        return sha256("".join(model.sha256 for model in self.models).encode()).hexdigest()[:12]

    def scores(
        self, vectors: NDArray[np.float32], letters: Sequence[bytes]
    ) -> tuple[NDArray[np.float64], list[tuple[int, Left]]]:
        """What each model gives for each window, a column a model, and whom that cost its seat.

        Returns:
            Scores in single precision, of those that stay; the places (before anyone left) of those that failed. They
            have left the panel.
        """
        columns, failed = [], []
        for place, model in enumerate(self.models):
            try:
                with self._timing.of(model.name, len(vectors)):
                    found = model.score(vectors if model.reads == "vectors" else letters)
                columns.append(checked(found, len(vectors)))
            except Exception as error:  # noqa: BLE001 - a model may be anybody's
                failed.append((place, Left(model.name, version_of(model), reason_of(error))))
        for place, _ in reversed(failed):
            del self.models[place]
        stacked = np.column_stack(columns) if columns else np.empty((len(vectors), 0))
        return single(stacked), failed


def sound(model: Model, vectors: NDArray[np.float32], letters: Sequence[bytes], name: str) -> Model:
    """A fitted model, if it can be kept and has something to say of the windows that it was fitted on.

    Raises:
        ModelDamaged: `sha256` is not that of `dump()`.
        ValueError: it has another name than its family, or abstains from every window.
    """
    if model.name != name:
        raise ValueError(f"the model calls itself {model.name}, its family {name}")
    if model.sha256 != sha256(model.dump()).hexdigest():
        raise ModelDamaged("sha256 is not the SHA-256 of dump()")
    scores = checked(model.score(vectors if model.reads == "vectors" else letters), len(vectors))
    if model.reads == "vectors" and len(scores) and np.isnan(scores).all():
        raise ValueError("abstains from every window that it was fitted on")
    return model


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line that does not depend on the machine.

    >>> reason_of(ValueError("<loud.Loud object at 0x7f12> in '/home/me/loud.py'"))
    "ValueError: <loud.Loud object at 0x> in 'loud.py'"
    """
    line = next(iter(str(error).splitlines()), "")
    plain = _FOLDERS.sub("", _ADDRESS.sub("0x", f"{type(error).__name__}: {line}"))
    return "".join(c if c.isprintable() else "?" for c in plain)[:LONGEST]
