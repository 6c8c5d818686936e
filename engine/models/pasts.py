"""What is known of all hosts, each in its profiles: baselines, and the alarms that are on.

Rules:
    1. The baseline is the first `calibration_windows` windows that were not flagged. From then on it stands: it is
       shifted by recorded facts only, so that nobody can teach it slowly what an attack looks like.
    2. An alarm does not teach. When it is over, and the baseline is not full yet, its first window is learned: never
       learning flagged windows would cut the tail off the calibration, and with it the bar would sink without end.
    3. A host flagged for `calibration_windows` windows on end has changed: its baseline starts anew.
    4. Each host and profile has a place in the tables of scores and of vectors, so that the hosts whose windows close
       together are judged, and learn, at once.
    5. Beyond `max_hosts` the host that was asked for longest ago makes room, with all its profiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from engine.models.conformal import Ring
from engine.models.past import Accepted, Past
from engine.models.reading import FEATURES
from engine.rows import Places, Rows
from engine.sensed import Judged
from engine.verdict.ranks import Found, Ranks

Key = tuple[str, str]
"""A host and a profile."""

DUMPED: Final = 64
"""Places whose rows make one piece of a dump."""


class Alarm(msgspec.Struct, array_like=True):
    """A host is flagged: for how many windows on end, and the first of them."""

    windows: int
    scores: list[float]
    vector: list[float]


class PastsState(msgspec.Struct, array_like=True):
    """All but the rows: by number of place, in the order of `places` (hosts from the coldest to the warmest)."""

    forgotten: int
    places: list[Key]
    scores: bytes
    vectors: bytes
    alarms: dict[int, Alarm]
    accepted: dict[int, dict[str, Accepted]]


class Pasts:
    """Places of hosts in the tables of scores (a column a model) and of the last vectors."""

    def __init__(self, limits: AnomalyLimits, models: int) -> None:
        self.forgotten = 0
        self._max_hosts = limits.max_hosts
        self._scores = Ranks(models, limits.calibration_windows)
        self._vectors = Rows(len(FEATURES), limits.explain_windows)
        self._hosts: dict[str, dict[str, int]] = {}
        self._free: list[int] = []
        self._top = 0
        self._alarms: dict[int, Alarm] = {}
        self._accepted: dict[int, dict[str, Accepted]] = {}

    def places(self, hosts: Iterable[str], profile: str) -> Places:
        """The places of hosts in a profile; these hosts, in this order, are the warmest now."""
        found, known = [], self._hosts
        for host in hosts:
            held = known.pop(host, None)
            if held is not None and profile in held:
                known[host] = held
                found.append(held[profile])
            else:
                found.append(self._fresh(host, profile, held))
        return np.array(found, np.intp)

    def find(self, host: str) -> dict[str, int]:
        """The places of a host by profile, if it is known."""
        return self._hosts.get(host, {})

    def sizes(self, places: Places) -> NDArray[np.int32]:
        """Windows in the baseline of each place."""
        return self._scores.used[places]

    def scores(self, place: int) -> NDArray[np.float32]:
        """The scores of a baseline, a column a model."""
        return self._scores.rows(place)

    def vectors(self, place: int) -> NDArray[np.float32]:
        """The last vectors of a baseline."""
        return self._vectors.rows(place)

    def consensus(self, places: Places, scores: NDArray[np.float64]) -> Found:
        """The consensus about a new window at each place."""
        return self._scores.consensus(places, scores)

    def learn(self, places: Places, scores: NDArray[np.float64], vectors: NDArray[np.float32]) -> None:
        """These hosts (none twice) were not flagged: learn a window of each, and before it the first of an alarm."""
        for place in sorted(self._alarms.keys() & set(places.tolist())):
            over = self._alarms.pop(place)
            self._learn(np.array([place]), np.array([over.scores]), np.array([over.vector]))
        self._learn(places, scores, vectors)

    def flag(self, place: int, scores: NDArray[np.float64], vector: NDArray[np.float32]) -> bool:
        """A host is flagged. True if it has been for so long that its baseline starts anew."""
        alarm = self._alarms.setdefault(place, Alarm(0, scores.tolist(), vector.tolist()))
        alarm.windows += 1
        if alarm.windows < self._scores.size:
            return False
        self._clear(place)
        return True

    def accept(
        self, place: int, judged: Judged, scores: NDArray[np.float64], vector: NDArray[np.floating], level: float
    ) -> int:
        """A verdict on a threat said that this window was harmless. Returns how often it was learned."""
        past = self._taken_out(place)
        times = past.accept(judged, scores, vector, level)
        self._alarms.pop(place, None)
        self._put_back(place, past)
        return times

    def take_back(self, place: int, threat: str) -> int:
        """The verdict on a threat is another one now. Returns how often its window had been learned."""
        if threat not in self._accepted.get(place, {}):
            return 0
        past = self._taken_out(place)
        times = past.take_back(threat)
        self._put_back(place, past)
        return times

    def drop(self, model: int) -> None:
        """Forget what the model of a column said."""
        self._scores.drop(model)
        for alarm in self._alarms.values():
            del alarm.scores[model]

    def state(self) -> PastsState:
        """All but the rows."""
        keys = [(host, profile) for host, held in self._hosts.items() for profile in held]
        places = self._held()
        again = {place: number for number, place in enumerate(places)}
        return PastsState(
            forgotten=self.forgotten,
            places=keys,
            scores=_marks(self._scores, places),
            vectors=_marks(self._vectors, places),
            alarms={again[place]: alarm for place, alarm in self._alarms.items()},
            accepted={again[place]: accepted for place, accepted in self._accepted.items()},
        )

    @property
    def size(self) -> int:
        """Bytes of all pieces together."""
        places = self._held()
        return sum(4 * table.width * int(table.used[places].sum()) for table in (self._scores, self._vectors))

    def pieces(self) -> Iterator[bytes]:
        """The rows, piece by piece."""
        places = self._held()
        for begin in range(0, len(places), DUMPED):
            part = places[begin : begin + DUMPED]
            yield b"".join([table.rows(place).tobytes() for place in part for table in (self._scores, self._vectors)])

    def load(self, state: PastsState, rows: memoryview) -> None:
        """Go on from a state and its rows, in an empty table."""
        self.forgotten, self._alarms, self._accepted = state.forgotten, state.alarms, state.accepted
        for number, (host, profile) in enumerate(state.places):
            self._hosts.setdefault(host, {})[profile] = number
        self._top, at = len(state.places), 0
        tables = (self._scores, self._vectors)
        marks = [np.frombuffer(part, "<i4").reshape(-1, 2).tolist() for part in (state.scores, state.vectors)]
        for place, held in enumerate(zip(*marks, strict=True)):
            for table, (used, turn) in zip(tables, held, strict=True):
                end = at + 4 * used * table.width
                table.put(place, np.frombuffer(rows[at:end], "<f4").reshape(-1, table.width), turn)
                at = end

    def _fresh(self, host: str, profile: str, held: dict[str, int] | None) -> int:
        """A place for a host that has none in this profile; `held` are those that it has, None: it is a new one."""
        if held is None:
            held = {}
            if len(self._hosts) >= self._max_hosts:
                self._forget(next(iter(self._hosts)))
        place = self._free.pop() if self._free else self._top
        self._top = max(self._top, place + 1)
        for table in (self._scores, self._vectors):
            table.make_room(self._top)
        held[profile] = place
        self._hosts[host] = held
        return place

    def _forget(self, host: str) -> None:
        places = self._hosts.pop(host).values()
        for place in places:
            self._clear(place)
        self._free += places
        self.forgotten += 1

    def _clear(self, place: int) -> None:
        self._scores.clear(place)
        self._vectors.clear(place)
        self._alarms.pop(place, None)
        self._accepted.pop(place, None)

    def _learn(self, places: Places, scores: NDArray[np.float64], vectors: NDArray[np.floating]) -> None:
        """One more window for each baseline that is not full."""
        room = self._scores.used[places] < self._scores.size
        if not room.all():
            places, scores, vectors = places[room], scores[room], vectors[room]
        self._scores.add(places, scores)
        self._vectors.keep(places, vectors)

    def _held(self) -> list[int]:
        return [place for held in self._hosts.values() for place in held.values()]

    def _taken_out(self, place: int) -> Past:
        return Past(_ring(self._scores, place), _ring(self._vectors, place), self._accepted.get(place, {}))

    def _put_back(self, place: int, past: Past) -> None:
        self._scores.put(place, past.scores.rows(), past.scores.next)
        self._vectors.put(place, past.vectors.rows(), past.vectors.next)
        self._accepted[place] = past.accepted


def _ring(table: Rows, place: int) -> Ring:
    """The rows at a place as a ring of their own."""
    return Ring(table.size, table.width, "<f4", int(table.turn[place]), bytearray(table.rows(place).tobytes()))


def _marks(table: Rows, places: list[int]) -> bytes:
    """How many rows there are at each place, and where the next one goes."""
    return np.column_stack([table.used[places], table.turn[places]]).astype("<i4").tobytes()
