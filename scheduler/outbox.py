"""Effects in the world, off the thread that decides: nothing that is slow or down holds an agent back.

Rules:
    1. Each lane (a channel, an actuator) has a thread of its own: a slow one delays nobody else.
    2. In a lane the most urgent job comes first; among equals the one that was offered first.
    3. A job that has to wait (a retry) is offered with `not_before`; others pass it.
    4. At most `room` jobs are held, over all lanes. What finds no room is refused: whoever offered it defers it.
    5. Results are handed back on the thread that decides, which alone records them.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_Ready = tuple[float, int, Hashable]  # (-urgency, number, key)
_Later = tuple[float, int, float, Hashable]  # (due, number, -urgency, key)


@dataclass(slots=True)
class _Lane:
    ready: list[_Ready] = field(default_factory=list)
    later: list[_Later] = field(default_factory=list)
    woken: Condition = field(default_factory=Condition)
    thread: Thread | None = None


class Outbox(Generic[Job, Result]):
    """Jobs out, results back."""

    def __init__(
        self,
        work: Callable[[str, Job], Result],
        *,
        room: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """Make an outbox.

        Args:
            work: does one job of a lane, on that lane's thread; must not raise (an error is a result).
            room: jobs held at most.
            clock: seconds, monotonic.
            wake: called after each result, on the lane's thread: somebody may be waiting for it.
        """
        self._work = work
        self._room = room
        self._clock = clock
        self._wake = wake
        self._lanes: dict[str, _Lane] = {}
        self._jobs: dict[Hashable, Job] = {}
        self._numbers = count()
        self._results: SimpleQueue[Result] = SimpleQueue()
        self._closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether a job would be refused."""
        return len(self._jobs) >= self._room

    def offer(self, lane: str, key: Hashable, job: Job, *, urgency: float = 0.0, not_before: float = 0.0) -> bool:
        """Put a job into a lane; False when there is no room. A key that is held already is not taken twice.

        Args:
            lane: where it is done.
            key: identity of the job.
            job: what `work` gets.
            urgency: higher ones first.
            not_before: reading of `clock` before which it is not begun.
        """
        if key in self._jobs:
            return True
        if self.full or self._closed:
            return False
        self._jobs[key] = job
        held = self._lanes.setdefault(lane, _Lane())
        with held.woken:
            number = next(self._numbers)
            if not_before > self._clock():
                heapq.heappush(held.later, (not_before, number, -urgency, key))
            else:
                heapq.heappush(held.ready, (-urgency, number, key))
            if held.thread is None:
                held.thread = Thread(target=self._run, args=(lane, held), name=f"outbox-{lane}", daemon=True)
                held.thread.start()
            held.woken.notify()
        return True

    def results(self) -> list[Result]:
        """What was done since the last time, in the order in which it was done."""
        done: list[Result] = []
        while True:
            try:
                done.append(self._results.get_nowait())
            except Empty:
                return done

    def close(self, patience: float = 5.0) -> None:
        """Begin no further job, and wait for those under way at most so many seconds."""
        self._closed = True
        until = time.monotonic() + patience
        for held in self._lanes.values():
            with held.woken:
                held.woken.notify()
        for held in self._lanes.values():
            if held.thread is not None:
                held.thread.join(max(0.0, until - time.monotonic()))

    def _run(self, lane: str, held: _Lane) -> None:
        while (key := self._next(held)) is not None:
            result = self._work(lane, self._jobs[key])
            del self._jobs[key]
            self._results.put(result)
            self._wake()

    def _next(self, held: _Lane) -> Hashable | None:
        """Key of the next job; waits for one. None when the outbox is closed."""
        with held.woken:
            while not self._closed:
                now = self._clock()
                while held.later and held.later[0][0] <= now:
                    _, number, urgency, key = heapq.heappop(held.later)
                    heapq.heappush(held.ready, (urgency, number, key))
                if held.ready:
                    return heapq.heappop(held.ready)[2]
                held.woken.wait(held.later[0][0] - now if held.later else None)
        return None
