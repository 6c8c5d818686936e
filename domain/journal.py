"""The log as the rest of the house sees it: drafts in, recorded facts out, exactly once.

Rules:
    1. Appending a draft whose event id is already recorded returns the old position; with other bytes it is an error.
    2. All drafts, tracking positions and cursors of one `append` are recorded in one transaction, or none is.
    3. `expected` names the version a stream must have before the append; another version is a `Conflict`.
    4. Positions grow and never go back; they may have gaps (compare, never add one).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from domain.errors import MyrmidonError
from domain.events import Fact
from domain.values import Micros


class JournalError(MyrmidonError):
    """The log could not do what was asked."""


class Conflict(JournalError):  # noqa: N818 - the field's word
    """Another writer was faster: the stream is not at the expected version."""


class Contradiction(JournalError):  # noqa: N818 - says what it is
    """The same event id came again with other content: a replay gave another result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A fact on its way into the log. `occurred_at` is event time."""

    event_id: UUID
    stream: str
    fact: Fact
    occurred_at: Micros
    actor: str
    causation: UUID | None = None
    correlation: UUID | None = None
    region: str = "local"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A fact as the log holds it."""

    position: int
    event_id: UUID
    stream: str
    version: int
    fact: Fact
    occurred_at: Micros
    recorded_at: Micros
    actor: str
    causation: UUID | None
    correlation: UUID | None
    region: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """How many events, the head of the chain (hex), and the digest of the decided facts (hex)."""

    events: int
    position: int
    head: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Answer of a walk over the chain.

    Attributes:
        first_break: the first position that does not fit, or None.
        missing: first and last of the positions that were recorded and are not there any more, or None.
        unproven: why a checkpoint could not be held against the log, of which then only the chain is known; empty when
            it could, or none was given.
    """

    ok: bool
    events: int
    head: str
    first_break: int | None
    reason: str = ""
    missing: tuple[int, int] | None = None
    unproven: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The recorded position of a feed: `rows` of its merged order, and an opaque `body` (per-log offsets)."""

    rows: int = 0
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is recorded together with an append: positions of followers, cursors of feeds."""

    tracking: Mapping[str, int] = field(default_factory=dict)
    cursors: Mapping[str, Cursor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader looks at: facts of these kinds (None: of all), unless this actor recorded them."""

    kinds: frozenset[str] | None
    but_of: str


class Journal(Protocol):
    """Port of the log. One contract suite runs over every implementation."""

    @property
    def log_id(self) -> str:
        """Random identity of this log, made when it was created."""

    def append(
        self, drafts: Sequence[Draft], *, expected: Mapping[str, int] | None = None, progress: Progress | None = None
    ) -> list[int]:
        """Record `drafts` and `progress` in one transaction; returns a position for each draft.

        Raises:
            Conflict: a stream named in `expected` is at another version.
            Contradiction: an event id is known with other content.
        """

    def read(
        self, after: int = 0, limit: int = 1000, *, upto: int | None = None, wanted: Wanted | None = None
    ) -> list[Recorded]:
        """The first `limit` facts with position > `after` (and <= `upto`) that are `wanted`, in order."""

    def read_stream(self, stream: str, after: int = 0) -> list[Recorded]:
        """Facts of one stream with version > `after`, in order."""

    def find(self, event_id: UUID) -> Recorded | None:
        """The fact recorded under an id."""

    def version(self, stream: str) -> int:
        """Version of the stream's last fact; 0 when it has none."""

    def versions(self, streams: Iterable[str]) -> dict[str, int]:
        """`version` of several streams, with one question."""

    def tracked(self, follower: str) -> int:
        """Position up to which the follower has read; 0 at first."""

    def cursor(self, feed: str) -> Cursor:
        """The recorded cursor of a feed; empty at first."""

    def fingerprint(self) -> Fingerprint:
        """Counts and fingerprints as of now, in constant time."""

    def verify(self) -> Verification:
        """Walk the whole chain."""

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is a fact after `after` (whoever wrote it) or `timeout` seconds went by."""

    def close(self) -> None:
        """Let go of files and connections."""


def follow(journal: Journal, after: int = 0, *, upto: int | None = None, batch: int = 250) -> Iterator[list[Recorded]]:
    """Batches of recorded facts from `after` to the present end (or `upto`).

    The default fits the processor's cache: batches of 1,000 take an eighth longer.
    """
    while facts := journal.read(after, batch, upto=upto):
        yield facts
        after = facts[-1].position
