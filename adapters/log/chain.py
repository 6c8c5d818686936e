"""The two fingerprints of the log: the chain over every stored byte, and the digest of what was decided. Pure.

Rules:
    1. The *decided bytes* of a row: rank, schema version, occurred_at (8 bytes each), the lengths (4 bytes each) of
       event id, stream, kind, actor, causation, correlation, region, tags and body, then these nine. Big endian; two
       different rows never have the same bytes.
    2. `hash = SHA-256(previous hash, position, version, recorded_at, length of the clock stamp, clock stamp, decided
       bytes)`: every column and every stored byte. The first row's previous hash is 32 zero bytes.
    3. `digest = sum mod 2**256 of SHA-256(decided bytes)` over the decided facts (those not in
       `domain.events.SENSED`). The rank among the decided facts of its stream makes it depend on the order within
       each stream; it does not depend on how streams were interleaved, nor on what only the moment decides:
       position, version, `recorded_at` and clock stamp.
    4. An empty log has head `00..00` and digest `00..00` (64 hex digits each).

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
_moment_header: Final = Struct(">3qI").pack
_decided_header: Final = Struct(">3q9I").pack


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
    'bbd6300c49aff6ca'
    """
    (position, version, rank, schema, occurred, recorded, event_id, stream_, kind_, actor_, causation, correlation,
     region_, clock_, tags_, body) = row  # fmt: skip
    stream, kind, actor, region = stream_.encode(), kind_.encode(), actor_.encode(), region_.encode()
    clock, tags = clock_.encode(), tags_.encode()
    sizes = _decided_header(rank, schema, occurred, len(event_id), len(stream), len(kind), len(actor), len(causation),
                            len(correlation), len(region), len(tags), len(body))  # fmt: skip
    decided = b"".join((sizes, event_id, stream, kind, actor, causation, correlation, region, tags, body))
    header = _moment_header(position, version, recorded, len(clock))
    digest = sha256(b"".join((previous, header, clock, decided))).digest()
    leaf = 0 if kind_ in SENSED else int.from_bytes(sha256(decided).digest(), "big")
    return digest, leaf
