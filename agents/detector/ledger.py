"""The ledger of a feed: what was received, in entries that the data alone delimits.

Rules:
    1. `cuts` says where an entry closes.
    2. received = scored + skipped + malformed, in every entry.
    3. Rows that could not be parsed are sampled into one `feed-fault` a log and reason, with their count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from agents.detector.decide import Versions
from agents.detector.policy import Policy
from domain.facts.telemetry import BatchScored, FeedFault, LogCursor
from domain.values import Micros

SAMPLE = 200
"""A faulty row is sampled with at most so many characters."""


@dataclass(slots=True, kw_only=True)
class Rows:
    """The columns of a run of rows that the ledger needs; all lists have the same length."""

    clock: list[Micros]
    status: list[str]
    source: list[str]
    size: list[int]
    late: list[bool]
    log: list[str]
    row: list[int]
    raw: list[bytes]


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The open entry of one feed, and how far the feed was consumed. Mutable: the shell's, never shared."""

    feed: str
    number: int = 1
    start: Micros | None = None
    clock: Micros = 0
    received: int = 0
    scored: int = 0
    malformed: int = 0
    late: int = 0
    skipped_by: dict[str, int] = field(default_factory=dict)
    faults: dict[tuple[str, str], tuple[int, str, int]] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)
    cursor: dict[str, tuple[int, int]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)

    def take(self, rows: Rows) -> None:
        """Count rows into the open entry."""
        if not rows.clock:
            return
        if self.start is None:
            self.start = rows.clock[0]
        self.clock = rows.clock[-1]
        self.received += len(rows.clock)
        self.raw.extend(rows.raw)
        self.late += sum(rows.late)
        cursor = self.cursor
        for source, size in zip(rows.source, rows.size, strict=True):
            count, total = cursor.get(source, (0, 0))
            cursor[source] = (count + 1, total + size)
        if not any(rows.status):
            self.scored += len(rows.clock)
            return
        for status, log, row, raw in zip(rows.status, rows.log, rows.row, rows.raw, strict=True):
            self._count(status, log, row, raw)

    def _count(self, status: str, log: str, row: int, raw: bytes) -> None:
        verdict, _, reason = status.partition(": ")
        if not status:
            self.scored += 1
        elif verdict == "malformed":
            self.malformed += 1
            first, sample, count = self.faults.get(
                (log, reason), (row, raw[:SAMPLE].decode("utf-8", "backslashreplace"), 0)
            )
            self.faults[log, reason] = (first, sample, count + 1)
        else:
            self.skipped_by[reason] = self.skipped_by.get(reason, 0) + 1

    def counts(self) -> dict[str, int]:
        """What the open entry has counted so far."""
        return {
            "received": self.received,
            "scored": self.scored,
            "skipped": sum(self.skipped_by.values()),
            "malformed": self.malformed,
            "late": self.late,
        }

    def close(self, policy: Policy, versions: Versions, folded: int) -> list[BatchScored | FeedFault]:
        """The facts of the open entry, and a new empty one in its place. Nothing when no row came."""
        if not self.received:
            return []
        counts = self.counts()
        entry = BatchScored(
            feed=self.feed,
            number=self.number,
            cursor=tuple(
                LogCursor(log=source, rows=rows, size=size) for source, (rows, size) in sorted(self.cursor.items())
            ),
            rows_sha256=sha256(b"".join(row + b"\n" for row in self.raw)).hexdigest(),
            **counts,
            skipped_by=dict(sorted(self.skipped_by.items())),
            watermark=self.clock,
            model_version=versions.model,
            rules_version=versions.rules,
            settings_version=versions.settings,
            folded=folded,
            score_quantiles=quantiles(self.scores),
            candidates=len(self.candidates),
            candidates_sha256=sha256("\n".join(self.candidates).encode()).hexdigest(),
        )
        faults = [
            FeedFault(feed=self.feed, log=log, reason=reason, row=row, sample=sample, count=count)
            for (log, reason), (row, sample, count) in sorted(self.faults.items())[: policy.fault_reasons]
        ]
        self._begin(counts)
        return [entry, *faults]

    def _begin(self, counts: dict[str, int]) -> None:
        self.totals = {name: self.totals.get(name, 0) + count for name, count in counts.items()}
        self.number += 1
        self.start = None
        self.received = self.scored = self.malformed = self.late = 0
        self.skipped_by, self.faults = {}, {}
        self.raw, self.scores, self.candidates = [], [], []


def quantiles(scores: list[float]) -> tuple[float, ...]:
    """Minimum, quartiles and maximum by the nearest rank; empty when there is no score.

    >>> quantiles([0.4, 0.1, 0.3, 0.2, 0.5])
    (0.1, 0.2, 0.3, 0.4, 0.5)
    """
    if not scores:
        return ()
    ordered = sorted(scores)
    last = len(ordered) - 1
    return tuple(ordered[round(last * part / 4)] for part in range(5))
