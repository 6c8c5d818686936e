"""Facts by kind, for code of yours: a monitor, a bridge to another system.

Rules:
    1. Facts come in log order, each kind you named, from after the position you name. Nothing is left out: the log is
       the queue, and it has no length.
    2. You keep the position (what `subscribe` returns, or `recorded.position`). Record it where you record what you did
       with the facts: then each of them counts exactly once, whatever crashes.
    3. A handler that raises ends the subscription at that fact; begin again from the position before it.

    >>> from adapters.log import open_log
    >>> from domain.journal import Draft
    >>> from domain.facts.operation import JobFinished, JobStarted
    >>> from uuid import UUID
    >>> log = open_log("memory:", lambda: 0)
    >>> facts = (JobStarted(job="retrain"), JobFinished(job="retrain", result="ok"), JobStarted(job="checkpoint"))
    >>> drafts = [Draft(event_id=UUID(int=n), stream=f"job/{fact.job}", fact=fact, occurred_at=0, actor="clock")
    ...           for n, fact in enumerate(facts, 1)]
    >>> log.append(drafts)
    [1, 2, 3]
    >>> seen = []
    >>> position = subscribe(log, {"job-started"}, lambda recorded: seen.append(recorded.fact.job))
    >>> seen, position
    (['retrain', 'checkpoint'], 3)
    >>> subscribe(log, {"job-started"}, print, after=position)
    3
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from domain.errors import MyrmidonError
from domain.events import FACTS
from domain.journal import Journal, Recorded, follow


class UnknownKind(MyrmidonError):  # noqa: N818 - says what it is
    """There is no such kind of fact; all of them are in docs/facts.md."""

    exit_code = 2


def subscribe(
    journal: Journal,
    kinds: Collection[str],
    handler: Callable[[Recorded], object],
    *,
    after: int = 0,
    wait: float = 0.0,
    more: Callable[[], bool] = lambda: True,
) -> int:
    """Hand every fact of these kinds to `handler`; returns the position up to which the log was read.

    Args:
        journal: the log (`adapters.log.open_log`).
        kinds: names as in docs/facts.md.
        handler: called with each recorded fact, on this thread.
        after: position to begin behind.
        wait: seconds to wait for further facts at the end of the log; then it returns. 0 returns at the end at once.
        more: asked after every fact and wait; False ends the subscription.

    Raises:
        UnknownKind: a kind does not exist.
    """
    unknown = sorted(set(kinds) - set(FACTS))
    if unknown:
        raise UnknownKind(f"there is no kind of fact {unknown[0]!r}: see docs/facts.md")
    while True:
        for facts in follow(journal, after):
            for recorded in facts:
                if not more():
                    return after
                if recorded.fact.kind in kinds:
                    handler(recorded)
                after = recorded.position
        if not (wait and more() and journal.wait(after, wait)):
            return after
