"""The sequence model: a hidden Markov model of what hosts do one after the other.

A window of a host is a word: one letter a flow. The model learns the words of normal traffic; the score of a word is
its surprise, the negative mean log-likelihood of a letter. [Rabiner: A tutorial on hidden Markov models and selected
applications in speech recognition, Proceedings of the IEEE, 1989]

    >>> model = SequenceModel.fit([bytes([0, 1, 0, 1, 0, 1, 0, 1])] * 40, seed=7)
    >>> model.score([bytes([0, 1, 0, 1, 0, 1]), bytes([1, 1, 1, 1, 1, 1]), b""]).round(2).tolist()
    [0.0, 3.8, nan]

Trained by hmmlearn; scored by a forward pass of our own over all words (equal to hmmlearn's `score` within 1e-9, a test
holds it), some two hundred times as fast. A word of fewer than `SHORTEST` letters abstains.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.models.base import Reads, Scores, verified
from engine.models.compiled import compiled

STATES: Final = 6
ITERATIONS: Final = 20
LONGEST_TRAINING: Final = 20_000
"""Letters that a model is trained on at most."""

SHORTEST: Final = 4
SMOOTHING: Final = 1e-3
"""Share of every probability that is spread evenly: a letter never heard is a surprise, not an impossibility."""


class _Stored(msgspec.Struct, array_like=True):
    alphabet: bytes
    start: bytes
    moves: bytes
    emissions: bytes


class SequenceModel:
    """A fitted hidden Markov model: its letters, and the probabilities of first states, moves and letters."""

    name: ClassVar[str] = "sequence"
    reads: ClassVar[Reads] = "letters"

    def __init__(self, alphabet: bytes, start: NDArray[Any], moves: NDArray[Any], emissions: NDArray[Any]) -> None:
        self._alphabet = alphabet
        self._number = _numbers(alphabet)
        self._start, self._moves, self._emissions = (
            np.ascontiguousarray(part, np.float64) for part in (start, moves, emissions)
        )

    @classmethod
    def fit(cls, rows: Sequence[bytes], seed: int) -> SequenceModel:
        """Learn the words of normal traffic; without any word, a model that finds all letters alike."""
        words = _within([word for word in rows if len(word) >= SHORTEST], seed)
        if not words:
            return cls(b"\0", np.ones(1), np.ones((1, 1)), np.ones((1, 1)))
        alphabet = bytes(sorted(set(b"".join(words))))
        grown = grow(words, alphabet, seed)
        return cls(alphabet, *(_smooth(part) for part in (grown.startprob_, grown.transmat_, grown.emissionprob_)))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of `dump()`."""
        return sha256(self.dump()).hexdigest()

    def score(self, rows: Sequence[bytes]) -> Scores:
        """One score a word: its negative mean log-likelihood per letter; NaN for words too short to say anything."""
        scores = self.likelihoods(rows)
        lengths = np.array([len(word) for word in rows], np.float64)
        return np.where(lengths >= SHORTEST, -scores / np.maximum(lengths, 1.0), np.nan)

    def likelihoods(self, rows: Sequence[bytes]) -> NDArray[np.float64]:
        """The log-likelihood of each word; a letter not heard in training is as likely as the rarest one."""
        ends = np.cumsum([0, *map(len, rows)])
        letters = self._number[np.frombuffer(b"".join(rows), np.uint8)]
        found = np.empty(len(rows))
        compiled(_forward)(letters, ends, self._start, self._moves, self._emissions, found)
        return found

    def dump(self) -> bytes:
        """The parameters as plain bytes."""
        parts = (np.asarray(part, "<f8").tobytes() for part in (self._start, self._moves, self._emissions))
        return msgspec.msgpack.encode(_Stored(self._alphabet, *parts))

    @classmethod
    def load(cls, data: bytes, expected_sha256: str) -> SequenceModel:
        """The model of a dump.

        Raises:
            ModelDamaged: the bytes do not have the expected hash.
        """
        stored = msgspec.msgpack.decode(verified(data, expected_sha256, cls.name), type=_Stored)
        start, moves, emissions = (np.frombuffer(p, "<f8") for p in (stored.start, stored.moves, stored.emissions))
        return cls(stored.alphabet, start, moves.reshape(len(start), -1), emissions.reshape(len(start), -1))


def grow(words: Sequence[bytes], alphabet: bytes, seed: int) -> Any:
    """Train hmmlearn's own model on words of the alphabet."""
    import logging

    from hmmlearn.hmm import CategoricalHMM
    from threadpoolctl import threadpool_limits

    letters = _numbers(alphabet)[np.frombuffer(b"".join(words), np.uint8)].reshape(-1, 1)
    states = min(STATES, len(alphabet))
    model = CategoricalHMM(n_components=states, n_iter=ITERATIONS, tol=0.01, random_state=seed)
    # an end without convergence is said by a logger and is no fault: the likelihood grew with every step
    logger = logging.getLogger("hmmlearn")
    before, logger.disabled = logger.disabled, True
    try:
        with threadpool_limits(limits=1):
            return model.fit(letters, [len(word) for word in words])
    finally:
        logger.disabled = before


def _numbers(alphabet: bytes) -> NDArray[np.int64]:
    """The number of every byte: its place in the alphabet, or one beyond the last for those that are not in it."""
    numbers = np.full(256, len(alphabet), np.int64)
    numbers[np.frombuffer(alphabet, np.uint8)] = np.arange(len(alphabet))
    return numbers


def _within(words: list[bytes], seed: int) -> list[bytes]:
    """As many of the words, chosen by the seed, as training can bear; in the order in which they came."""
    chosen: list[int] = []
    letters = 0
    for place in np.random.default_rng(seed).permutation(len(words)).tolist():
        letters += len(words[place])
        if letters > LONGEST_TRAINING:
            break
        chosen.append(place)
    return [words[place] for place in sorted(chosen)]


def _smooth(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """The probabilities with a little of each spread over all; rows that never occurred (all 0) become even."""
    rows = np.atleast_2d(np.asarray(probabilities, np.float64))
    even = 1.0 / rows.shape[1]
    whole = np.where(rows.sum(axis=1, keepdims=True) > 0, rows, even)
    smoothed = (1.0 - SMOOTHING) * whole + SMOOTHING * even
    return np.asarray(smoothed / smoothed.sum(axis=1, keepdims=True)).reshape(np.shape(probabilities))


def _forward(  # noqa: PLR0917 - numba takes arrays one by one
    letters: Any, ends: Any, start: Any, moves: Any, emissions: Any, found: Any
) -> None:
    """Fill `found`: the scaled forward pass, one word after the other, so that no word sees its neighbours."""
    states = start.shape[0]
    known = emissions.shape[1]
    rarest = emissions.min()
    now = np.empty(states)
    after = np.empty(states)
    for i in range(found.shape[0]):
        total = 0.0
        for t in range(ends[i], ends[i + 1]):
            scale = 0.0
            for s in range(states):
                reached = start[s]
                if t > ends[i]:
                    reached = 0.0
                    for r in range(states):
                        reached += now[r] * moves[r, s]
                after[s] = reached * (emissions[s, letters[t]] if letters[t] < known else rarest)
                scale += after[s]
            for s in range(states):
                now[s] = after[s] / scale
            total += np.log(scale)
        found[i] = total
