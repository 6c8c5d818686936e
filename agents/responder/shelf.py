"""The alerts of one channel that wait to be sent: which comes next, how long one waits, what finds no room.

Rules:
    1. A channel holds a bounded number of alerts, its share of the whole. What finds no room is put off: it stays in
       the log, is counted, and is picked up again when there is room. A graver alert takes the room of a lesser one.
       While some are put off, what is no graver comes after them: it is put off, too.
    2. The gravest goes first; among equals the one that was routed first. That an incident was taken or is over is
       told after what was told of it before.
    3. A failed attempt waits twice as long as the one before, up to a limit, give or take a quarter that derives from
       the alert's id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from agents.responder.routes import RANK
from domain.facts.alert import AlertEscalated, AlertRouted
from domain.values import NAMESPACE, SECOND, Micros

Alert: TypeAlias = AlertRouted | AlertEscalated

UNANSWERABLE: Final = frozenset({"acknowledged", "resolved"})
"""Triggers that ask nobody to do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long delivery goes on trying.

    Attributes:
        room: alerts held in memory, over all channels.
        attempts: of one alert, until it is a dead letter.
        first: us to wait after the first failure.
        longest: us to wait at most.
    """

    room: int = 10_000
    attempts: int = 10
    first: Micros = SECOND
    longest: Micros = 300 * SECOND

    def wait(self, failures: int, seed: UUID) -> Micros:
        """How long to wait after so many failures in a row; the same for the same seed.

        >>> 0.75e6 <= Patience().wait(1, NAMESPACE) <= 1.25e6, 6e6 <= Patience().wait(4, NAMESPACE) <= 10e6
        (True, True)
        """
        plain = min(self.longest, self.first * 2 ** min(failures - 1, 40))
        share = uuid5(NAMESPACE, f"wait|{seed.hex}|{failures}").int % 1024 / 1024
        return int(plain * (0.75 + share / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An alert that is to be delivered.

    Attributes:
        cause: id of the fact that ordered it, which delivery's facts follow from; `correlation` its workflow.
        occurred_at: event time of that fact.
        position: a place in the log before it.
        attempts: made so far; `limit`: after so many it is a dead letter.
    """

    alert: Alert
    cause: UUID
    correlation: UUID | None
    occurred_at: Micros
    region: str
    position: int
    attempts: int = 0
    limit: int

    def again(self, *, attempts: int, limit: int) -> Waiting:
        """The same after so many attempts."""
        return replace(self, attempts=attempts, limit=limit)

    @property
    def follows_up(self) -> bool:
        """Whether it says what became of an incident that was told before: it must not arrive first."""
        return isinstance(self.alert, AlertRouted) and self.alert.trigger in UNANSWERABLE

    @property
    def not_before(self) -> Micros:
        """The end of the quiet hours for which it waits; 0 when it does not."""
        return self.alert.not_before if isinstance(self.alert, AlertRouted) else 0

    @property
    def rank(self) -> int:
        """4 is critical."""
        return RANK[self.alert.level]


