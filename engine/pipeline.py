"""The pipeline: a frame goes in; what the behaviours and the anomaly model sense comes out, in row order.

Rules:
    1. Rows are judged one after the other: where a frame ends changes nothing, nor does a dump and load in between, nor
       in which of two processes a behaviour works.
    2. Rows with a status are not judged.
    3. Sightings are ordered by row, and those of one row by their kind, in the order of the closed list.
    4. What is over is told once more with its totals: by the first row some minutes later, or by `finish`.
    5. A dump holds the whole working state. It belongs to one version of the rules: another version refuses it.
    6. Frames, verdicts and the end of a feed can be begun before what was begun earlier is ended: answers come in that
       order, and are the same as one by one. So the other process works on while its last answer is made use of.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import ClassVar, NamedTuple

import msgspec

from domain.errors import MyrmidonError
from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import SECOND, Micros
from engine.behaviours import BEHAVIOURS, Behaviour, all_behaviours
from engine.behaviours.places import Places
from engine.beside import Beside, share
from engine.features.table import VERSION as FEATURES_VERSION
from engine.frame import Frame
from engine.rules.ruleset import RuleSet
from engine.rules.watch import RuleWatch
from engine.sensed import Judged, Sensed
from engine.senses import Anomaly, Senses, in_order


class _Begun(NamedTuple):
    """What this process made of something, and whether the other one has an answer to it too."""

    here: Sensed
    away: bool
    evicted: dict[str, int]


class StateRefused(MyrmidonError):  # noqa: N818 - says what it is
    """A dumped state cannot be used: it is damaged, or other rules wrote it."""


class Pipeline:
    """All that senses, behind one door. `beside` takes half of the work to a process of its own."""

    READS: ClassVar[frozenset[str]] = frozenset().union(*(behaviour.reads for behaviour in BEHAVIOURS))
    """Log types that the behaviours read."""

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        seed: int = 0,
        behaviours: Sequence[Behaviour] | None = None,
        anomaly: Anomaly | None = None,
        beside: Beside | None = None,
        rules: RuleSet | None = None,
    ) -> None:
        every = list(all_behaviours(thresholds) if behaviours is None else behaviours)
        self._names = "|".join(f"{behaviour.name}:{behaviour.version}" for behaviour in every)
        self._rules = RuleWatch(rules or RuleSet(), thresholds, Places(thresholds.local_networks))
        self._beside = beside
        self._begun: deque[_Begun] = deque()
        self._evicted: dict[str, int] = {}
        closing = thresholds.limits.closing_seconds * SECOND
        if beside is not None:
            self._here = Senses([*share(thresholds, beside=False), self._rules], None, closing)
        else:
            anomaly = anomaly or _default_anomaly(thresholds, seed)
            self._here = Senses([*every, self._rules], anomaly, closing)

    @property
    def rules_version(self) -> str:
        """Version of all that decides beside the models: the behaviours, the features and the rule set."""
        rules = f"{self._rules.name}:{self._rules.version}:{self.rules.version}"
        return sha256(f"{self._names}|features:{FEATURES_VERSION}|{rules}".encode()).hexdigest()[:16]

    @property
    def rules(self) -> RuleSet:
        """The rule set in force."""
        return self._rules.ruleset

    @property
    def reads(self) -> frozenset[str]:
        """Log types that a detection reads now; rows of the others are counted as skipped."""
        return self.READS | self._rules.reads

    def swap_rules(self, ruleset: RuleSet, row: int, at: Micros) -> list[Sighting]:
        """Go on with another rule set from the next row on; what rules that are gone did not tell yet is told.

        Args:
            ruleset: the new rules.
            row: number of the feed's last row.
            at: the feed's clock there.
        """
        return self._rules.swap(ruleset, row, at)

    @property
    def model_version(self) -> str:
        """Version of the anomaly model that votes after what was ended last."""
        return self._beside.model_version if self._beside else self._here.model_version

    @property
    def evicted(self) -> dict[str, int]:
        """What had to be forgotten or left out for want of room, by whom, after what was ended last."""
        return self._evicted

    def sense(self, frame: Frame) -> Sensed:
        """What the rows of the frame show."""
        self.begin(frame)
        return self.end()

    def learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> Sensed:
        """`begin_learn` and its end."""
        self.begin_learn(verdicts, row, at)
        return self.end()

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """`begin_finish` and its end."""
        self.begin_finish(row, at)
        return self.end().sightings

    def begin(self, frame: Frame) -> None:
        """Let the rows of a frame be judged; `end` gives what they show."""
        frame = frame.scored()
        away = self._beside is not None and len(frame) > 0
        if self._beside is not None and away:
            self._beside.begin(frame)
        self._begin(self._here.sense(frame) if len(frame) else Sensed(), away=away)

    def begin_learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> None:
        """Learn from what people said of sightings; `end` gives what became true by it.

        Args:
            verdicts: in the order in which they were given.
            row: number of the feed's last row.
            at: the feed's clock there.
        """
        if self._beside is not None:
            self._beside.begin_learn(verdicts, row, at)
            self._begin(Sensed(), away=True)
        else:
            self._begin(self._here.learn(verdicts, row, at), away=False)

    def begin_finish(self, row: int, at: Micros) -> None:
        """At the end of a feed; `end` gives what the behaviours saw and did not tell yet, and how the voters voted.

        Args:
            row: number of the feed's last row.
            at: the feed's clock there.
        """
        if self._beside is not None:
            self._beside.begin_finish(row, at)
        here = Sensed(sightings=self._here.finish(row, at), notices=self._here.count(row, at).notices)
        self._begin(here, away=self._beside is not None)

    def end(self) -> Sensed:
        """What came of what was begun first and not ended yet."""
        here, away, evicted = self._begun.popleft()
        there = self._beside.end() if self._beside is not None and away else None
        self._evicted = evicted | (self._beside.evicted if self._beside else {})
        if there is None:
            return here
        there.sightings = in_order([*here.sightings, *there.sightings])
        return there

    def _begin(self, here: Sensed, *, away: bool) -> None:
        self._begun.append(_Begun(here, away, self._here.evicted))

    def close(self) -> None:
        """Let go of the other process, if there is one."""
        if self._beside:
            self._beside.close()

    def dump(self) -> bytes:
        """The whole working state; everything that was begun is ended."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """`dump` piece by piece: (version of the rules, names of the parts), then the pieces of each part in turn.

        Each has its length in front; behind the last piece of a part stands an empty one.
        """
        assert not self._begun, "what was begun is not part of the state"  # noqa: S101 - an invariant of the caller
        there = self._beside.parts if self._beside else ()
        names = sorted((*self._here.parts, *there))
        yield _framed(msgspec.msgpack.encode((self.rules_version, names)))
        for name in names:
            pieces = self._beside.dump(name) if self._beside and name in there else self._here.dump(name)
            yield from map(_framed, pieces)
            yield _framed(b"")

    def load(self, data: bytes) -> None:
        """Go on exactly where `dump` was called.

        Raises:
            StateRefused: the state is damaged or of another version of the rules.
        """
        try:
            frames = _frames(data)
            version, names = msgspec.msgpack.decode(next(frames, b""), type=tuple[str, list[str]])
        except msgspec.MsgspecError as error:
            raise _unreadable() from error
        if version != self.rules_version:
            raise StateRefused(
                f"working state: written by rules {version}, these are {self.rules_version}; "
                "remove the snapshot to rebuild it from the feed"
            )
        parts = {name: b"".join(iter(partial(next, frames, b""), b"")) for name in names}
        try:
            self._here.load(parts)
            if self._beside:
                self._beside.load(parts)
        except (LookupError, zlib.error, msgspec.MsgspecError) as error:
            raise _unreadable() from error


def _framed(piece: bytes) -> bytes:
    return len(piece).to_bytes(4, "big") + piece


def _frames(data: bytes) -> Iterator[memoryview]:
    """The pieces of a dump; where it is cut off they are cut off too."""
    view, at = memoryview(data), 0
    while at < len(view):
        begin, at = at + 4, at + 4 + int.from_bytes(view[at : at + 4], "big")
        yield view[begin:at]


def _unreadable() -> StateRefused:
    return StateRefused("working state: cannot be read; remove the snapshot to rebuild it from the feed")


def _default_anomaly(thresholds: Thresholds, seed: int) -> Anomaly:
    # the models are imported only by who senses: `status` must not pay for them
    from engine.models.anomaly import AnomalyDetector

    return AnomalyDetector(thresholds.anomaly, thresholds.local_networks, seed)
