"""What the anomaly detector keeps from row to row, apart from what it knows of each host (`pasts`)."""

from __future__ import annotations

import msgspec

from engine.models import peers
from engine.models.conformal import Ring
from engine.models.judgements import Judgements
from engine.models.panel import Left
from engine.models.pasts import PastsState
from engine.models.progress import Progress
from engine.models.voting import Tally
from engine.models.warmup import WarmUpState
from engine.verdict.tracker import Tracker


class State(msgspec.Struct):
    """The working state. What others hold (`pasts`, `warm_up`, `models`) is here only while it is dumped or loaded.

    Attributes:
        tracker: the level of the votes.
        progress: of the warm-up, by profile.
        samples: windows that the models were fitted on.
        pool: the last scores against peers, of all hosts.
        tally: votes since they were last told.
        judged, flagged: windows that the consensus judged, and flagged.
        said: what operators said.
        gone: models whose leaving was not told yet.
    """

    tracker: Tracker
    progress: dict[str, Progress] = {}
    samples: int = 0
    warm_up: WarmUpState | None = None
    models: list[tuple[str, str, bytes]] = []
    pasts: PastsState | None = None
    pool: Ring = msgspec.field(default_factory=lambda: Ring(peers.POOL, 1, "<f4"))
    tally: Tally = msgspec.field(default_factory=Tally)
    flagged: int = 0
    judged: int = 0
    said: Judgements = msgspec.field(default_factory=Judgements)
    gone: list[Left] = []