class Shelf:
    """The alerts of one channel."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.put_off = 0
        self.put_off_from = 0
        self.put_off_rank = 0
        self.failures = 0
        self.again_at: Micros = 0
        self.fault = ""
        self._held: dict[UUID, Waiting] = {}
        self._ready: dict[int, dict[UUID, None]] = {rank: {} for rank in (4, 3, 2, 1)}
        self._due: list[tuple[Micros, int, UUID]] = []
        self._later: dict[UUID, None] = {}
        self._out: set[UUID] = set()
        self._before: dict[UUID, int] = {}
        self._behind: dict[UUID, list[UUID]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, alert: UUID) -> Waiting | None:
        """An alert that is held here."""
        return self._held.get(alert)

    @property
    def out(self) -> frozenset[UUID]:
        """Alerts that are handed out."""
        return frozenset(self._out)

    @property
    def sending(self) -> bool:
        """Whether any alert is handed out."""
        return bool(self._out)

    @property
    def ready(self) -> bool:
        """Whether any alert could be handed out, as far as it is concerned."""
        return any(self._ready.values())

    @property
    def down(self) -> bool:
        """Whether the last attempt said that the channel itself does not work."""
        return bool(self.fault)

    @property
    def hungry(self) -> bool:
        """Whether it is time to pick up what was put off."""
        return self.put_off > 0 and len(self) <= self.room // 2

    def add(self, waiting: Waiting, due: Micros = 0, *, picked_up: bool = False) -> bool:
        """Take an alert in, due at once or at a moment of the wall clock; False when it was put off.

        Args:
            waiting: the alert.
            due: microseconds; 0 is at once.
            picked_up: it was put off before, and it is its turn.
        """
        key, incident = waiting.alert.alert, waiting.alert.incident
        if key in self._held:
            return True
        behind = self.put_off > 0 and waiting.rank <= self.put_off_rank and not picked_up
        if behind or (len(self) >= self.room and not self._make_room(waiting.rank)):
            self._put_off(waiting)
            return False
        self._held[key] = waiting
        if waiting.follows_up and incident in self._before:
            self._behind.setdefault(incident, []).append(key)
            return True
        self._before[incident] = self._before.get(incident, 0) + 1
        self._place(waiting, due)
        return True

    def again(self, waiting: Waiting, due: Micros) -> None:
        """An alert that was handed out is to be tried again; what has to come after it still waits."""
        key = waiting.alert.alert
        if key in self._held:
            self._held[key] = waiting
            self._out.discard(key)
            self._later.pop(key, None)
            self._place(waiting, due)
        else:
            self.add(waiting, due)

    def take(self, now: Micros, most: int, lesser: int | None = None) -> Iterator[Waiting]:
        """Hand out the gravest alerts that are due.

        Args:
            now: wall clock.
            most: so many are out at a time; twice as many where the further ones are critical.
            lesser: so many at a time where they are not critical; `most` if None.
        """
        while self._due and self._due[0][0] <= now:
            key = heappop(self._due)[2]
            if key in self._later:
                del self._later[key]
                self._ready[self._held[key].rank][key] = None
        if self.down:
            most = 1 if now >= self.again_at else 0
        for rank, group in self._ready.items():
            room = 2 * most if rank == 4 and not self.down else min(most, most if lesser is None else lesser)
            while group and len(self._out) < room:
                key = next(iter(group))
                del group[key]
                self._out.add(key)
                yield self._held[key]

    def back(self, alert: UUID) -> None:
        """An alert that was handed out was not tried: it is first again among its equals."""
        if alert in self._out:
            self._out.discard(alert)
            rank = self._held[alert].rank
            self._ready[rank] = {alert: None, **self._ready[rank]}

    def drop(self, alert: UUID) -> Waiting | None:
        """Forget an alert; what had to come after it is next."""
        waiting = self._held.pop(alert, None)
        if waiting is None:
            return None
        incident = waiting.alert.incident
        behind = self._behind.get(incident, [])
        if alert in behind:
            behind.remove(alert)
        else:
            self._out.discard(alert)
            self._later.pop(alert, None)
            self._ready[waiting.rank].pop(alert, None)
            self._before[incident] -= 1
        if not self._before.get(incident):
            self._before.pop(incident, None)
            self._step_up(incident, behind)
        return waiting

    def next_due(self) -> Micros | None:
        """When something can be tried that cannot be now; None when nothing waits for the clock."""
        while self._due and self._due[0][2] not in self._later:
            heappop(self._due)
        moments = [max(self._due[0][0], self.again_at if self.down else 0)] if self._due else []
        if self.down and self.ready:
            moments.append(self.again_at)
        return min(moments, default=None)

    def _place(self, waiting: Waiting, due: Micros) -> None:
        if due:
            self._later[waiting.alert.alert] = None
            heappush(self._due, (due, -waiting.rank, waiting.alert.alert))
        else:
            self._ready[waiting.rank][waiting.alert.alert] = None

    def _step_up(self, incident: UUID, behind: list[UUID]) -> None:
        if behind:
            following = self._held[behind.pop(0)]
            self._before[incident] = 1
            self._place(following, following.not_before)
        if not behind:
            self._behind.pop(incident, None)

    def _put_off(self, waiting: Waiting) -> None:
        self.put_off_from = min(self.put_off_from, waiting.position) if self.put_off else waiting.position
        self.put_off_rank = max(self.put_off_rank, waiting.rank) if self.put_off else waiting.rank
        self.put_off += 1

    def _make_room(self, rank: int) -> bool:
        """Put off the last of the least grave alerts below a rank."""
        for lesser in range(1, rank):
            if self._ready[lesser]:
                self._put_off_held(next(reversed(self._ready[lesser])))
                return True
        waiting = (
            next((key for key in reversed(self._later) if self._held[key].rank < rank), None) if rank == 4 else None
        )
        if waiting is not None:
            self._put_off_held(waiting)
        return waiting is not None

    def _put_off_held(self, key: UUID) -> None:
        waiting = self.drop(key)
        if waiting is not None:
            self._put_off(waiting)
