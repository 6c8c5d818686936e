"""The loop that runs the swarm in one process: feeds in, decisions recorded, followers moved on.

Rules:
    1. All drafts of a pulse and the cursors behind it are one transaction. While more pulses wait, ledger entries that
       nobody waits for go into the transaction of a later one, `TOGETHER` pulses at most: a commit waits for the disk.
    2. While the process beside judges the rows of one pulse, the next are begun already; pulses end in their order.
    3. A snapshot is written only after its cursor is recorded, so it is never ahead of the log, and when nothing is
       under way.
    4. Followers run between the pulses, on this thread; each could run in a process of its own.
    5. Nothing is dropped: what could not be read is a fault in the log and a line for the operator.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from adapters.feeds import Problem, Read, ReadAhead
from domain.facts.telemetry import BatchScored, FeedFault, LogReleased
from domain.journal import Cursor, Journal, Progress
from engine.frame import Frame
from engine.heap import trim
from engine.rules.ruleset import RuleSet
from scheduler.crew import Agent
from scheduler.hunt import Hunt
from scheduler.recovery import OrderBook
from scheduler.stages import Step
from scheduler.verdicts import Verdicts

DEPTH: Final = 2
"""Pulses under way at most while more come: so many that neither process waits for the other's longest step."""

TOGETHER: Final = 4
"""Pulses that are recorded in one transaction at most."""

OVERLAP: Final = 0.01
"""Seconds to wait for a further pulse before the one under way is ended."""

GLANCE: Final = 0.02
"""Seconds to wait for a pulse before looking whether the agents have other work."""

UNUSABLE = "a file of the feed could not be used"
"""Reason of a fault; its sample is the file's name: paths enter no decided fact."""


LOOK_AGAIN = 0.25
"""Seconds between two looks of the agents at least, however busy the feeds are: time ends what they did."""

ROUNDS = 8
"""Times that the agents answer one another in one go at most: more comes soon enough."""

PATIENCE = 30.0
"""Seconds that the end of a run waits for effects that are under way."""


class Follower(Protocol):
    """Something that reads on in the log when it is told to."""

    def catch_up(self) -> int:
        """Handle what is new; returns how many facts were handled or appended."""


@dataclass(slots=True, kw_only=True)
class Stats:
    """How the run stands, for the progress view."""

    rows: int = 0
    threats: int = 0
    clock: int = 0


@dataclass(slots=True, kw_only=True)
class Pace:
    """How often the slower things happen, in rows."""

    snapshot_rows: int
    view_rows: int


