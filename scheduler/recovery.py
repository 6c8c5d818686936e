"""Back to where a crash left a feed: rebuild the working state, append nothing twice.

Rules:
    1. The log's cursor is the truth: every decision up to it is recorded, none after it.
    2. A snapshot is the working state at some earlier cursor (or there is none: then the feed is read from its start).
    3. Rows between snapshot and cursor are sensed again for their effect on the state; what they decide is dropped.
    4. Rows of that stretch that are gone are a gap: counted, recorded as a fault, and the row numbers go on after it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from adapters.artifacts import write_whole
from domain.journal import Cursor
from engine.frame import Frame

MAGIC = b"myrmidon-state-1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The working state of a feed and the cursor it belongs to."""

    resume: bytes
    state: bytes


def wrap_cursor(cursor: Cursor, rows: int, consumed: dict[str, tuple[int, int]], totals: dict[str, int]) -> Cursor:
    """A feed's cursor for the log: how to resume it, the rows consumed of each of its logs, and its totals.

    The body is JSON, so that `status` reads the totals with the standard library alone.
    """
    body = {
        "totals": totals,
        "consumed": {source: position[0] for source, position in consumed.items()},
        "resume": b64encode(cursor.body).decode(),
    }
    return Cursor(rows=rows, body=json.dumps(body).encode())


def unwrap_cursor(cursor: Cursor) -> dict[str, int]:
    """Rows consumed of each log, from a cursor of the log."""
    return dict(json.loads(cursor.body)["consumed"]) if cursor.body else {}


def save_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot so that a crash leaves the old or the new one."""
    body = msgspec.msgpack.encode([snapshot.resume, snapshot.state])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, MAGIC + sha256(body).digest() + body)


def load_snapshot(path: Path) -> Snapshot | None:
    """The snapshot in a file; None when there is none or it is damaged (the state is then rebuilt from the feed)."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, body = data[len(MAGIC) : len(MAGIC) + 32], data[len(MAGIC) + 32 :]
    if not data.startswith(MAGIC) or sha256(body).digest() != digest:
        return None
    parts: list[Any] = msgspec.msgpack.decode(body)
    return Snapshot(resume=parts[0], state=parts[1])


@dataclass(slots=True, kw_only=True)
class Recovery:
    """How much of the recorded stretch of one feed has been seen again."""

    recorded: dict[str, int]
    recorded_rows: int
    seen: dict[str, int] = field(default_factory=dict)
    seen_rows: int = 0
    over: bool = False
    missing: int = 0

    def split(self, frame: Frame) -> int:
        """Number of leading rows of the frame that were recorded before the crash; notices when that stretch ends."""
        if self.over:
            return 0
        for index, source in enumerate(frame.source):
            count = self.seen.get(source, 0)
            if count >= self.recorded.get(source, 0):
                self.finish()
                return index
            self.seen[source] = count + 1
            self.seen_rows += 1
        if self.seen_rows >= self.recorded_rows:
            self.finish()
        return len(frame)

    def finish(self) -> None:
        """The stretch is over: what is missing of it is a gap."""
        self.over = True
        self.missing = max(0, self.recorded_rows - self.seen_rows)

    def gap(self) -> int:
        """Number of rows that are gone; told once."""
        missing, self.missing = self.missing, 0
        return missing
