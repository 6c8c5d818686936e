"""The two fingerprints of the log: the chain over every stored byte, and the digest of what was decided. Pure.

Rules:
    1. `hash = SHA-256(previous hash, position, every other integer, length of every text and blob, then their bytes)`.
       Integers are 8 bytes, lengths 4, big endian: no two different rows have the same bytes. The first row's previous
       hash is 32 zero bytes.
    2. `digest = sum mod 2**256 of SHA-256(leaf)` over the decided facts (those not in `domain.events.SENSED`). A leaf
       holds stream, rank among the stream's decided facts, event id, kind, schema version, occurred_at, actor,
       causation, correlation, region, tags and body. So it depends on the order within each stream, and not on how
       streams were interleaved, nor on position, version, `recorded_at` or clock stamp, which only the moment decides.
    3. An empty log has head `00..00` and digest `00..00` (64 hex digits each).

Rows and the like are plain tuples, because a thousand of them are made and hashed in each commit.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from domain.events import SENSED
from domain.journal import Fingerprint

COLUMNS: Final = (
    ("position", int),
    ("version", int),
    ("rank", int),
    ("schema_version", int),
    ("occurred_at", int),
    ("recorded_at", int),
    ("event_id", bytes),
    ("stream", str),
    ("kind", str),
    ("actor", str),
    ("causation", bytes),
    ("correlation", bytes),
    ("region", str),
    ("clock", str),
    ("tags", str),
    ("body", bytes),
    ("hash", bytes),
)
"""Columns of a stored row, in order. `rank` counts the decided facts of the stream up to and with this row."""

NAMES: Final = ", ".join(name for name, _ in COLUMNS)

Unsealed: TypeAlias = tuple[int, int, int, int, int, int, bytes, str, str, str, bytes, bytes, str, str, str, bytes]
Row: TypeAlias = tuple[int, int, int, int, int, int, bytes, str, str, str, bytes, bytes, str, str, str, bytes, bytes]

GENESIS: Final = bytes(32)
MODULUS: Final = 1 << 256
_chain_header: Final = Struct(">6q10I").pack
_leaf_header: Final = Struct(">3q9I").pack


class Tail(NamedTuple):
    """The end of the log: what the next append goes on from."""

    position: int = 0
    events: int = 0
    head: bytes = GENESIS
    digest: int = 0

    def fingerprint(self) -> Fingerprint:
        """The same for people."""
        return Fingerprint(
            events=self.events, position=self.position, head=self.head.hex(), digest=f"{self.digest:064x}"
        )

    def extended(self, row: Row, leaf: int) -> Tail:
        """The end after one more row."""
        return Tail(row[0], self.events + 1, row[16], (self.digest + leaf) % MODULUS)


EMPTY: Final = Tail()


def seal(previous: bytes, row: Unsealed) -> tuple[bytes, int]:
    """Hash of a row that follows `previous`, and its summand of the digest (0 for a sensed fact).

    >>> seal(GENESIS, (1, 1, 1, 1, 0, 0, bytes(16), "s", "k", "a", b"", b"", "r", "", "[]", b"{}"))[0].hex()[:16]
    '6ecd4b8bca5d1fd7'
    """
    (position, version, rank, schema, occurred, recorded, event_id, stream_, kind_, actor_, causation, correlation,
     region_, clock_, tags_, body) = row  # fmt: skip
    stream, kind, actor, region = stream_.encode(), kind_.encode(), actor_.encode(), region_.encode()
    clock, tags = clock_.encode(), tags_.encode()
    common = b"".join((event_id, stream, kind, actor, causation, correlation, region, tags, body))
    sizes = (
        len(event_id),
        len(stream),
        len(kind),
        len(actor),
        len(causation),
        len(correlation),
        len(region),
        len(tags),
        len(body),
    )
    header = _chain_header(position, version, rank, schema, occurred, recorded, len(clock), *sizes)
    digest = sha256(b"".join((previous, header, clock, common))).digest()
    if kind_ in SENSED:
        return digest, 0
    leaf = sha256(_leaf_header(rank, schema, occurred, *sizes) + common).digest()
    return digest, int.from_bytes(leaf, "big")
