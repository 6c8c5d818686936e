"""What every log does the same way, over whichever store: the port `domain.journal.Journal` on seven primitives.

Rules:
    1. One writer at a time: the store's transaction holds the write lock from reading the tail to the commit.
    2. The first try of an append trusts that its drafts are new, and asks nothing: a unique index and the expected
       versions are its guard. Only when one of them objects, the second try looks the ids up (a repeated append).
    3. Heads of streams are kept between appends for as long as the tail shows that nobody else has written.
    4. Followers never go back, nor do cursors: an older position than the recorded one is a `Conflict`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import AbstractContextManager
from threading import Lock
from typing import Protocol
from uuid import UUID

from adapters.collector import collector_paused
from adapters.log.chain import EMPTY, Row, Tail, seal
from adapters.log.plan import Content, Heads, Known, Plan, check_expected, content_of, plan
from adapters.log.reading import Shown, recorded_all
from adapters.log.watch import Watch
from domain.journal import (
    Conflict,
    Cursor,
    Draft,
    Fingerprint,
    JournalError,
    Progress,
    Recorded,
    Verification,
    Wanted,
)
from domain.values import Micros

HEADS_KEPT = 30_000
FORMAT = 1
"""Layout of the stored tables."""


class Repeated(JournalError):  # noqa: N818 - says what it is
    """A row with this event id or this stream and version is there already."""


class Unreadable(JournalError):  # noqa: N818 - says what it is
    """A stored row cannot even be read."""


class Damaged(JournalError):  # noqa: N818 - says what it is
    """The store is damaged where no row stands: all of them could be read."""


class Transaction(Protocol):
    """A write transaction that holds the log's write lock."""

    def tail(self) -> Tail:
        """The end of the log."""

    def heads(self, streams: Sequence[str]) -> Heads:
        """Version and rank of the last row of each stream that has one."""

    def known(self, event_ids: Sequence[bytes]) -> Known:
        """Which of the ids are recorded, where, and with what."""

    def insert(self, rows: Sequence[Row], tail: Tail) -> None:
        """Write rows and the new tail."""

    def track(self, follower: str, position: int) -> bool:
        """Move a follower on; False when it is further already."""

    def move(self, feed: str, cursor: Cursor) -> bool:
        """Move a feed's cursor on; False when it is further already."""


