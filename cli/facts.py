"""Recorded facts as other tools read them: for `audit log`, and with what the chain is made of for `audit export`.

Rules:
    1. `told` is a fact with its envelope: moments in RFC 3339, ids as text.
    2. `exported` adds under `stored` what the row's hash covers and `told` shows in another form, and the hash of the
       row before: whoever has these lines can compute the chain anew without this program (docs/export.md).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from domain.moments import rfc3339

if TYPE_CHECKING:
    from adapters.log.base import ChainedLog
    from adapters.log.chain import Row
    from domain.journal import Recorded

MOMENTS: Final = frozenset({"first_seen", "last_seen", "watermark", "ts", "at"})
"""Fields of facts that are moments, beside those that end in `_at`."""

PAGE: Final = 250
"""Facts that are in memory at a time."""


def told(recorded: Recorded, row: Row) -> dict[str, Any]:
    """A recorded fact as other tools read it."""
    import msgspec

    return {
        "position": recorded.position,
        "event_id": str(recorded.event_id),
        "stream": recorded.stream,
        "version": recorded.version,
        "kind": recorded.fact.kind,
        "schema_version": row[3],
        "occurred_at": timed(recorded.occurred_at, "occurred_at"),
        "recorded_at": rfc3339(recorded.recorded_at),
        "actor": recorded.actor,
        "causation": str(recorded.causation) if recorded.causation else None,
        "correlation": str(recorded.correlation) if recorded.correlation else None,
        "region": recorded.region,
        "clock": row[13],
        "tags": list(recorded.tags),
        "hash": row[16].hex(),
        "fact": timed(msgspec.to_builtins(recorded.fact)),
    }


def exported(recorded: Recorded, row: Row, previous: bytes) -> dict[str, Any]:
    """The same with what its hash is made of; `previous` is the hash of the row before."""
    stored = {
        "rank": row[2],
        "occurred_at": row[4],
        "recorded_at": row[5],
        "tags": row[14],
        "body": b64encode(row[15]).decode(),
    }
    return {**told(recorded, row), "previous": previous.hex(), "stored": stored}


def lines(journal: ChainedLog) -> Iterator[bytes]:
    """The whole log up to its present end, a line of JSON a fact, page by page."""
    from adapters.log.chain import GENESIS

    end, after, previous = journal.fingerprint().position, 0, GENESIS
    while page := journal.stored(after, PAGE, upto=end):
        for recorded, row in page:
            yield json.dumps(exported(recorded, row, previous), allow_nan=False).encode() + b"\n"
            after, previous = recorded.position, row[16]


def timed(value: Any, name: str = "") -> Any:
    """The value of a field with all moments in it in RFC 3339; null for a moment that the feed's clock had not yet.

    >>> timed({"watermark": 0, "flows": [{"ts": 1, "src_port": 1}]})
    {'watermark': None, 'flows': [{'ts': '1970-01-01T00:00:00.000001Z', 'src_port': 1}]}
    """
    if isinstance(value, dict):
        return {key: timed(each, key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [timed(each, name) for each in value]
    if isinstance(value, int) and (name in MOMENTS or name.endswith("_at")):
        return rfc3339(value) if value else None
    return value
