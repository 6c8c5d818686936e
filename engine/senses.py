"""Some behaviours, and perhaps the anomaly side, over one stream of rows: the pipeline's share in one process.

Rules:
    1. Rows are judged one after the other: where a frame ends changes nothing, nor does a dump and load in between.
    2. Late rows reach the anomaly side, which knows what to do with them; they change no window of a behaviour.
    3. A dump is a part for each behaviour, by its name, and one for the anomaly side: so a state does not care in which
       process its part was at work.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, Final, Protocol

import msgspec

from domain.sighting import Sighting
from domain.values import KINDS, Micros
from engine.behaviours import Behaviour
from engine.behaviours.watch import spans
from engine.frame import COLUMNS, Frame
from engine.pieces import pieces
from engine.sensed import Judged, Sensed

FAST: Final = 1
"""zlib level of a dump: it is written often and read seldom."""

PIECE: Final = 1 << 18
"""Bytes of a part that are compressed at once."""

ANOMALY: Final = "anomaly"

RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
"""Sightings of one row come in the order of the closed list of kinds."""

NO_MODEL: Final = "none"

Parts = dict[str, bytes]


class Anomaly(Protocol):
    """The shape of the anomaly side."""

    @property
    def version(self) -> str:
        """Version of the model that votes now."""

    @property
    def evicted(self) -> dict[str, int]:
        """What was forgotten or left out for want of room."""

    def sense(self, frame: Frame) -> Sensed:
        """Sightings, notices and scores of the rows of a frame."""

    def learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> Sensed:
        """Learn from verdicts; gives what became true by them."""

    def count(self, row: int, at: Micros) -> Sensed:
        """At the end of a feed: how the voters voted."""

    def pieces(self) -> Iterator[bytes]:
        """The whole state, piece by piece."""

    def load(self, state: bytes) -> None:
        """Go on from these pieces, joined."""


class Senses:
    """See the rules above. `closing` is the time, us, that a closing report takes (limits.closing_seconds)."""

    def __init__(self, behaviours: Sequence[Behaviour], anomaly: Anomaly | None, closing: Micros) -> None:
        self._behaviours = list(behaviours)
        self._anomaly = anomaly
        self._closing = closing

    @property
    def model_version(self) -> str:
        """Version of the anomaly model that votes now."""
        return self._anomaly.version if self._anomaly else NO_MODEL

    @property
    def evicted(self) -> dict[str, int]:
        """What was forgotten or left out for want of room so far: by each behaviour, and by the anomaly side."""
        found = {behaviour.name: behaviour.evicted for behaviour in self._behaviours}
        found |= self._anomaly.evicted if self._anomaly else {}
        return {name: count for name, count in sorted(found.items()) if count}

    def sense(self, frame: Frame) -> Sensed:
        """What the rows of the frame show; all are rows to be scored."""
        # cut once for all: a behaviour cuts where it is asked for longer than a closing report takes
        parts = spans(_on_time(frame), self._closing)
        found = [sighting for behaviour in self._behaviours for part in parts for sighting in behaviour.sense(part)]
        sensed = self._anomaly.sense(frame) if self._anomaly else Sensed()
        sensed.sightings = in_order([*found, *sensed.sightings])
        return sensed

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """At the end of a feed: what the behaviours saw and did not tell yet."""
        return in_order([sighting for behaviour in self._behaviours for sighting in behaviour.finish(row, at)])

    def learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> Sensed:
        """What people said of sightings, learned right after row `row`."""
        return self._anomaly.learn(verdicts, row, at) if self._anomaly else Sensed()

    def count(self, row: int, at: Micros) -> Sensed:
        """At the end of a feed, right after row `row`: how the voters voted since the last count."""
        return self._anomaly.count(row, at) if self._anomaly else Sensed()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of a dump."""
        return (*(behaviour.name for behaviour in self._behaviours), *((ANOMALY,) if self._anomaly else ()))

    def dump(self, part: str) -> Iterator[bytes]:
        """One part of the working state, piece by piece: the whole at once would be the peak of the memory."""
        packer = zlib.compressobj(FAST)
        for piece in self._pieces(part):
            for at in range(0, len(piece), PIECE):
                packed = packer.compress(memoryview(piece)[at : at + PIECE])
                if packed:
                    yield packed
        yield packer.flush()

    def _pieces(self, part: str) -> Iterator[bytes]:
        if part == ANOMALY and self._anomaly:
            yield from self._anomaly.pieces()
            return
        [behaviour] = (behaviour for behaviour in self._behaviours if behaviour.name == part)
        yield from pieces(behaviour.dump())

    def load(self, parts: Parts) -> None:
        """Go on exactly where all parts were dumped; parts of others are passed over.

        Raises:
            LookupError: a part is missing.
            zlib.error, msgspec.MsgspecError: a part is damaged.
        """
        states = [_unpacked(parts[behaviour.name]) for behaviour in self._behaviours]
        anomaly = zlib.decompress(parts[ANOMALY]) if self._anomaly else b""
        for behaviour, state in zip(self._behaviours, states, strict=True):
            behaviour.load(state)
        if self._anomaly:
            self._anomaly.load(anomaly)


def in_order(sightings: list[Sighting]) -> list[Sighting]:
    """By row, then by kind; sorting is stable: what one behaviour says of a row keeps its order."""
    return sorted(sightings, key=lambda sighting: (sighting.row, RANK[sighting.kind]))


def _unpacked(data: bytes) -> Any:
    return msgspec.msgpack.decode(zlib.decompress(data))


def _on_time(frame: Frame) -> Frame:
    """The rows that are not late."""
    if not any(frame.late):
        return frame
    keep = [not late for late in frame.late]
    return Frame(**{name: list(compress(getattr(frame, name), keep)) for name in COLUMNS})
