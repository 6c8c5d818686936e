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

from adapters.log.chain import Row, Tail, Unsealed, seal
from adapters.log.codec import decode, decode_tags, decode_uuid, encode, encode_tags
from domain.events import SENSED, VERSIONS
from domain.journal import Conflict, Contradiction, Draft, JournalError, Recorded

Content: TypeAlias = tuple[bytes, str, str, int, int, str, bytes, bytes, str, str, bytes]
"""What a draft says: event id, stream, kind, schema version, occurred_at, actor, causation, correlation, region, tags,
body. Two drafts with the same id must agree in all of it."""

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


def recorded_of(row: Row) -> Recorded:
    """A stored row as the house sees it."""
    (position, version, _, schema, occurred, recorded, event_id, stream, kind, actor, causation, correlation, region, _,
     tags, body, _) = row  # fmt: skip
    return Recorded(
        position=position,
        event_id=UUID(bytes=event_id),
        stream=stream,
        version=version,
        fact=decode(kind, schema, body),
        occurred_at=occurred,
        recorded_at=recorded,
        actor=actor,
        causation=decode_uuid(causation),
        correlation=decode_uuid(correlation),
        region=region,
        tags=decode_tags(tags),
    )


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
    made = Plan([], [], tail, {})
    moved = made.heads
    for content in contents:
        event_id, stream = content[:2]
        if event_id in known:
            made.positions.append(_same(content, *known[event_id]))
            continue
        version, rank = moved.get(stream) or heads.get(stream, (0, 0))
        moved[stream] = version + 1, rank + (content[2] not in SENSED)
        tail = _add(made, tail, content, moved[stream], recorded_at)
        known[event_id] = tail.position, content
    return made._replace(tail=tail)


def row_after(tail: Tail, content: Content, head: tuple[int, int], recorded_at: int) -> tuple[Row, Tail]:
    """The sealed row of `content` at the end of the log, and the end after it; `head` is its version and rank."""
    event_id, stream, kind, schema, occurred, actor, causation, correlation, region, tags, body = content
    unsealed: Unsealed = (tail.position + 1, *head, schema, occurred, recorded_at, event_id, stream, kind, actor,
                          causation, correlation, region, "", tags, body)  # fmt: skip
    try:
        digest, leaf = seal(tail.head, unsealed)
    except (struct.error, UnicodeError) as error:
        raise JournalError(f"a {kind} for stream {stream!r} cannot be stored: {error}") from error
    row: Row = (*unsealed, digest)
    return row, tail.extended(row, leaf)


def _add(made: Plan, tail: Tail, content: Content, head: tuple[int, int], recorded_at: int) -> Tail:
    row, tail = row_after(tail, content, head, recorded_at)
    made.rows.append(row)
    made.positions.append(tail.position)
    return tail


def _same(content: Content, position: int, old: Content) -> int:
    if content != old:
        raise Contradiction(
            f"event {UUID(bytes=content[0])} ({content[2]}) is recorded at position {position} with other content: "
            "the same cause gave another result"
        )
    return position
