"""Facts of `feed/<name>` and `baseline/<profile>`: what was read, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCursor:
    """How far one log was consumed, after the merge.

    Attributes:
        log: the log's identity: its type and the SHA-256 of its first data row (never a path or an inode).
        rows: data rows consumed.
        size: uncompressed bytes consumed, header and comments included.
    """

    log: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOpened:
    """A feed was opened for the first time (a restart goes on under the same fact)."""

    kind: ClassVar[str] = "feed-opened"
    decided: ClassVar[bool] = True
    feed: str
    source: str
    settings_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchScored:
    """The ledger of a feed: closed by row count or event time, never by the wall clock.

    Counts are of this batch; `received = scored + skipped + malformed`, late rows are among the scored.
    `skipped_by` holds the reasons. `folded` is the log position up to which verdicts and settings were folded when
    the *next* batch began. `candidates_sha256` names the stored list of sightings of half a threshold and more.
    """

    kind: ClassVar[str] = "batch-scored"
    decided: ClassVar[bool] = True
    feed: str
    number: int
    cursor: tuple[LogCursor, ...]
    rows_sha256: str
    received: int
    scored: int
    skipped: int
    malformed: int
    late: int
    skipped_by: dict[str, int]
    watermark: Micros
    model_version: str
    rules_version: str
    settings_version: str
    folded: int
    score_quantiles: tuple[float, ...]
    candidates: int
    candidates_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvicted:
    """Something was forgotten or left out for want of room: totals up to ledger entry `number`, by whom."""

    kind: ClassVar[str] = "state-evicted"
    decided: ClassVar[bool] = True
    feed: str
    number: int
    totals: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReleased:
    """An idle live log no longer holds back the merge of its feed."""

    kind: ClassVar[str] = "log-released"
    decided: ClassVar[bool] = True
    feed: str
    log: str
    after_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFault:
    """Something of a feed could not be used: `count` rows for `reason`, one of them as a sample."""

    kind: ClassVar[str] = "feed-fault"
    decided: ClassVar[bool] = True
    feed: str
    log: str
    reason: str
    row: int
    sample: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedClosed:
    """A feed was read to its end; totals run on across restarts."""

    kind: ClassVar[str] = "feed-closed"
    decided: ClassVar[bool] = True
    feed: str
    received: int
    scored: int
    skipped: int
    malformed: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineLearned:
    """The warm-up of a profile ended: `hosts` can be judged against their own past from here on."""

    kind: ClassVar[str] = "baseline-learned"
    decided: ClassVar[bool] = True
    profile: str
    windows: int
    hosts: int
    model_version: str
