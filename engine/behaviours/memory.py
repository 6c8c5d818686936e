"""What the behaviours remember: bounded memories of entities, and the trail of evidence that each entity leaves.

Rules:
    1. A memory holds at most `cap` entries; the coldest is forgotten first, and counted.
    2. A memory in generations also forgets what was not touched for one to two spans of event time, at the same row
       wherever a frame ends; of entries with a trail (`Fading`), decided ones stay until they were quiet for long. So
       its size follows the traffic of some hours.
    3. All state is made of `msgspec` structs and ordered tables: it can be written down and read back at any row.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

import msgspec

from domain.values import Micros
from engine.behaviours import samples
from engine.behaviours.samples import FlowTuple, flow_at
from engine.frame import Frame

SAMPLES: Final = 10
"""First and last records kept of a trail: 10 of each."""

PEERS: Final = 50
"""Peers kept of a trail, in order of appearance."""

Measure = tuple[str, int | float, str, int | float | None]
"""Name, value, unit and baseline of a feature to be."""

Key = TypeVar("Key")
Entry = TypeVar("Entry")


class Memory(Generic[Key, Entry]):
    """An ordered table of entries, coldest first."""

    __slots__ = ("_shape", "cap", "entries", "evicted", "key")

    def __init__(self, cap: int, key: Any, entry: Any) -> None:
        self.cap = cap
        self.key = key
        self.evicted = 0
        self.entries: OrderedDict[Key, Entry] = OrderedDict()
        self._shape: Any = tuple[int, list[tuple[key, entry]]]

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, key: Key) -> Entry | None:
        """The entry of `key`, which becomes the warmest."""
        entry = self.entries.get(key)
        if entry is not None:
            self.entries.move_to_end(key)
        return entry

    def peek(self, key: Key) -> Entry | None:
        """The entry of `key`, left where it is."""
        return self.entries.get(key)

    def put(self, key: Key, entry: Entry) -> Entry:
        """A new entry; the coldest one makes room for it."""
        if len(self.entries) >= self.cap:
            self.entries.popitem(last=False)
            self.evicted += 1
        self.entries[key] = entry
        return entry

    def dump(self) -> Any:
        """The whole memory as something that `engine.pieces` writes."""
        return (self.evicted, self.entries.items())

    def load(self, data: Any) -> None:
        """What `dump` gave, after a way through msgpack."""
        self.evicted, items = msgspec.convert(data, self._shape)
        self.entries = OrderedDict(items)


class Generations(Generic[Key, Entry]):
    """A memory in two generations: who is touched moves to the young one.

    When the clock comes to `due`, or when the young generation fills its half of the room, the old one is forgotten and
    the young one is the old one from then on. The two tables stay the same objects.
    """

    __slots__ = ("_room", "_shape", "_span", "cap", "due", "evicted", "key", "old", "young")

    def __init__(self, cap: int, key: Any, entry: Any, *, span: Micros) -> None:
        self.cap = cap
        self.key = key
        self.evicted = 0
        self.due: Micros | None = None
        self.old: dict[Key, Entry] = {}
        self.young: dict[Key, Entry] = {}
        self._span = span
        self._room = cap // 2
        items = list[tuple[key, entry]]
        self._shape: Any = tuple[int, int, Micros | None, items, items]

    def __len__(self) -> int:
        return len(self.old) + len(self.young)

    def get(self, key: Key) -> Entry | None:
        """The entry of `key`, which is warm from now on."""
        entry = self.young.get(key)
        if entry is None:
            entry = self.old.pop(key, None)
            if entry is not None:
                self.put(key, entry)
        return entry

    def peek(self, key: Key) -> Entry | None:
        """The entry of `key`, left where it is."""
        return self.young.get(key) or self.old.get(key)

    def put(self, key: Key, entry: Entry) -> Entry:
        """A new entry."""
        if len(self.young) >= self._room:
            self.evicted += self._age()
        self.young[key] = entry
        return entry

    def turn(self, clock: Micros) -> None:
        """Come to the clock of a row."""
        if self.due is None or clock >= self.due:
            if self.due is not None:
                self._age()
            self.due = clock + self._span

    def _age(self) -> int:
        """The next generation; how many entries were forgotten."""
        kept = self._kept()
        forgotten = len(self.old) - len(kept)
        self.old.clear()
        self.old.update(kept)
        self.old.update(self.young)
        self.young.clear()
        self._room = max(1, min(self.cap // 2, self.cap - len(self.old)))
        return forgotten

    def _kept(self) -> dict[Key, Entry]:
        """What stays of the old generation when it is forgotten."""
        return {}

    def dump(self) -> Any:
        """The whole memory as something that `engine.pieces` writes."""
        return (self.evicted, self._room, self.due, self.old.items(), self.young.items())

    def load(self, data: Any) -> None:
        """What `dump` gave, after a way through msgpack."""
        self.evicted, self._room, self.due, old, young = msgspec.convert(data, self._shape)
        self.old.clear()
        self.young.clear()
        self.old.update(old)
        self.young.update(young)


class Fading(Generations[Key, Entry]):
    """Generations of entries with a trail; of those that are forgotten, the decided ones stay until they were quiet."""

    __slots__ = ("_quiet",)

    def __init__(self, cap: int, key: Any, entry: Any, *, span: Micros, quiet: Micros) -> None:
        super().__init__(cap, key, entry, span=span)
        self._quiet = quiet

    def _kept(self) -> dict[Key, Entry]:
        # a third of the room at most
        decided: list[tuple[Key, Any]] = [item for item in self.old.items() if _trail(item[1]).step >= 1]
        newest = max((_trail(entry).last for _, entry in decided), default=0)
        return dict([item for item in decided if _trail(item[1]).last >= newest - self._quiet][-self.cap // 3 :])


def _trail(entry: Any) -> Trail:
    return entry.trail or NO_TRAIL


class Trail(msgspec.Struct, array_like=True, gc=False):
    """Evidence of one kind about one entity; there are very many of them.

    `evidence` is the SHA-256 of the first row; `head` and `tail` are its first and last samples (see `samples`), `held`
    is how many of the first there are. `peak` is its highest score, `measures` what was measured then; `sure_last` and
    `sure_count` are `last` and `count` when the score was last at 1 or more: what trickles in afterwards is not told.
    """

    first: int = 0
    last: int = 0
    count: int = 0
    evidence: bytes = b""
    step: float = 0.0
    told: int = 0
    held: int = 0
    head: bytes = b""
    tail: bytes = b""
    tail_held: int = 0
    peers: tuple[str, ...] = ()
    peak: float = 0.0
    measures: tuple[Measure, ...] = ()
    sure_last: int = 0
    sure_count: int = 0

    def see(self, frame: Frame, i: int, peer: str, note: str = "") -> None:
        """Row `i` counts."""
        self.add(flow_at(frame, i, note), peer, b"" if self.count else sha256(frame.raw[i]).digest())

    def add(self, flow: FlowTuple, peer: str, evidence: bytes) -> None:
        """One more record counts; `evidence` is its hash if it is the first."""
        ts, record = flow[0], samples.pack(flow)
        if not self.count:
            self.first = self.last = ts
            self.evidence = evidence
        elif ts > self.last:  # mostly
            self.last = ts
        elif ts < self.first:
            self.first = ts
        self.count += 1
        if self.held < SAMPLES:
            self.head += record
            self.held += 1
        elif self.tail_held < SAMPLES:
            self.tail += record
            self.tail_held += 1
        else:
            self.tail = samples.after_first(self.tail) + record
        if len(self.peers) < PEERS and peer not in self.peers:
            self.peers = (*self.peers, peer)

    def flows(self) -> tuple[list[FlowTuple], list[FlowTuple]]:
        """The first and the last samples."""
        return samples.unpack(self.head), samples.unpack(self.tail)

    def hold(self, head: list[FlowTuple], tail: list[FlowTuple]) -> None:
        """Have these samples instead."""
        self.head, self.held = samples.pack_all(head), len(head)
        self.tail, self.tail_held = samples.pack_all(tail), len(tail)


NO_TRAIL: Final = Trail()
"""Of an entry that left no evidence yet."""


def held_back(score: float, excess: float) -> float:
    """The score while a condition of a decision is missed by the factor `excess` (> 1): below 1, however large it was.

    >>> held_back(3.0, 1.0), held_back(3.0, 2.0), held_back(0.8, 2.0)
    (3.0, 0.495, 0.4)
    """
    return score if excess <= 1.0 else min(score, 0.99) / excess


def prune(members: dict[Any, int], horizon: Micros, cap: int) -> None:
    """Forget members that were last seen before `horizon`, oldest first, and all above `cap`."""
    while members:
        first = next(iter(members))
        if members[first] >= horizon and len(members) <= cap:
            return
        del members[first]
