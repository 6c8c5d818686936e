"""What the anomaly detector keeps from row to row, and what it holds of a window while it judges it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.features.windows import ClosedWindow
from engine.models import peers
from engine.models.conformal import Ring
from engine.models.judgements import Judgements
from engine.models.panel import Left
from engine.models.past import Past
from engine.models.progress import Progress
from engine.models.voting import Tally
from engine.models.warmup import WarmUpState
from engine.verdict.consensus import Consensus
from engine.verdict.ranks import Ranks
from engine.verdict.tracker import Tracker


class State(msgspec.Struct):
    """The whole working state.

    Attributes:
        progress: of the warm-up, by profile.
        samples: windows that the models were fitted on.
        forgotten: hosts whose baseline had to make room.
        gone: models whose leaving was not told yet.
    """

    progress: dict[str, Progress] = {}
    samples: int = 0
    forgotten: int = 0
    warm_up: WarmUpState = msgspec.field(default_factory=WarmUpState)
    models: list[tuple[str, str, bytes]] = []
    hosts: dict[str, dict[str, Past]] = {}
    pool: Ring = msgspec.field(default_factory=lambda: Ring(peers.POOL, 1, "<f4"))
    tracker: Tracker | None = None
    tally: Tally = msgspec.field(default_factory=Tally)
    flagged: int = 0
    judged: int = 0
    said: Judgements = msgspec.field(default_factory=Judgements)
    gone: list[Left] = []


class Case(NamedTuple):
    """A window of a host that has a past to be held against."""

    window: ClosedWindow
    profile: str
    vector: NDArray[np.float32]
    scores: NDArray[np.float64]
    letters: bytes
    packed: tuple[bytes, bytes]
    past: Past
    ranks: Ranks
    found: Consensus
