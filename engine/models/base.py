"""What every model is: something that was fitted, scores rows, and is known by the hash of its parameters.

Rules:
    1. Two verbs: `fit(rows, seed) -> Model` and `Model.score(rows)`. Score always comes before learn.
    2. A higher score is more anomalous. A row's score does not depend on the rows scored with it, to the last bit.
    3. `dump` gives plain bytes (never a pickle); their SHA-256 names the version and is checked on loading.
    4. A model reads what its family says in `reads`: `vectors` (a matrix, one row each) or `letters` (one `bytes` each,
       the symbols of a sequence, `b""` when there is none). A score of NaN abstains: there was nothing to judge.
    5. The same rows and seed give the same model: no threads, no clock, no randomness but the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.errors import MyrmidonError

Matrix: TypeAlias = NDArray[np.float32]
"""Rows of features, in single precision, which is what the forests are grown on."""

Scores: TypeAlias = NDArray[np.float64]

Reads: TypeAlias = Literal["vectors", "letters"]


class ModelDamaged(MyrmidonError):  # noqa: N818 - says what it is
    """The stored bytes of a model do not have the hash they were recorded with: restore the artifact or train anew."""


class Model(Protocol):
    """A fitted model."""

    @property
    def name(self) -> str:
        """The name of its family."""

    @property
    def reads(self) -> Reads:
        """What it reads."""

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of `dump()`."""

    def score(self, rows: Any, /) -> Scores:
        """One score a row; higher is more anomalous, NaN abstains."""

    def dump(self) -> bytes:
        """The parameters as plain bytes."""


class Family(Protocol):
    """A kind of model: what an entry point of the group `myrmidon.models` names (a class with these, mostly)."""

    @property
    def name(self) -> str:
        """How its votes are named."""

    @property
    def reads(self) -> Reads:
        """What its models read."""

    def fit(self, rows: Any, seed: int, /) -> Model:
        """A model of the rows."""

    def load(self, data: bytes, expected_sha256: str, /) -> Model:
        """The model of a dump.

        Raises:
            ModelDamaged: the bytes do not have the expected hash.
        """


Fit: TypeAlias = Callable[[Matrix, int], Model]
"""Rows and a seed give a model; the same rows and seed give the same model."""


def version_of(model: Model) -> str:
    """The short name of a model's parameters: the first 12 digits of their hash."""
    return model.sha256[:12]


def checked(scores: Any, rows: int) -> NDArray[np.float64]:
    """The scores of a model, if they are one number a row.

    Raises:
        ValueError: they are not.
    """
    found = np.asarray(scores, np.float64)
    if found.shape != (rows,):
        raise ValueError(f"scores have the shape {found.shape}, ({rows},) was asked for")
    if np.isinf(found).any():
        raise ValueError("a score is infinite")
    return found


def verified(data: bytes, expected: str, what: str) -> bytes:
    """`data`, if its SHA-256 is the expected one.

    Raises:
        ModelDamaged: it is not.
    """
    found = sha256(data).hexdigest()
    if found != expected:
        raise ModelDamaged(f"{what}: SHA-256 is {found[:12]}, recorded was {expected[:12]}: restore it or train anew")
    return data
