"""The router at work: what becomes of incidents is turned into alerts, exactly once.

Rules:
    1. Alerts begin with the moment at which they were first set up (`alerting-changed`): nobody is told of the past.
    2. What to tell is decided by `agents.responder.routing` from the facts of incidents alone; the backlog of what is
       still to be delivered is folded from the facts of alerts.
    3. An alert counts as ordered once the fact that orders it is recorded (`commit`).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from agents.responder.backlog import Backlog
from agents.responder.routes import Routing
from agents.responder.routing import CHANGES, Change, Decision, Moment, State, route
from agents.responder.shelf import Alert, Patience, Waiting
from config.alerts import AlertSettings
from domain.facts.alert import (
    AlertDelivered,
    AlertEscalated,
    AlertFailed,
    AlertingChanged,
    AlertRetried,
    AlertRouted,
    AlertSuppressed,
)
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentContained,
    IncidentMerged,
    IncidentOpened,
    IncidentReleased,
    IncidentReopened,
    IncidentResolved,
    ThreatLinked,
)
from domain.facts.threat import ThreatDetected
from domain.journal import Draft, Journal, Progress, Recorded
from domain.values import Micros, ThreatKind, event_id
from scheduler.follower import caused

NAME: Final = "router"
STREAM: Final = "alerting"

KINDS_KEPT: Final = 10_000
"""Threats whose kind is remembered; that of an older one is looked up in the log."""

ANSWERS: Final = (IncidentAcknowledged, IncidentContained, IncidentResolved, IncidentMerged)
"""Facts after which nobody else needs to be told that nobody answers."""


KINDS: Final = frozenset(fact.kind for fact in (ThreatDetected, AlertRetried, *ANSWERS, *CHANGES))
"""What the router looks at."""


class RouterMind:
    """State of the routing, backlog of the delivery; see the rules above."""

    def __init__(self, journal: Journal, policy: Routing, patience: Patience) -> None:
        self.backlog = Backlog(policy, patience)
        self._journal = journal
        self._policy = policy
        self._state = State()
        self._kinds: dict[UUID, ThreatKind] = {}
        self._since: int | None = None
        self._fresh: list[Waiting | AlertSuppressed] = []

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact of the past."""
        match recorded.fact:
            case AlertingChanged():
                self._since = recorded.position if self._since is None else self._since
            case AlertRouted() | AlertEscalated() as fact:
                self.backlog.order(waiting_from(recorded, fact, self.backlog.patience))
                if isinstance(fact, AlertEscalated):
                    self.backlog.escalated(fact)
            case AlertSuppressed() as fact:
                self.backlog.withdraw(fact.channel, fact.alert)
            case AlertDelivered() | AlertFailed() as fact:
                self._ended(fact, recorded.occurred_at)
            case _:
                self._learn(recorded)

    def decide(self, recorded: Recorded) -> list[Draft]:
        """The alerts that follow from what became of an incident."""
        drafts = []
        for event in self._learn(recorded):
            draft = caused(recorded, f"alert/{event.alert}", event, actor=NAME)
            drafts.append(draft)
            if isinstance(event, AlertSuppressed):
                self._fresh.append(event)
            else:
                self._fresh.append(waiting_from(draft, event, self.backlog.patience, recorded.position))
        return drafts

    def commit(self) -> None:
        """What was decided since the last time is recorded."""
        for each in self._fresh:
            if isinstance(each, Waiting):
                self.backlog.order(each)
            else:
                self.backlog.withdraw(each.channel, each.alert)
        self._fresh = []

    def taken(self, incident: UUID) -> bool:
        """Whether somebody has acknowledged an incident, actions hold it back, or it is over."""
        subject = self._state.subjects.get(incident)
        return subject is not None and (subject.taken or subject.contained)

    def look_up(self, alert: UUID) -> Waiting | None:
        """An alert that has not ended, from the log."""
        return outstanding(self._journal.read_stream(f"alert/{alert}"), self.backlog.patience)

    def _learn(self, recorded: Recorded) -> list[Decision]:
        fact = recorded.fact
        if isinstance(fact, ThreatDetected):
            self._remember(fact)
        if self._since is None or recorded.position < self._since:
            return []
        if isinstance(fact, AlertRetried):
            waiting = self.look_up(fact.alert)
            if waiting is not None:
                self.backlog.order(waiting)
        if isinstance(fact, ANSWERS):
            self._answered(fact)
        if isinstance(fact, IncidentReopened | IncidentReleased):
            self.backlog.reopened(fact.incident)
        return route(self._policy, self._state, fact, self._moment(recorded, fact)) if isinstance(fact, CHANGES) else []

    def _answered(self, fact: IncidentAcknowledged | IncidentContained | IncidentResolved | IncidentMerged) -> None:
        self.backlog.answered(fact.incident)
        subject = self._state.subjects.get(fact.incident)
        if subject is None:
            return
        if isinstance(fact, IncidentContained):
            subject.contained = True
        else:
            subject.taken = True

    def _ended(self, fact: AlertDelivered | AlertFailed, at: Micros) -> None:
        waiting = self.backlog.held(fact.channel, fact.alert)
        if waiting is None:  # it was put off when it was ordered; only who waits for an answer has to be known
            found = self._journal.read_stream(f"alert/{fact.alert}") if self.backlog.escalates else []
            waiting = first_order(found, self.backlog.patience)
        if waiting is None:
            return
        if isinstance(fact, AlertDelivered):
            self.backlog.delivered(waiting, at)
        else:
            self.backlog.failed(waiting, at, 0, attempt=fact.attempt, dead=fact.dead)

    def _moment(self, recorded: Recorded, change: Change) -> Moment:
        kind = None
        if isinstance(change, IncidentOpened | ThreatLinked | IncidentReopened):
            kind = self._kinds.get(change.threat) or self._kind_of(change.threat)
        return Moment(cause=recorded.event_id, at=recorded.occurred_at, region=recorded.region, kind=kind)

    def _kind_of(self, threat: UUID) -> ThreatKind | None:
        history = self._journal.read_stream(f"threat/{threat}")
        return next((each.fact.threat_kind for each in history if isinstance(each.fact, ThreatDetected)), None)

    def _remember(self, fact: ThreatDetected) -> None:
        if len(self._kinds) >= KINDS_KEPT:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[fact.threat] = fact.threat_kind