@dataclass(slots=True, kw_only=True)
class Runner:
    """Feeds, hunts and followers of one run."""

    journal: Journal
    telemetry: ReadAhead
    until_eof: bool
    hunts: dict[str, Hunt]
    known: frozenset[str]
    gaps: dict[str, int]
    orders: dict[str, OrderBook]
    verdicts: Verdicts
    agents: Sequence[Agent]
    """Followers that append, in the order in which they work."""
    views: Follower | None
    pace: Pace
    save: Callable[[Hunt, bytes], None]
    idle: Callable[[], None] = lambda: None
    tell: Callable[[Stats], None] = lambda _stats: None
    warn: Callable[[str], None] = lambda _line: None
    """Told in one line what an operator should know at once."""
    new_rules: Callable[[], RuleSet | None] = lambda: None
    """The rules anew when they have changed since it was last asked."""
    stats: Stats = field(default_factory=Stats)
    stopped: bool = False
    _under_way: deque[Read] = field(default_factory=deque)
    _waiting: list[Step] = field(default_factory=list)
    """What ended pulses decided and is not recorded yet."""
    _pulses: int = 0
    """Pulses that ended since something was recorded."""
    _cursor: dict[str, Cursor] = field(default_factory=dict)
    _since_snapshot: int = 0
    _since_views: int = 0
    _since_record: int = 0
    _look_again: float = 0.0

    def run(self) -> None:
        """Work until the feeds end or the telemetry is stopped; leaves a snapshot and everything followed up."""
        # what was imported and built up to here lives as long as the process: the collector need not walk it again
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._open()
        while not self.telemetry.ended:
            read = self.telemetry.next(OVERLAP if self._under_way else GLANCE)
            self._go_on(read)
            if read is None and self._news():
                self._respond()
        self._finish()

    def _open(self) -> None:
        """Begin where the log says the feeds stand; what was rebuilt is kept at once, to be rebuilt only once."""
        self._cursor.update(self.telemetry.cursors)
        self.journal.append([d for feed, hunt in self.hunts.items() if feed not in self.known for d in hunt.open()])
        steps = [step for feed, hunt in self.hunts.items() for step in hunt.skip(self.gaps.get(feed, 0))]
        if steps:
            self._record(steps)
        self._snapshot()

    def stop(self) -> None:
        """Let the run end after the pulse that is being worked on; the feeds stay open in the log."""
        self.stopped = True
        self.telemetry.stop()

    def _go_on(self, read: Read | None) -> None:
        """Begin the next pulse and end older ones; end all when there is nothing to wait for."""
        if read is not None:
            self._begin(read)
        while len(self._under_way) > (DEPTH if read is not None and read.pulse.frames else 0):
            self._end(self._under_way.popleft())
        if self._waiting and not self._under_way:
            self._tell_agents()

    def _begin(self, read: Read) -> None:
        if self._since_snapshot >= self.pace.snapshot_rows:
            self._go_on(None)
            self._snapshot()
        if (rules := self.new_rules()) is not None:
            for hunt in self.hunts.values():
                hunt.rules.offered = rules
        for feed, frame in read.pulse.frames.items():
            self.hunts[feed].begin(frame, self.verdicts.folded)
        self._under_way.append(read)

    def _end(self, read: Read) -> None:
        pulse = read.pulse
        steps = [step for feed, frame in pulse.frames.items() for step in self._decided(feed, frame)]
        steps += [self._released(feed, log, row) for feed, log, row in pulse.released]
        if not self.until_eof:
            steps += [self._unusable(problem) for problem in pulse.faults]
        self._cursor.update(read.cursors)
        rows = sum(len(frame) for frame in pulse.frames.values())
        self.stats.rows += rows
        self._since_snapshot += rows
        self._since_views += rows
        self._since_record += rows
        self._waiting += steps
        self._pulses += 1
        if self._awaited(steps) or (self._waiting and self._pulses >= TOGETHER):
            self._tell_agents()
        elif self._nudged():
            self._respond()
        self._now_and_then(busy=rows > 0)
        self.tell(self.stats)

    def _decided(self, feed: str, frame: Frame) -> list[Step]:
        self.orders[feed].add(frame.source)
        self.stats.clock = frame.clock[-1] if frame.clock else self.stats.clock
        steps = self.hunts[feed].end()
        self.stats.threats = sum(each.threats for each in self.hunts.values())
        return steps

    @staticmethod
    def _awaited(steps: Sequence[Step]) -> bool:
        """Whether somebody waits for one of these facts: for all but an entry of the ledger."""
        return any(not isinstance(step.draft.fact, BatchScored) for step in steps)

    def _tell_agents(self) -> None:
        self._record([])
        self._respond()

    def _record(self, steps: Sequence[Step]) -> None:
        """Record these steps, behind those that wait, and how far the feeds are."""
        steps = [*self._waiting, *steps]
        # the order of the merge, whatever feed a draft came from: sorting is stable, so a feed's own order stays
        drafts = [step.draft for step in sorted(steps, key=lambda step: step.order)]
        self.journal.append(drafts, progress=Progress(cursors=self._cursors()))
        self._waiting, self._pulses, self._since_record = [], 0, 0

    def _cursors(self) -> dict[str, Cursor]:
        return {feed: hunt.recorded(self._cursor[feed].body).to_cursor() for feed, hunt in self.hunts.items()}

    def _now_and_then(self, *, busy: bool) -> None:
        if time.monotonic() >= self._look_again:
            self._respond()
        if self.views is not None and (not busy or self._since_views >= self.pace.view_rows):
            self._since_views = 0
            self.views.catch_up()
        if not busy:
            self._rest()

    def _rest(self) -> None:
        """Nothing came for a moment: record how far everybody is, and do what is due."""
        self._waiting += [step for hunt in self.hunts.values() for step in hunt.idle()]
        if self._since_record or self._waiting:
            self._record([])
        self._settle()
        self.idle()

    def _news(self) -> bool:
        """Whether an agent has something to do although no rows came: answers, or facts that somebody else recorded."""
        read = min((agent.position for agent in self.agents), default=None)
        return self._nudged() or (read is not None and self.journal.wait(read, 0.0))

    def _nudged(self) -> bool:
        return any(agent.nudged() for agent in self.agents)

    def _respond(self) -> int:
        """Let the agents answer what is new; how many facts were handled or appended."""
        self._look_again = time.monotonic() + LOOK_AGAIN
        return sum(agent.catch_up() for agent in self.agents)

    def _settle(self) -> None:
        """Let the agents come to the end of what they tell one another, and record how far they have read."""
        for _ in range(ROUNDS):
            if not self._respond():
                break
        for agent in self.agents:
            agent.settle()

    def _snapshot(self) -> None:
        self._since_snapshot = 0
        self._record([])
        for feed, hunt in self.hunts.items():
            self.save(hunt, self._cursor[feed].body)
            self.orders[feed].begin(hunt.rows)
        trim()

    def _finish(self) -> None:
        self._go_on(None)
        steps: list[Step] = []
        for feed, hunt in self.hunts.items():
            if self.until_eof and not self.stopped:
                steps += hunt.finish()
                steps += hunt.close_entry(self.verdicts.folded())
                steps += [hunt.fault(fault) for fault in self._problems(feed)]
                steps.append(hunt.close())
        self._record(steps)
        self._respond()
        for agent in self.agents:
            agent.finish(PATIENCE if self.until_eof and not self.stopped else 0.0)
        self._settle()
        self._snapshot()
        if self.views is not None:
            self.views.catch_up()
        self.tell(self.stats)

    def _problems(self, feed: str) -> list[FeedFault]:
        return [
            FeedFault(feed=feed, log="", reason=UNUSABLE, row=number, sample=Path(problem.path).name, count=1)
            for number, problem in enumerate(p for p in self.telemetry.problems if p.feed == feed)
        ]

    def _unusable(self, problem: Problem) -> Step:
        """In a live run a file that cannot be used is said when it is found: the run has no end to say it at."""
        self.warn(f"feed {problem.feed}: {problem.message}")
        hunt = self.hunts[problem.feed]
        fault = FeedFault(feed=problem.feed, log="", reason=UNUSABLE, row=hunt.rows, sample=problem.log, count=1)
        return hunt.fault(fault)

    def _released(self, feed: str, log: str, row: int) -> Step:
        hunt = self.hunts[feed]
        return hunt.state(LogReleased(feed=feed, log=log, after_row=row), f"released|{log}|{row}")
