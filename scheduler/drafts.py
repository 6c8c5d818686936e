"""What a feed's facts are recorded as: their ids, streams and causes.

Rules:
    1. An id derives from the feed and from what caused the fact: read again, the same rows give the same ids.
    2. Every fact but the feed's opening is caused by it; what concerns a threat is correlated by it.
    3. `STREAMS` says where facts go that are not about a threat; a field of the fact in braces is part of the name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Final
from uuid import UUID, uuid5

from agents.learner import decide as learner
from domain.events import Fact
from domain.facts.telemetry import FeedOpened
from domain.journal import Draft
from domain.values import NAMESPACE, Micros, event_id

STREAMS: Final = {
    "model-trained": "model/{feed}.{model}",
    "model-retired": "model/{feed}.{model}",
    "threshold-moved": "model/{feed}.{model}",
    "model-timed": "model/{feed}.{model}",
    "votes-counted": "model/{feed}.{model}",
    "baseline-warming": "baseline/{feed}.{profile}",
    "baseline-learned": "baseline/{feed}.{profile}",
    "baseline-shifted": "baseline/{feed}.{profile}",
    "rules-loaded": "rules/{feed}",
}
"""By kind; of any other kind it is the feed's own stream."""

LEARNER_COMMANDS: Final[dict[str, Callable[..., learner.Command]]] = {
    "baseline-warming": learner.WarmUpBegan,
    "model-trained": learner.ModelFitted,
    "model-retired": learner.ModelFailed,
    "baseline-learned": learner.WarmedUp,
    "baseline-shifted": learner.HostChanged,
    "threshold-moved": learner.LevelTracked,
    "votes-counted": learner.VotesTaken,
    "model-timed": learner.ScoringTimed,
}
"""What the engine noticed, by name, and the learner's command that records it."""


class Drafts:
    """Makes the drafts of one feed."""

    def __init__(self, feed: str) -> None:
        self.feed = feed
        self.root = uuid5(NAMESPACE, f"feed|{feed}")
        self.open_id = event_id(self.root, f"feed/{feed}", FeedOpened.kind, 0)
        """Event id of the feed's `feed-opened`."""

    def cause(self, what: str) -> UUID:
        """The id of something that happens in the feed."""
        return uuid5(self.root, what)

    def of(self, fact: Fact, cause: UUID, at: Micros, *, ordinal: int = 0, actor: str = "detector") -> Draft:
        """The draft of a fact: the `ordinal`-th that `cause` brought about, at event time `at`."""
        stream = self._stream(fact)
        return Draft(
            event_id=event_id(cause, stream, fact.kind, ordinal),
            stream=stream,
            fact=fact,
            occurred_at=at,
            actor=actor,
            causation=None if isinstance(fact, FeedOpened) else self.open_id,
            correlation=getattr(fact, "threat", None),
        )

    def _stream(self, fact: Fact) -> str:
        threat = getattr(fact, "threat", None)
        if threat is not None:
            return f"threat/{threat}"
        if fact.kind not in STREAMS:
            return f"feed/{self.feed}"
        return STREAMS[fact.kind].format(**asdict(fact) | {"feed": self.feed})
