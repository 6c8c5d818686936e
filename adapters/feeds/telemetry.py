"""The feeds of a run as one stream of micro-batches.

Rules:
    1. A pulse holds rows of one or more feeds; where one pulse ends and the next begins means nothing.
    2. Every row that was read is in a frame, once; `cursor` says where a feed stands after the last pulse.
    3. A file that cannot be used is a `Problem`; the others go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.feeds.block import PART, Block
from adapters.feeds.clock import JumpClock
from adapters.feeds.discover import siblings
from adapters.feeds.errors import FeedError, Problem
from adapters.feeds.log import Log, Saved
from adapters.feeds.logs import TextLog, open_log
from adapters.feeds.merge import Merge, Run
from adapters.feeds.spec import FeedSpec, check_names
from adapters.feeds.tail import Tail
from domain.journal import Cursor
from domain.values import HOUR, Micros
from engine.frame import Frame

POLL: Final = 0.05
BEAT: Final = 0.5
HANDLES: Final = 200
"""Files of a feed up to which each keeps its handle open."""
FORGET: Final = 512
"""Finished logs whose files are gone and that a cursor still names when following."""


@dataclass(slots=True, kw_only=True)
class Pulse:
    """Rows by feed, files that turned out unusable, and idle logs (feed, log, after_row) that were released."""

    frames: dict[str, Frame] = field(default_factory=dict)
    faults: list[Problem] = field(default_factory=list)
    released: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Feed:
    """A feed while it is read: its files, its logs, its clock and the number of its rows."""

    spec: FeedSpec
    tail: Tail
    rows: int = 0
    clock: JumpClock = field(default_factory=JumpClock)
    logs: list[Log] = field(default_factory=list)
    known: dict[str, Saved] = field(default_factory=dict)
    opened: dict[str, Log] = field(default_factory=dict)
    copies: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    last: float = 0.0

    def restore(self, body: bytes) -> None:
        """Go on from the body of a cursor."""
        if body:
            self.rows, clock, self.known = msgspec.msgpack.decode(body)
            self.clock = JumpClock(*clock)

    def frame(self, runs: Sequence[tuple[int, Run]], lateness: Micros) -> Frame:
        """The frame of a pulse's runs, each with the run's first place in the order."""
        block = runs[0][1].block if len(runs) == 1 else Block()
        order: list[int] = []
        for place, run in runs:
            if run.block is not block:
                block.join(run.block)
            order.extend(range(place, place + len(run.block)))
        columns: dict[str, Any] = dict(zip(PART, block.columns, strict=True))
        clock = self.clock.run(block.stamps)
        late = [
            ts < now - lateness and not status
            for ts, now, status in zip(columns["ts"], clock, columns["status"], strict=True)
        ]
        row = list(range(self.rows + 1, self.rows + len(block) + 1))
        self.rows += len(block)
        frame = Frame(order=order, row=row, clock=clock, late=late, **columns)
        frame.arrays.update(block.arrays)
        return frame


class Telemetry:
    """See the rules above; made by `open_telemetry`."""

    def __init__(
        self,
        specs: Sequence[FeedSpec],
        *,
        follow: bool,
        batch_rows: int,
        batch_wait: float,
        idle_release: float,
        resume: dict[str, bytes],
        lateness_us: Micros,
        monotonic: Callable[[], float],
        chunks: Mapping[str, tuple[int, ...]] | None,
    ) -> None:
        check_names(specs)
        self.problems: list[Problem] = []
        self.unfinished: list[str] = []
        """What stands in files behind the last row: a line that is still being written."""
        self._follow = follow
        self._sort, self._chunks = not follow and chunks is None, chunks or {}
        self._batch_rows, self._poll = batch_rows, max(POLL, batch_wait)
        self._idle_release, self._lateness = idle_release, lateness_us
        self._monotonic = monotonic
        self._stopped = threading.Event()
        self._faults: list[Problem] = []
        self._feeds = {
            spec.name: Feed(spec, Tail(spec, follow=follow), last=monotonic())
            for spec in sorted(specs, key=lambda s: s.name)
        }
        self._merge = Merge(trouble=self._trouble, done=self._done)
        for name, feed in self._feeds.items():
            feed.restore(resume.get(name, b""))
        self._order = sum(feed.rows for feed in self._feeds.values())
        for feed in self._feeds.values():
            self._begin(feed)

    def pulses(self) -> Iterator[Pulse]:
        """Pulses until the end of the input, or until `stop` when following (then an empty one at every beat)."""
        beat = self._monotonic()
        while not self._stopped.is_set():
            pulse = self._pulse()
            now = self._monotonic()
            if pulse.frames or pulse.faults or pulse.released or (self._follow and now - beat >= BEAT):
                beat = now
                yield pulse
            elif not self._follow:
                return
            else:
                self._stopped.wait(self._poll)

    def stop(self) -> None:
        """End `pulses` after the present one."""
        self._stopped.set()

    def cursor(self, feed: str) -> Cursor:
        """Where a feed stands after the last pulse: enough to go on exactly there."""
        state = self._feeds[feed]
        for log in state.logs:
            if log.source and state.opened.get(log.source) is log:
                state.known[log.source] = log.saved()
        body = msgspec.msgpack.encode((state.rows, state.clock.state, state.known))
        return Cursor(rows=state.rows, body=body)

    def received(self, feed: str) -> int:
        """Rows of a feed so far, earlier runs included."""
        return self._feeds[feed].rows

    def quiet_since(self, feed: str) -> float:
        """Seconds since a feed's last row, or since the opening."""
        return self._monotonic() - self._feeds[feed].last

    def close(self) -> None:
        """Let go of all files."""
        for feed in self._feeds.values():
            for log in feed.logs:
                log.close()

    def _pulse(self) -> Pulse:
        now = self._monotonic()
        runs = self._merge.gather(self._batch_rows, now)
        released: list[tuple[str, str, int]] = []
        if not runs and self._follow:
            self._look_around(now)
            runs = self._merge.gather(self._batch_rows, now)
        if not runs and self._follow:
            released = [self._released(log) for log in self._merge.release(now, self._idle_release)]
        by_feed: dict[str, list[tuple[int, Run]]] = {}
        for run in runs:
            by_feed.setdefault(run.log.spec.name, []).append((self._order + 1, run))
            self._order += len(run.block)
        frames = {name: self._feeds[name].frame(by_feed[name], self._lateness) for name in sorted(by_feed)}
        for name in frames:
            self._feeds[name].last = self._monotonic()
        faults, self._faults = self._faults, []
        return Pulse(frames=frames, faults=faults, released=released)

    def _released(self, log: Log) -> tuple[str, str, int]:
        return (log.spec.name, log.source or log.kind, self._feeds[log.spec.name].rows)

    def _begin(self, feed: Feed) -> None:
        if self._follow:
            self._find_rotated(feed)
            feed.tail.ignore_siblings()
        self._open_new(feed)

    def _look_around(self, now: float) -> None:
        for feed in self._feeds.values():
            self._open_new(feed)
            for log in feed.logs:
                feed.tail.watch(log, now)
        for log in self._merge.idle():
            if isinstance(log, TextLog) and log.lines.cut:
                self._restart(self._feeds[log.spec.name], log)
            self._merge.look_again(log, now)

    def _restart(self, feed: Feed, log: TextLog) -> None:
        if log.source:
            feed.known[log.source] = log.saved()
            feed.opened.pop(log.source, None)
            for inode in feed.copies.pop(log.source, []):
                feed.tail.again(inode)
        log.restart()

    def _open_new(self, feed: Feed) -> None:
        try:
            paths = feed.tail.new_files()
        except FeedError as error:
            self._report(feed, feed.spec.path, str(error))
            return
        for path in paths:
            self._open(feed, path, keep=self._follow or len(paths) <= HANDLES)

    def _open(self, feed: Feed, path: Path, *, keep: bool = True) -> None:
        try:
            log = open_log(
                feed.spec, path, feed.known, final=not self._follow, keep=keep, sort=self._sort,
                chunks=self._chunks,
            )  # fmt: skip
        except FeedError as error:
            feed.tail.failed(path)
            self._report(feed, str(path), str(error))
            return
        feed.logs.append(log)
        feed.tail.opened(log)
        log.claim = self._claim
        self._merge.add(log, self._monotonic())

    def _claim(self, log: Log) -> bool:
        """Whether a log, now that its identity is known, is to be read: not if another file of this run holds it."""
        feed = self._feeds[log.spec.name]
        other = feed.opened.setdefault(log.source, log)
        if other is log:
            return True
        if self._follow and other.ended:
            feed.opened[log.source] = log
            log.again = True
            return True
        if self._follow and log.lines is not None:
            feed.copies.setdefault(log.source, []).append(log.lines.inode)
        if not self._follow:
            self._report(feed, str(log.path), f"{log.path}: holds the same log as {other.path}; it was read once")
        return False

    def _done(self, log: Log) -> None:
        feed = self._feeds[log.spec.name]
        if log.source and feed.opened.get(log.source) is log:
            feed.known[log.source] = log.saved()
            feed.copies.pop(log.source, None)
        if log.lines is not None and log.lines.left:
            left = f"its last {log.lines.left:,} bytes are a line without its end; it is read once it is all there"
            self.unfinished.append(f"{log.path}: {left}")
        feed.tail.finished(log)
        log.retire()
        feed.logs.remove(log)
        if self._follow:
            for source in list(feed.known)[:-FORGET]:
                if source not in feed.opened or feed.opened[source].ended:
                    del feed.known[source]
                    feed.opened.pop(source, None)

    def _trouble(self, log: Log, error: FeedError) -> None:
        self._report(self._feeds[log.spec.name], str(log.path), str(error))

    def _report(self, feed: Feed, path: str, message: str) -> None:
        problem = Problem(feed=feed.spec.name, path=path, log=Path(path).name, message=message)
        if problem not in self.problems:
            self.problems.append(problem)
            self._faults.append(problem)

    def _find_rotated(self, feed: Feed) -> None:
        """After a restart: read on in what a rotation made of a single file's log in the meantime."""
        path = Path(feed.spec.path)
        if not feed.known or path.is_dir() or any(mark in feed.spec.path for mark in "*?["):
            return
        found: list[Path] = []
        newest = 0
        for candidate in siblings(path):
            try:
                log = open_log(feed.spec, candidate, {}, final=True)
                log.fill()
                if log.source in feed.known:
                    found.append(candidate)
                    newest = max(newest, candidate.stat().st_mtime_ns)
                log.close()
            except (FeedError, OSError):
                continue
        if found:
            found += [p for p in siblings(path) if p not in found and p.stat().st_mtime_ns > newest]
        for candidate in sorted(found):
            self._open(feed, candidate)


def open_telemetry(
    specs: Sequence[FeedSpec],
    *,
    follow: bool,
    batch_rows: int = 1000,
    batch_wait: float = 0.01,
    idle_release: float = 60.0,
    resume: dict[str, bytes] | None = None,
    lateness_us: Micros = HOUR,
    monotonic: Callable[[], float] = time.monotonic,
    chunks: Mapping[str, tuple[int, ...]] | None = None,
) -> Telemetry:
    """Open the feeds of a run, each from where its cursor's body in `resume` says.

    `chunks` is given to read again what was read before: by log, where the chunks that were sorted ended (see
    `inorder`).

    Raises:
        UsageError: two feeds have one name.
    """
    return Telemetry(
        specs,
        follow=follow,
        batch_rows=batch_rows,
        batch_wait=batch_wait,
        idle_release=idle_release,
        resume=resume or {},
        lateness_us=lateness_us,
        monotonic=monotonic,
        chunks=chunks,
    )
