"""From drafts to rows: what one append will write, decided without touching a store. Pure.

Rules:
    1. A draft whose id is known writes nothing: its old position is the answer; other content is a `Contradiction`.
    2. A stream named in `expected` is checked unless every draft for it is a repetition (the first try was committed).
    3. Positions follow the tail without gaps, versions follow the head of their stream.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from adapters.log.chain import MODULUS, Row, Tail, Unsealed, seal
from adapters.log.codec import encode, encode_tags
from domain.events import SENSED, VERSIONS
from domain.journal import Conflict, Contradiction, Draft, JournalError

Content: TypeAlias = tuple[bytes, str, str, int, int, str, bytes, bytes, str, str, bytes]
"""What a draft says: event id, stream, kind, schema version, occurred_at, actor, causation, correlation, region, tags,
body. Two drafts with the same id must agree in all of it."""

Placed: TypeAlias = tuple[int, int, int, Content]
"""Position, version and rank of a content that is about to be written."""

Heads: TypeAlias = dict[str, tuple[int, int]]
"""Stream -> version and rank of its last row."""

Known: TypeAlias = dict[bytes, tuple[int, Content]]
"""Event id -> position and content of a recorded fact."""


class Plan(NamedTuple):
    """What an append writes: new rows, a position for each draft, the new tail, the heads that moved."""

    rows: list[Row]
    positions: list[int]
    tail: Tail
    heads: Heads


def content_of(draft: Draft) -> Content:
    """The columns that a draft decides."""
    kind = draft.fact.kind
    return (
        draft.event_id.bytes,
        draft.stream,
        kind,
        VERSIONS[kind],
        draft.occurred_at,
        draft.actor,
        draft.causation.bytes if draft.causation else b"",
        draft.correlation.bytes if draft.correlation else b"",
        draft.region,
        encode_tags(draft.tags),
        encode(draft.fact),
    )


def content_in(row: Row) -> Content:
    """The same columns of a stored row."""
    _, _, _, schema, occurred, _, event_id, stream, kind, actor, causation, correlation, region, _, tags, body, _ = row
    return event_id, stream, kind, schema, occurred, actor, causation, correlation, region, tags, body


def check_expected(expected: Mapping[str, int], contents: Sequence[Content], known: Known, heads: Heads) -> None:
    """Hold the streams against the versions that the writer expects.

    Raises:
        Conflict: a stream is at another version.
    """
    fresh = {content[1] for content in contents if content[0] not in known}
    repeated = {content[1] for content in contents} - fresh
    for stream in sorted(expected.keys() - repeated):
        version = heads.get(stream, (0, 0))[0]
        if version != expected[stream]:
            raise Conflict(
                f"stream {stream} is at version {version}, not {expected[stream]}: read it again and decide anew"
            )


def plan(contents: Sequence[Content], known: Known, heads: Heads, tail: Tail, recorded_at: int) -> Plan:
    """Rows for all drafts that are not known yet.

    Raises:
        Contradiction: an event id is known with other content.
    """
    placed: list[Placed] = []
    positions: list[int] = []
    moved: Heads = {}
    for content in contents:
        event_id, stream, kind = content[:3]
        if event_id in known:
            positions.append(_same(content, *known[event_id]))
            continue
        version, rank = moved.get(stream) or heads.get(stream) or (0, 0)
        moved[stream] = head = version + 1, rank + (kind not in SENSED)
        positions.append(tail.position + len(placed) + 1)
        known[event_id] = positions[-1], content
        placed.append((positions[-1], *head, content))
    sealed, tail = seal_all(placed, tail, recorded_at)
    return Plan(sealed, positions, tail, moved)


def seal_all(rows: Sequence[Placed], tail: Tail, recorded_at: int) -> tuple[list[Row], Tail]:
    """The sealed rows of contents that have got their place, and the end of the log after them."""
    sealed: list[Row] = []
    head, digest = tail.head, tail.digest
    for position, version, rank, content in rows:
        event_id, stream, kind, schema, occurred, actor, causation, correlation, region, tags, body = content
        row: Unsealed = (position, version, rank, schema, occurred, recorded_at, event_id, stream, kind, actor,
                         causation, correlation, region, "", tags, body)  # fmt: skip
        try:
            head, leaf = seal(head, row)
        except (struct.error, UnicodeError) as error:
            raise JournalError(f"a {kind} for stream {stream!r} cannot be stored: {error}") from error
        digest += leaf
        sealed.append((*row, head))
    return sealed, Tail(tail.position + len(rows), tail.events + len(rows), head, digest % MODULUS)


def _same(content: Content, position: int, old: Content) -> int:
    if content != old:
        raise Contradiction(
            f"event {UUID(bytes=content[0])} ({content[2]}) is recorded at position {position} with other content: "
            "the same cause gave another result"
        )
    return position
