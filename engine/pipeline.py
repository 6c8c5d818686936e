"""The pipeline: a frame goes in; what the behaviours and the anomaly model sense comes out, in row order.

Rules:
    1. Rows are judged one after the other: where a frame ends changes nothing, nor does a dump and load in between.
    2. Rows with a status are not judged. Late rows reach the anomaly side, which knows what to do with them; they
       change no window of a behaviour.
    3. Sightings are ordered by row, and those of one row by the order of the behaviours; the anomaly model comes last.
    4. What is over is told once more with its totals: by the first row some minutes later, or by `finish`.
    5. A dump holds the whole working state. It belongs to one version of the rules: another version refuses it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import sha256
from itertools import compress
from typing import Any, ClassVar, Final, Protocol

import msgspec

from domain.errors import MyrmidonError
from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND, Micros
from engine.behaviours import BEHAVIOURS, Behaviour, all_behaviours
from engine.behaviours.watch import spans
from engine.frame import COLUMNS, Frame
from engine.sensed import Sensed

FAST: Final = 1
"""zlib level of a dump: it is written often and read seldom."""


class StateRefused(MyrmidonError):  # noqa: N818 - says what it is
    """A dumped state cannot be used: it is damaged, or other rules wrote it."""


class Anomaly(Protocol):
    """The shape of the anomaly side."""

    @property
    def version(self) -> str:
        """Version of the model that votes now."""

    def begin(self, frame: Frame) -> None:
        """Hand over the rows of a frame."""

    def finish(self) -> Sensed:
        """Sightings, notices and scores of the rows that were handed over."""

    def close(self) -> None:
        """Let go of what it holds."""

    def dump(self) -> bytes:
        """The whole state."""

    def load(self, state: bytes) -> None:
        """Go on from what `dump` gave."""


class Pipeline:
    """All that senses, behind one door."""

    READS: ClassVar[frozenset[str]] = frozenset().union(*(behaviour.reads for behaviour in BEHAVIOURS))
    """Log types that a detection reads; rows of the others are counted as skipped."""

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        seed: int = 0,
        behaviours: Sequence[Behaviour] | None = None,
        anomaly: Anomaly | None = None,
    ) -> None:
        self._behaviours = list(all_behaviours(thresholds) if behaviours is None else behaviours)
        self._closing = thresholds.limits.closing_seconds * SECOND
        self._anomaly = anomaly or _default_anomaly(thresholds, seed)
        names = "|".join(f"{behaviour.name}:{behaviour.version}" for behaviour in self._behaviours)
        self.rules_version = sha256(names.encode()).hexdigest()[:16]

    @property
    def model_version(self) -> str:
        """Version of the anomaly model that votes now."""
        return self._anomaly.version

    @property
    def evicted(self) -> int:
        """Entities that the behaviours had to forget for want of room."""
        return sum(behaviour.evicted for behaviour in self._behaviours)

    def sense(self, frame: Frame) -> Sensed:
        """What the rows of the frame show."""
        frame = frame.scored()
        if not len(frame):
            return Sensed()
        # the anomaly side may work beside us, in a process of its own
        self._anomaly.begin(frame)
        # cut once for all: a behaviour cuts where it is asked for longer than a closing report takes
        parts = spans(_on_time(frame), self._closing)
        found = [sighting for behaviour in self._behaviours for part in parts for sighting in behaviour.sense(part)]
        sensed = self._anomaly.finish()
        # a stable sort: sightings of one row keep the order of the behaviours
        sensed.sightings = sorted([*found, *sensed.sightings], key=lambda sighting: sighting.row)
        return sensed

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """At the end of a feed: what the behaviours saw and did not tell yet, in their order.

        Args:
            row: number of the feed's last row.
            at: the feed's clock there.
        """
        return [sighting for behaviour in self._behaviours for sighting in behaviour.finish(row, at)]

    def close(self) -> None:
        """Let go of the anomaly side's process, if it has one."""
        self._anomaly.close()

    def dump(self) -> bytes:
        """The whole working state."""
        # part by part: the whole state in plain would be the peak of the process's memory
        parts = [_packed(behaviour.dump()) for behaviour in self._behaviours]
        return msgspec.msgpack.encode((self.rules_version, parts, _packed(self._anomaly.dump())))

    def load(self, data: bytes) -> None:
        """Go on exactly where `dump` was called.

        Raises:
            StateRefused: the state is damaged or of another version of the rules.
        """
        try:
            version, parts, packed = msgspec.msgpack.decode(data, type=tuple[str, list[bytes], bytes])
            states = [_unpacked(part) for part in parts]
            anomaly = _unpacked(packed)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise StateRefused(
                "working state: cannot be read; remove the snapshot to rebuild it from the feed"
            ) from error
        if version != self.rules_version or len(states) != len(self._behaviours):
            raise StateRefused(
                f"working state: written by rules {version}, these are {self.rules_version}; "
                "remove the snapshot to rebuild it from the feed"
            )
        for behaviour, state in zip(self._behaviours, states, strict=True):
            behaviour.load(state)
        self._anomaly.load(anomaly)


def _packed(state: Any) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(state), FAST)


def _unpacked(data: bytes) -> Any:
    return msgspec.msgpack.decode(zlib.decompress(data))


def _on_time(frame: Frame) -> Frame:
    """The rows that are not late."""
    if not any(frame.late):
        return frame
    keep = [not late for late in frame.late]
    return Frame(**{name: list(compress(getattr(frame, name), keep)) for name in COLUMNS})


def _default_anomaly(thresholds: Thresholds, seed: int) -> Anomaly:
    # numpy and the forest are imported only by who senses: `status` must not pay for them
    from engine.models.anomaly import AnomalyDetector
    from engine.models.training import begin_apart

    return AnomalyDetector(thresholds.anomaly, thresholds.local_networks, seed, begin_apart)
