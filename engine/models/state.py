"""What the anomaly detector keeps from row to row, apart from what it knows of each host (`pasts`)."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.models import peers
from engine.models.conformal import Ring
from engine.models.judgements import Judgements, Rates
from engine.models.panel import Left
from engine.models.pasts import PastsState
from engine.models.progress import Progress
from engine.models.voting import Tally
from engine.models.warmup import WarmUpState
from engine.verdict.tracker import Tracker

CONSENSUS: Final = "consensus"
VOTERS: Final = (CONSENSUS, peers.NAME)
"""Who decides: each has a level of its own."""


class State(msgspec.Struct):
    """The working state. What others hold (`pasts`, `warm_up`, `models`) is here only while it is dumped or loaded.

    Attributes:
        levels: of the votes, by voter (the consensus, the peers), as verdicts moved them.
        progress: of the warm-up, by profile.
        samples: windows that the models were fitted on.
        pool: the last scores against peers, of all hosts.
        tally: votes since they were last told.
        rates: what each voter judged, flagged and alarmed of.
        said: what operators said.
        gone: models whose leaving was not told yet.
    """

    levels: dict[str, Tracker]
    progress: dict[str, Progress] = {}
    samples: int = 0
    warm_up: WarmUpState | None = None
    models: list[tuple[str, str, bytes]] = []
    pasts: PastsState | None = None
    pool: Ring = msgspec.field(default_factory=lambda: Ring(peers.POOL, 1, "<f4"))
    tally: Tally = msgspec.field(default_factory=Tally)
    rates: dict[str, Rates] = {}
    said: Judgements = msgspec.field(default_factory=Judgements)
    gone: list[Left] = []

    @classmethod
    def new(cls, rate: float) -> State:
        """Nothing is known yet; `rate` is the promised one."""
        return cls({voter: Tracker.at(rate) for voter in VOTERS}, rates={voter: Rates() for voter in VOTERS})
