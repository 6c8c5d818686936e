"""Back to where a crash left a feed: rebuild the working state, decide nothing twice.

Rules:
    1. The log's cursor is the truth: every decision up to it is recorded, none after it.
    2. A snapshot is the working state at some earlier cursor (or there is none: then the feed is read from its start).
    3. Rows between snapshot and cursor are sensed again for their effect on the state, in the order in which they were
       taken (`state/<feed>.order`; without it, as the merge orders them); what they would decide is dropped.
    4. What the log knows is taken from the log, not derived again: threats that go on, ledger entries and totals.
    5. Rows of that stretch that are gone are a gap: counted, recorded as a fault; row numbers go on after it.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

import msgspec

from adapters.artifacts import write_whole
from agents.detector import decide as detector
from domain.events import Fact
from domain.facts.model import ModelRetired
from domain.facts.operation import ModelTrained, RulesLoaded
from domain.facts.telemetry import BatchScored, FeedClosed, FeedFault, FeedOpened
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.journal import Cursor, Journal, JournalError, follow
from domain.journal import Recorded as RecordedFact
from domain.values import Micros

MAGIC: Final = b"myrmidon-state-6\n"
CHANGED: Final = "changed: rows that were read again after a restart are not those that were decided on"
GAP: Final = "gap: rows between the last snapshot and the crash can no longer be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The position of a feed as the log holds it: rows by log, totals, and what the telemetry needs to go on there."""

    rows: int = 0
    consumed: dict[str, tuple[int, int]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    resume: bytes = b""

    def to_cursor(self) -> Cursor:
        """As the log stores it: JSON, so that `status` reads the totals with the standard library alone."""
        body = {
            "totals": self.totals,
            "consumed": self.consumed,
            "resume": b64encode(self.resume).decode(),
        }
        return Cursor(rows=self.rows, body=json.dumps(body).encode())

    @classmethod
    def of(cls, feed: str, cursor: Cursor) -> Recorded:
        """From a cursor of the log.

        Raises:
            JournalError: the cursor is not one that this version writes.
        """
        if not cursor.body:
            return cls()
        try:
            body = json.loads(cursor.body)
            consumed = {source: (rows, size) for source, (rows, size) in body["consumed"].items()}
            return cls(rows=cursor.rows, consumed=consumed, totals=body["totals"], resume=b64decode(body["resume"]))
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"the cursor of feed {feed} cannot be read ({error}): it was written by another version; "
                "use another --home"
            ) from None


@dataclass(slots=True, kw_only=True)
class History:
    """What the log says of one feed.

    Attributes:
        opened, source: event id of its `feed-opened` and the kind of feed it was opened as.
        closings: numbers of the rows after which ledger entries closed.
        hashes: the SHA-256 of the rows of each of these entries.
        ends: numbers of the rows after which the feed came to its end.
        number: of the next ledger entry.
        clock: of the feed where the last entry closed.
        state: threats that may go on.
        folds: up to which log position each of these entries folded what people said.
        rules: numbers of the rows from behind which a rule set was in force, and the artifact that holds it.
        faults: what was wrong with the last of them.
        models: the models that vote, by name.
    """

    opened: UUID | None = None
    source: str = ""
    closings: list[int] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)
    number: int = 1
    rows: int = 0
    clock: Micros = 0
    threats: int = 0
    state: detector.State = field(default_factory=detector.State)
    rules: list[tuple[int, str]] = field(default_factory=list)
    faults: tuple[str, ...] = ()
    models: dict[str, ModelTrained] = field(default_factory=dict)


def histories(journal: Journal, feeds: Sequence[str]) -> dict[str, History]:
    """One walk over the log for all feeds of a run."""
    found = {feed: History() for feed in feeds}
    owner: dict[UUID, str] = {}
    for facts in follow(journal):
        for recorded in facts:
            fact = recorded.fact
            feed = _feed_of(recorded, owner)
            history = found.get(feed)
            if history is None:
                continue
            if isinstance(fact, ThreatDetected):
                owner[fact.threat] = feed
            _fold(history, recorded.event_id, fact)
    return found


def _feed_of(recorded: RecordedFact, owner: dict[UUID, str]) -> str:
    match recorded.fact:
        case ThreatContinued(threat=threat):
            return owner.get(threat, "")
        case ModelTrained(model=model) | ModelRetired(model=model):
            return recorded.stream.removeprefix("model/").removesuffix(f".{model}")
        case fact:
            return getattr(fact, "feed", "")


