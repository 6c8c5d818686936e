"""The region agent at work: how long feeds have been silent, and what stands parked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from agents.region.decide import Observe, decide
from domain.facts.operation import FollowerFault, HealthReported
from domain.journal import Draft, Journal
from domain.values import Micros, event_id

REGION = "local"

FOLLOWERS = ("responder", "responses", "router")
"""Followers whose parked streams are a matter of health."""


class HealthWatch:
    """Looks at the feeds of this process and reports when health changes."""

    def __init__(
        self,
        journal: Journal,
        now: Callable[[], Micros],
        *,
        feeds: Sequence[str],
        quiet: Callable[[str], float],
        silent_after: float,
        faults: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._journal = journal
        self._now = now
        self._feeds = feeds
        self._quiet = quiet
        self._silent_after = silent_after
        self._faults = faults
        history = journal.read_stream(f"region/{REGION}")
        reports = [recorded.fact for recorded in history if isinstance(recorded.fact, HealthReported)]
        self._last = reports[-1] if reports else None

    def report(self) -> None:
        """Record a `health-reported` when health or its reasons changed since the last one."""
        silent = tuple(name for name in self._feeds if self._quiet(name) >= self._silent_after)
        parked = {
            recorded.fact.stream
            for follower in FOLLOWERS
            for recorded in self._journal.read_stream(f"follower/{follower}")
            if isinstance(recorded.fact, FollowerFault)
        }
        command = Observe(
            region=REGION,
            feeds=len(self._feeds),
            silent_feeds=silent,
            parked_streams=len(parked),
            faults=tuple(self._faults()),
        )
        for fact in decide(command, self._last):
            self._last = fact
            stream = f"region/{REGION}"
            draft = Draft(
                event_id=event_id(uuid4(), stream, fact.kind),
                stream=stream,
                fact=fact,
                occurred_at=self._now(),
                actor="region",
            )
            self._journal.append([draft])
