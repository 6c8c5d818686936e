"""The clockwork of a live run: APScheduler says when, the runner's own thread does it.

Rules:
    1. A job is a name, a period and a function; what it did is a `job-finished` or `job-failed` (sensed) fact.
    2. APScheduler's thread only puts the name of a due job into a queue, so that one thread alone decides and writes.
    3. A job that is still due from the last time is not queued twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from uuid import uuid4

from domain.facts.operation import JobFailed, JobFinished
from domain.journal import Draft, Journal
from domain.values import Micros, event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that comes again every `seconds`; returns what to record of it, or None when there was nothing to do."""

    name: str
    seconds: float
    work: Callable[[], str | None]


class Clockwork:
    """Runs jobs from the loop that calls `drain`."""

    def __init__(self, jobs: list[Job], journal: Journal, now: Callable[[], Micros]) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._jobs = {job.name: job for job in jobs}
        self._journal = journal
        self._now = now
        self._due: SimpleQueue[str] = SimpleQueue()
        self._waiting: set[str] = set()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        for job in jobs:
            self._scheduler.add_job(self._queue, "interval", seconds=job.seconds, args=[job.name], id=job.name)

    def __enter__(self) -> Clockwork:
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def _queue(self, name: str) -> None:
        if name not in self._waiting:
            self._waiting.add(name)
            self._due.put(name)

    def drain(self) -> None:
        """Do what is due, on the calling thread."""
        while True:
            try:
                name = self._due.get_nowait()
            except Empty:
                return
            self._waiting.discard(name)
            self.run(name)

    def run(self, name: str) -> None:
        """Do one job now and record how it ended, if there was anything to do."""
        fact: JobFinished | JobFailed
        try:
            result = self._jobs[name].work()
        except Exception as error:  # noqa: BLE001 - a job must not stop the daemon; the fact says what went wrong
            fact = JobFailed(job=name, error=f"{type(error).__name__}: {error}")
        else:
            if result is None:
                return
            fact = JobFinished(job=name, result=result)
        stream = f"job/{name}"
        draft = Draft(
            event_id=event_id(uuid4(), stream, fact.kind),
            stream=stream,
            fact=fact,
            occurred_at=self._now(),
            actor="scheduler",
        )
        self._journal.append([draft])
