"""A feed read again: the rows that were taken before a crash, in the order in which they were taken.

Rules:
    1. The order is told (runs of rows by log) as far as it was written down; where it was not, rows come as the merge
       gives them, each log up to the number of rows that were taken of it.
    2. Logs are found by their identity, whatever their files are called now.
    3. Rows that are gone are passed over: who reads again counts what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from pathlib import Path

from adapters.feeds.discover import discover, siblings
from adapters.feeds.errors import FeedError
from adapters.feeds.inorder import chunks_of
from adapters.feeds.log import Log
from adapters.feeds.logs import open_log
from adapters.feeds.merge import Run
from adapters.feeds.spec import FeedSpec
from adapters.feeds.tail import Tail
from adapters.feeds.telemetry import Feed, Telemetry, open_telemetry
from domain.values import HOUR, Micros
from engine.frame import COLUMNS, Frame

BATCH = 1000


def read_in_order(
    spec: FeedSpec,
    *,
    resume: bytes,
    order: Iterable[tuple[str, int]],
    recorded: bytes = b"",
    lateness_us: Micros = HOUR,
) -> Iterator[Frame]:
    """Frames of a feed from the cursor `resume` on, its rows in the order that `order` (log, number of rows) tells.

    `recorded` is the cursor up to which rows were taken.
    """
    feed = Feed(spec, Tail(spec, follow=False))
    feed.restore(resume)
    logs = _identified(spec, feed, chunks_of(recorded))
    try:
        runs: list[tuple[int, Run]] = []
        size = 0
        for source, count in order:
            for run in _rows(logs.get(source), count):
                runs.append((0, run))
                size += len(run.block)
            if size >= BATCH:
                yield feed.frame(runs, lateness_us)
                runs, size = [], 0
        if runs:
            yield feed.frame(runs, lateness_us)
    finally:
        for log in logs.values():
            log.close()


def read_merged(
    spec: FeedSpec,
    *,
    resume: bytes,
    consumed: Mapping[str, int],
    seen: Mapping[str, int],
    recorded: bytes = b"",
) -> Iterator[Frame]:
    """Frames of a feed from the cursor `resume` on as the merge orders them, until every log has given what it gave.

    `consumed` tells how many rows were taken of each log in all, `seen` how many had been taken at `resume`; `recorded`
    is the cursor up to which they were.
    """
    counts = dict(seen)
    owed = sum(max(0, rows - counts.get(source, 0)) for source, rows in consumed.items())
    telemetry: Telemetry = open_telemetry(
        [spec],
        follow=False,
        batch_rows=BATCH,
        resume={spec.name: resume} if resume else {},
        chunks=chunks_of(recorded),
    )
    try:
        for pulse in telemetry.pulses():
            for frame in pulse.frames.values():
                keep = []
                for source in frame.source:
                    counts[source] = counts.get(source, 0) + 1
                    keep.append(counts[source] <= consumed.get(source, 0))
                owed -= sum(keep)
                if any(keep):
                    yield frame if all(keep) else _only(frame, keep)
            if owed <= 0:
                return
    finally:
        telemetry.close()


def _only(frame: Frame, keep: list[bool]) -> Frame:
    return Frame(**{name: list(compress(getattr(frame, name), keep)) for name in COLUMNS})


def _identified(spec: FeedSpec, feed: Feed, chunks: Mapping[str, tuple[int, ...]]) -> dict[str, Log]:
    """The logs of the feed by identity; of two files that hold the same log, the one with more rows left is read."""
    try:
        paths = discover(spec)
    except FeedError:
        paths = []
    path = Path(spec.path)
    if not path.is_dir():
        paths = [*paths, *(p for p in siblings(path) if p not in paths)]
    logs: dict[str, Log] = {}
    for found in paths:
        try:
            log = open_log(spec, found, feed.known, final=True, chunks=chunks)
            ready = log.fill()
        except (FeedError, OSError):
            continue
        if not log.source or (log.source in logs and not ready):
            log.close()
            continue
        if log.source in logs:
            logs[log.source].close()
        logs[log.source] = log
    return logs


def _rows(log: Log | None, count: int) -> Iterator[Run]:
    while log is not None and count:
        try:
            ready = log.fill()
        except FeedError:
            return
        if not ready:
            return
        block = log.take(min(len(log.block), log.at + count))
        count -= len(block)
        yield Run(log, block)