class ChainedLog(ABC):
    """A journal on a store that can lock, insert and select."""

    def __init__(self, now: Callable[[], Micros], watch: Watch) -> None:
        self._now = now
        self._watch = watch
        self._writing = Lock()
        self._heads: Heads = {}
        self._heads_at = -1

    # The store.

    @property
    @abstractmethod
    def log_id(self) -> str:
        """Random identity of this log, made when it was created."""

    @abstractmethod
    def _begin(self) -> AbstractContextManager[Transaction]:
        """A write transaction: committed at the end, rolled back by any exception."""

    @abstractmethod
    def _snapshot(self) -> AbstractContextManager[tuple[Tail, Iterator[Row]]]:
        """The end and all rows in order, as of one moment."""

    @abstractmethod
    def _rows(self, after: int, limit: int, upto: int | None, wanted: Wanted | None) -> Iterable[Shown]: ...

    @abstractmethod
    def _rows_of(self, stream: str, after: int) -> Iterable[Shown]: ...

    @abstractmethod
    def _row(self, event_id: bytes) -> Shown | None: ...

    @abstractmethod
    def _tail(self) -> Tail: ...

    @abstractmethod
    def _heads_of(self, streams: Sequence[str]) -> Heads:
        """Version and rank of the last row of each stream that has one."""

    @abstractmethod
    def tracked(self, follower: str) -> int:
        """Position up to which the follower has read; 0 at first."""

    @abstractmethod
    def cursor(self, feed: str) -> Cursor:
        """The recorded cursor of a feed; empty at first."""

    # Writing.

    def append(
        self, drafts: Sequence[Draft], *, expected: Map[str, int] | None = None, progress: Progress | None = None
    ) -> list[int]:
        """Record `drafts` and `progress` in one transaction; returns a position for each draft.

        Raises:
            Conflict: a stream named in `expected`, or a follower or feed in `progress`, is elsewhere.
            Contradiction: an event id is known with other content.
        """
        contents = [content_of(draft) for draft in drafts]
        steps = progress or Progress()
        with self._writing:
            try:
                return self._record(contents, expected or {}, steps, look_up=False)
            except (Conflict, Repeated):
                return self._record(contents, expected or {}, steps, look_up=True)

    def _record(
        self, contents: Sequence[Content], expected: Map[str, int], progress: Progress, *, look_up: bool
    ) -> list[int]:
        with self._begin() as transaction:
            tail = transaction.tail()
            heads = self._heads_for(transaction, tail, {content[1] for content in contents} | expected.keys())
            known = transaction.known([content[0] for content in contents]) if look_up else {}
            check_expected(expected, contents, known, heads)
            made = plan(contents, known, heads, tail, self._now())
            if made.rows:
                transaction.insert(made.rows, made.tail)
            _advance(transaction, progress)
        self._committed(made)
        return made.positions

    def _heads_for(self, transaction: Transaction, tail: Tail, streams: set[str]) -> Heads:
        if self._heads_at != tail.position or len(self._heads) > HEADS_KEPT:
            self._heads, self._heads_at = {}, tail.position
        unknown = sorted(stream for stream in streams if stream not in self._heads)  # `-` would walk all that are kept
        if unknown:
            self._heads |= dict.fromkeys(unknown, (0, 0)) | (transaction.heads(unknown) if tail.position else {})
        return self._heads

    def _committed(self, made: Plan) -> None:
        self._heads |= made.heads
        self._heads_at = made.tail.position
        self._watch.tell(made.tail.position)

    # Reading.

    def read(
        self, after: int = 0, limit: int = 1000, *, upto: int | None = None, wanted: Wanted | None = None
    ) -> list[Recorded]:
        """The first `limit` facts with position > `after` (and <= `upto`) that are `wanted`, in order."""
        with collector_paused():
            return recorded_all(self._rows(after, limit, upto, wanted))

    def read_stream(self, stream: str, after: int = 0) -> list[Recorded]:
        """Facts of one stream with version > `after`, in order."""
        with collector_paused():
            return recorded_all(self._rows_of(stream, after))

    def find(self, event_id: UUID) -> Recorded | None:
        """The fact recorded under an id."""
        row = self._row(event_id.bytes)
        return recorded_all([row])[0] if row else None

    def version(self, stream: str) -> int:
        """Version of the stream's last fact; 0 when it has none."""
        return self.versions((stream,))[stream]

    def versions(self, streams: Iterable[str]) -> dict[str, int]:
        """`version` of several streams, with one question."""
        asked = list(streams)
        found = self._heads_of(asked) if asked else {}
        return {stream: found.get(stream, (0, 0))[0] for stream in asked}

    def fingerprint(self) -> Fingerprint:
        """Counts and fingerprints as of now, in constant time."""
        return self._tail().fingerprint()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is a fact after `after` (whoever wrote it) or `timeout` seconds went by."""
        return self._watch.wait(after, timeout)

    def close(self) -> None:
        """Let go of files and connections."""
        self._watch.close()

    # Verifying.

    def verify(self) -> Verification:
        """Walk the whole chain."""
        return self.audit()[0]

    def audit(self, at: int | None = None) -> tuple[Verification, Fingerprint | None]:
        """Walk the whole chain; also gives the fingerprint as it was at position `at` (None: no such position)."""
        seen, mark, reason, damage = EMPTY, None, "", ""
        with self._snapshot() as (tail, rows):
            try:
                for row in rows:
                    digest, leaf = seal(seen.head, row[:-1])
                    if digest != row[-1] or row[0] != seen.position + 1:
                        reason = _misfit(row[0], seen.position + 1)
                        break
                    seen = seen.extended(row, leaf)
                    if seen.position == at:
                        mark = seen.fingerprint()
            except (Unreadable, AttributeError, TypeError, UnicodeError) as error:
                reason = f"the row cannot be read: {error}"
            except Damaged as error:
                damage = f"the rows fit their hashes, but the store is damaged beside them: {error}"
        return _verdict(seen, tail, reason, damage), mark


def identity(row: tuple[int, str], where: object) -> str:
    """The log's id, if this release can read the log."""
    written, log_id = row
    if written != FORMAT:
        raise JournalError(f"log {where} has format {written}, this release reads {FORMAT}: use the one that wrote it")
    return log_id


def _advance(transaction: Transaction, progress: Progress) -> None:
    for follower, position in sorted(progress.tracking.items()):
        if not transaction.track(follower, position):
            raise Conflict(f"follower {follower} has read beyond {position} already: is it running twice?")
    for feed, cursor in sorted(progress.cursors.items()):
        if not transaction.move(feed, cursor):
            raise Conflict(f"feed {feed} has been read beyond row {cursor.rows} already: is it running twice?")


def _misfit(position: int, due: int) -> str:
    if position > due:
        return f"{positions(due, position - 1)} missing, or moved, in the middle of the log"
    return "the row does not fit its hash or its place in the chain: it was changed after it was recorded"


def positions(first: int, last: int) -> str:
    """Positions as the subject of a sentence.

    >>> positions(4, 4), positions(1000, 2001)
    ('position 4 is', 'positions 1,000 to 2,001 (1,002 facts) are')
    """
    return (
        f"position {first:,} is"
        if first == last
        else f"positions {first:,} to {last:,} ({last - first + 1:,} facts) are"
    )


def _verdict(seen: Tail, tail: Tail, reason: str, damage: str) -> Verification:
    first_break: int | None = seen.position + 1 if reason else None
    missing = None
    if not reason and seen.position < tail.position:
        first_break = seen.position + 1
        missing = first_break, tail.position
        reason = f"{positions(*missing)} missing: the end of the log was cut off after it was recorded"
    elif not reason and seen.position > tail.position:
        reason, first_break = f"rows were added behind the recorded end {tail.position}", tail.position + 1
    elif not reason and seen.head != tail.head:
        reason, first_break = "the recorded head is not the hash of the last row", seen.position
    elif not reason and seen != tail:
        reason = "the recorded count or digest is not that of the rows"
    reason = reason or damage
    return Verification(
        ok=not reason,
        events=seen.events,
        head=seen.head.hex(),
        first_break=first_break,
        reason=reason,
        missing=missing,
    )