def waiting_from(order: Recorded | Draft, alert: Alert, patience: Patience, position: int | None = None) -> Waiting:
    """An alert that is to go out, from the fact that orders it (recorded after `position`)."""
    return Waiting(
        alert=alert,
        cause=order.event_id,
        correlation=order.correlation,
        occurred_at=order.occurred_at,
        region=order.region,
        position=order.position - 1 if isinstance(order, Recorded) else position or 0,
        limit=patience.attempts,
    )


def first_order(history: list[Recorded], patience: Patience) -> Waiting | None:
    """The alert that a stream is about."""
    for recorded in history:
        if isinstance(recorded.fact, AlertRouted | AlertEscalated):
            return waiting_from(recorded, recorded.fact, patience)
    return None


def outstanding(history: list[Recorded], patience: Patience) -> Waiting | None:
    """The alert of a stream, if it is still to be delivered."""
    waiting = first_order(history, patience)
    if waiting is None:
        return None
    attempts, limit, ended = 0, patience.attempts, False
    for recorded in history:
        match recorded.fact:
            case AlertFailed() as fact:
                attempts, ended = fact.attempt, fact.dead
            case AlertRetried():
                limit, ended = attempts + patience.attempts, False
            case AlertDelivered() | AlertSuppressed():
                ended = True
            case _:
                pass
    return None if ended else waiting.again(attempts=attempts, limit=limit)


def set_up(journal: Journal, settings: AlertSettings, now: Micros) -> None:
    """Record which channels and rules are in force from here on, when they have changed.

    The first time the router begins at the end of the log: an old incident is no news.
    """
    history = journal.read_stream(STREAM)
    last = history[-1].fact if history else None
    if isinstance(last, AlertingChanged) and last.version == settings.version:
        return
    fact = AlertingChanged(
        version=settings.version,
        channels=tuple(settings.channels),
        routes=tuple(rule.name for rule in settings.routing().rules),
    )
    end = journal.fingerprint().position
    draft = Draft(
        event_id=event_id(UUID(int=end), STREAM, f"{fact.kind}/{settings.version}"),
        stream=STREAM,
        fact=fact,
        occurred_at=max(now, history[-1].occurred_at if history else 0),
        actor=NAME,
    )
    first = Progress(tracking={NAME: end}) if not history and end else None
    journal.append([draft], progress=first)
