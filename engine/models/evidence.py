"""The evidence of an anomaly: all that its score came from, so that anyone can compute it again, to the last bit.

Rules:
    1. A record holds the feature vector, the letters, the models by SHA-256, the reference scores, and what came out.
       With the model artifacts that it names, nothing else is needed: no log, no clock, no state.
    2. It is plain bytes (msgpack), stored under its SHA-256, which is the `detail` of the sighting.
    3. `recompute` scores the vector with the models anew and ranks it anew. Equal means equal, not close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import MyrmidonError
from engine.models.base import Model, checked
from engine.models.conformal import p_value
from engine.models.peers import distance
from engine.models.registry import ModelUnusable, family_of
from engine.verdict.consensus import Consensus, consensus
from engine.verdict.null import THEORETICAL, Null

FORMAT: Final = 1


class EvidenceDamaged(MyrmidonError):  # noqa: N818 - says what it is
    """A record of evidence cannot be read: restore the artifact from a backup."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one anomaly rests on.

    Attributes:
        host, profile: whom it is about, and which of its profiles (empty: the peers of the capture).
        vector: the features as single-precision numbers, packed; `letters` the symbols of its flows.
        models: (name, SHA-256) of the models, in the order of the columns.
        known: the reference scores, packed: single precision, one column a model (or one for the peers).
        medians, deviations: of the peers, packed; empty when the host was held against its own past.
        scores: what the models gave (None: abstained), votes their p-values, p what became of it against the `null` of
            the hosts judged together; `level` the bound of a vote.
    """

    format: int = FORMAT
    host: str
    profile: str = ""
    vector: bytes
    letters: bytes
    models: tuple[tuple[str, str], ...] = ()
    known: bytes
    medians: bytes = b""
    deviations: bytes = b""
    scores: tuple[float | None, ...]
    p: float
    votes: tuple[float | None, ...]
    level: float
    null: Null = THEORETICAL

    def dump(self) -> bytes:
        """The record as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, data: bytes) -> Evidence:
        """The record of some bytes.

        Raises:
            EvidenceDamaged: they are none, or of a format that this release does not read.
        """
        try:
            evidence = msgspec.msgpack.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise EvidenceDamaged(f"evidence cannot be read ({error}): restore the artifact from a backup") from error
        if evidence.format != FORMAT:
            raise EvidenceDamaged(
                f"evidence has format {evidence.format}, this release reads {FORMAT}: use a newer one"
            )
        return evidence


class Recomputed(msgspec.Struct, frozen=True):
    """Scores, votes and p computed anew, and whether all are those of the record."""

    equal: bool
    scores: tuple[float | None, ...]
    votes: tuple[float | None, ...]
    p: float


def recompute(evidence: Evidence, artifact: Callable[[str], bytes]) -> Recomputed:
    """Score the evidence anew.

    Args:
        evidence: the record.
        artifact: the bytes of a model by its SHA-256 (the artifact store's `get`, which verifies them).

    Raises:
        ModelDamaged: an artifact is not what its name says.
        ModelUnusable: no installed package provides a model of that name.
    """
    vector = np.frombuffer(evidence.vector, "<f4").reshape(1, -1)
    if evidence.medians:
        medians, deviations = (np.frombuffer(part, "<f4") for part in (evidence.medians, evidence.deviations))
        row = single(distance(vector, medians, deviations))
        alone = p_value(float(row[0]), np.frombuffer(evidence.known, "<f4"))
        found = Consensus(alone, (alone,))
    else:
        models = [family_of(name).load(artifact(sha256), sha256) for name, sha256 in evidence.models]
        row = score_row(models, vector, evidence.letters)
        found = consensus(np.frombuffer(evidence.known, "<f4").reshape(-1, len(models)).astype(np.float64), row)
    scores, p = told(row), evidence.null.adjusted(found.p)
    equal = (scores, found.votes, p) == (evidence.scores, evidence.votes, evidence.p)
    return Recomputed(equal, scores, found.votes, p)


def score_all(models: Sequence[Model], vectors: NDArray[np.float32], letters: Sequence[bytes]) -> NDArray[np.float64]:
    """What each model gives for each window, in single precision: a column a model.

    Raises:
        ModelUnusable: a model fails.
    """
    return single(np.column_stack([_column(model, vectors, letters) for model in models]))


def _column(model: Model, vectors: NDArray[np.float32], letters: Sequence[bytes]) -> NDArray[np.float64]:
    try:
        return checked(model.score(vectors if model.reads == "vectors" else letters), len(vectors))
    except Exception as error:
        raise ModelUnusable(f"model {model.name} cannot score: {error}") from error


def score_row(models: Sequence[Model], vector: NDArray[np.float32], letters: bytes) -> NDArray[np.float64]:
    """The same for one window."""
    row: NDArray[np.float64] = score_all(models, vector, [letters])[0]
    return row


def single(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as they are kept: rounded to 6 places, in single precision, so that no machine's last bit breaks a tie."""
    return np.round(scores, 6).astype(np.float32).astype(np.float64)


def told(row: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Scores as plain numbers; None where a model abstained."""
    return tuple(None if np.isnan(score) else float(score) for score in row)
