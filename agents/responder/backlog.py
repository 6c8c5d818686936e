"""Alerts on their way: whom they were ordered for, what became of them, and what nobody answered. Pure: time comes in.

Rules:
    1. Each channel has a shelf (`agents.responder.shelf`) of its own, with its share of the room.
    2. After a failure an alert waits; after the last attempt it is a dead letter. When it is the channel that fails,
       not the alert, all its alerts wait; one at a time tries whether it is back.
    3. An alert that was delivered, or that is a dead letter, is escalated when its rule says so and nobody has taken
       the incident. A channel is told of an incident that way once, however many alerts of it nobody answers; once
       more when it is opened again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from agents.responder.routes import Routing, Rule
from agents.responder.routing import alert_id
from agents.responder.shelf import UNANSWERABLE, Alert, Patience, Shelf, Waiting
from domain.facts.alert import AlertEscalated
from domain.values import SECOND, Micros

WATCHED: Final = 10_000
"""Delivered alerts at most that wait for an acknowledgement; as many incidents whose escalation is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An alert that is to be acknowledged by `due`."""

    waiting: Waiting
    due: Micros
    since: Micros
    arrived: bool


class Backlog:
    """All shelves, and the alerts that nobody has answered yet."""

    def __init__(self, policy: Routing, patience: Patience) -> None:
        self.patience = patience
        self.shelves = {name: Shelf(max(1, patience.room // max(1, len(policy.channels)))) for name in policy.channels}
        self.unknown = 0
        self._rules = {rule.name: rule for rule in policy.rules}
        self._watched: dict[UUID, Watch] = {}
        self._by_incident: dict[UUID, set[UUID]] = {}
        self._dues: list[tuple[Micros, UUID]] = []
        self._told: dict[UUID, set[str]] = {}

    def order(self, waiting: Waiting) -> None:
        """An alert is to go out."""
        alert = waiting.alert
        shelf = self.shelves.get(alert.channel)
        if shelf is None:
            self.unknown += 1  # of a channel that is not set up any more: it stays in the log
            return
        shelf.add(waiting, waiting.not_before)

    def withdraw(self, channel: str, alert: UUID) -> None:
        """An alert is not to go out any more."""
        if channel in self.shelves:
            self.shelves[channel].drop(alert)

    def held(self, channel: str, alert: UUID) -> Waiting | None:
        """An alert that has not ended yet, if it is in memory."""
        shelf = self.shelves.get(channel)
        return None if shelf is None else shelf.get(alert)

    def delivered(self, waiting: Waiting, at: Micros) -> None:
        """It arrived."""
        self.withdraw(waiting.alert.channel, waiting.alert.alert)
        self._watch(waiting, at, arrived=True)

    def failed(self, waiting: Waiting, at: Micros, now: Micros, *, attempt: int, dead: bool, wait: Micros = 0) -> None:
        """It did not; it is tried again `wait` us from `now`, or never."""
        shelf = self.shelves.get(waiting.alert.channel)
        if shelf is None:
            return
        if dead:
            shelf.drop(waiting.alert.alert)
            self._watch(waiting, at, arrived=False)
        else:
            shelf.again(replace(waiting, attempts=attempt), now + wait if wait else 0)

    def answered(self, incident: UUID) -> None:
        """Somebody took the incident, or it is over."""
        for alert in self._by_incident.pop(incident, ()):
            self._watched.pop(alert, None)

    def unanswered(self, now: Micros) -> list[tuple[Waiting, list[AlertEscalated]]]:
        """The alerts that nobody has answered in time, each with those to other channels. It waits for them no more."""
        found = []
        chosen: dict[UUID, set[str]] = {}
        while self._dues and self._dues[0][0] <= now:
            if (watch := self._forget(heappop(self._dues)[1])) is None:
                continue
            alert = watch.waiting.alert
            known = chosen.setdefault(alert.incident, set(self._told.get(alert.incident, ())))
            names = dict.fromkeys(self._rule(alert).escalate_to)
            untold = [name for name in names if name in self.shelves and name not in known]
            known.update(untold)
            if untold:
                found.append((watch.waiting, [_escalated(watch, name, now) for name in untold]))
        return found

    def escalated(self, fact: AlertEscalated) -> None:
        """Another channel has been told of an alert that nobody answered."""
        self._forget(fact.after)
        self._told.setdefault(fact.incident, set()).add(fact.channel)
        if len(self._told) > WATCHED:
            del self._told[next(iter(self._told))]

    def reopened(self, incident: UUID) -> None:
        """An incident that was over or contained is open again: who was told that nobody answers may be told again."""
        self._told.pop(incident, None)

    @property
    def escalates(self) -> bool:
        """Whether any rule escalates."""
        return any(rule.escalate_to for rule in self._rules.values())

    def next_watch(self) -> Micros | None:
        """When the next unanswered alert is due."""
        return self._dues[0][0] if self._dues else None

    def _forget(self, alert: UUID) -> Watch | None:
        """Wait no more for an answer to an alert."""
        if (watch := self._watched.pop(alert, None)) is not None:
            self._by_incident.get(watch.waiting.alert.incident, set()).discard(alert)
        return watch

    def _rule(self, alert: Alert) -> Rule:
        return self._rules.get(alert.route, Rule(name=alert.route, channels=()))

    def _watch(self, waiting: Waiting, at: Micros, *, arrived: bool) -> None:
        alert = waiting.alert
        rule = self._rule(alert)
        if isinstance(alert, AlertEscalated) or alert.trigger in UNANSWERABLE or not rule.escalate_to:
            return
        if len(self._watched) < WATCHED:
            due = at + rule.escalate_after if arrived else at
            self._watched[alert.alert] = Watch(waiting=waiting, due=due, since=at, arrived=arrived)
            heappush(self._dues, (due, alert.alert))
            self._by_incident.setdefault(alert.incident, set()).add(alert.alert)


def _escalated(watch: Watch, channel: str, now: Micros) -> AlertEscalated:
    alert = watch.waiting.alert
    return AlertEscalated(
        alert=alert_id(alert.alert, channel),
        after=alert.alert,
        incident=alert.incident,
        channel=channel,
        route=alert.route,
        level=alert.level,
        risk=alert.risk,
        title=alert.title,
        entities=alert.entities,
        kinds=alert.kinds,
        threats=alert.threats,
        threat_count=alert.threat_count,
        opened_at=alert.opened_at,
        waited_seconds=(now - watch.since) // SECOND if watch.arrived else 0,
    )
