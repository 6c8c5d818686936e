"""What both recorder subclasses of the `eventsourcing` library share: its stored events as rows of our chain.

The library reads our table through the view `stored_events` and writes through `_insert_events`; so its own tools,
subscriptions and contract tests work on the same log, and what they write is chained like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final
from uuid import uuid5

from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription, StoredEvent

from adapters.log.base import Transaction
from adapters.log.plan import Content, Placed, seal_all
from adapters.log.watch import Watch
from domain.events import SENSED, VERSIONS
from domain.values import NAMESPACE, Micros

ACTOR: Final = "eventsourcing"


class WatchSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """A subscription of the library that is woken by a `Watch` (and pins no pooled connection)."""

    def __init__(
        self, watch: Watch, recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._watch = watch
        self._waking = Thread(target=self._wake, name="log-subscription", daemon=True)
        self._waking.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._waking.join()

    def _wake(self) -> None:
        seen = 0
        while not self._has_been_stopped:
            if self._watch.wait(seen, 0.1):
                seen = self._watch.position
                self._has_been_notified.set()


def adopt(events: Sequence[StoredEvent], transaction: Transaction, now: Callable[[], Micros]) -> list[int]:
    """Write stored events of the library as rows; their version is the library's, their id is derived from it."""
    tail = transaction.tail()
    heads = transaction.heads(sorted({str(event.originator_id) for event in events}))
    placed: list[Placed] = []
    for event in events:
        content = _content(event)
        rank = heads.get(content[1], (0, 0))[1] + (event.topic not in SENSED)
        heads[content[1]] = event.originator_version, rank
        placed.append((tail.position + len(placed) + 1, event.originator_version, rank, content))
    if placed:
        transaction.insert(*seal_all(placed, tail, now()))
    return [position for position, *_ in placed]


def _content(event: StoredEvent) -> Content:
    stream = str(event.originator_id)
    event_id = uuid5(NAMESPACE, f"stored|{stream}|{event.originator_version}").bytes
    return event_id, stream, event.topic, VERSIONS.get(event.topic, 1), 0, ACTOR, b"", b"", "local", "[]", event.state