def _fold(history: History, event: UUID, fact: Fact) -> None:
    match fact:
        case FeedOpened():
            history.opened, history.source = event, fact.source
        case BatchScored():
            _closed(history, fact)
        case FeedClosed():
            history.ends.add(fact.received)
        case RulesLoaded():
            history.rules.append((fact.row, fact.sha256))
            history.faults = fact.errors
        case ModelTrained() | ModelRetired():
            history.models.pop(fact.model, None)
            history.models |= {fact.model: fact} if isinstance(fact, ModelTrained) else {}
        case FeedFault():
            history.rows += fact.count if fact.reason == GAP else 0
        case ThreatDetected():
            history.threats += 1
            history.state = detector.evolve(history.state, fact)
        case ThreatContinued():
            history.state = detector.evolve(history.state, fact)
        case _:
            pass


def _closed(history: History, entry: BatchScored) -> None:
    history.rows += entry.received
    history.closings.append(history.rows)
    history.folds.append(entry.folded)
    history.hashes.append(entry.rows_sha256)
    history.number = entry.number + 1
    history.clock = entry.watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The working state of a feed after `rows` rows, and what the telemetry needs to go on there."""

    rows: int = 0
    resume: bytes = b""
    state: bytes = b""


def save_snapshot(path: Path, rows: int, resume: bytes, state: Iterable[bytes]) -> None:
    """Write a snapshot so that a crash leaves the old or the new one; the state comes in pieces, its digest last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _sealed(msgspec.msgpack.encode([rows, resume]), state))


def _sealed(head: bytes, state: Iterable[bytes]) -> Iterator[bytes]:
    digest = sha256(head)
    yield MAGIC + len(head).to_bytes(4, "big") + head
    for piece in state:
        digest.update(piece)
        yield piece
    yield digest.digest()


def load_snapshot(path: Path) -> Snapshot | None:
    """The snapshot in a file; None when there is none or it is damaged (the state is then rebuilt from the feed)."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    at = len(MAGIC) + 4
    end = at + int.from_bytes(data[len(MAGIC) : at], "big")
    head, state = data[at:end], data[end:-32]
    digest = sha256(head)
    digest.update(state)
    if not data.startswith(MAGIC) or digest.digest() != data[-32:]:
        return None
    rows, resume = msgspec.msgpack.decode(head)
    return Snapshot(rows=rows, resume=resume, state=state)


class OrderBook:
    """The order in which rows of a feed were taken since its last snapshot: runs of (log, rows), appended to a file.

    It is written before the cursor that covers the rows, and handed to the kernel at once: a killed process loses none
    of it. After a power cut its end may be missing; the rows are then ordered by the merge.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def begin(self, rows: int) -> None:
        """Start anew behind a snapshot of `rows` rows."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, [_framed(msgspec.msgpack.encode(rows))])
        self._file = self._path.open("ab", buffering=0)

    def add(self, sources: Iterable[str]) -> None:
        """Note the logs that the next rows come from."""
        if self._file is not None:
            runs = [(source, sum(1 for _ in rows)) for source, rows in groupby(sources)]
            self._file.write(_framed(msgspec.msgpack.encode(runs)))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def load_order(path: Path, begin: int, end: int) -> list[tuple[str, int]] | None:
    """The runs that took the rows from `begin` to `end`; None when the file does not reach back to `begin`."""
    try:
        records = list(_unframed(path.read_bytes()))
    except OSError:
        return None
    if not records or records[0] > begin:
        return None
    skip, room = begin - records[0], end - begin
    runs: list[tuple[str, int]] = []
    for source, count in (run for record in records[1:] for run in record):
        passed = min(skip, count)
        taken = min(room, count - passed)
        skip, room = skip - passed, room - taken
        if taken:
            runs.append((source, taken))
    return runs


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _unframed(data: bytes) -> Iterator[Any]:
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        if len(body) < size:
            return  # the write that a crash cut short
        yield msgspec.msgpack.decode(body)
        at += 4 + size


def order_path(snapshot: Path) -> Path:
    """Where the order behind a snapshot is written."""
    return snapshot.with_name(snapshot.name + os.extsep + "order")
