"""Who is told of an incident: a pure function of the facts of incidents, in log order, and of the settings.

Rules:
    1. Rules are read from the top; every one that fits adds its channels, until one that fits says `last`. A channel is
       told of a change once, however many rules name it.
    2. A channel is told when it has not been told of the incident yet, when the incident's level is above what it was
       told, when the incident is reopened, when its gravest threat is held back no more (unless a person saw to that),
       and when it grew and the last alert is older than the grouping window. Changes in between are one alert:
       the next one counts them (`grouped`).
    3. Each channel has a token bucket on event time. What finds no token is kept back, recorded, and counted by the
       next alert that passes; the incident stays untold: its next change tries again. Critical alerts always pass.
    4. In its quiet hours a channel's alerts wait (`not_before`); critical ones pass unless told otherwise. One that is
       overtaken by a newer alert, or whose incident is resolved meanwhile, does not go out any more.
    5. Channels that follow up are told of acknowledgement and end, if they were told of the incident; in their quiet
       hours that waits as alerts do.
    6. An alert's id derives from the fact that caused it and the channel: the same history gives the same alerts.

State is bounded: the incidents that changed last. Own facts are not read back: a restart folds the same changes again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias
from uuid import UUID

from agents.responder.hours import quiet_until
from agents.responder.routes import RANK, Manners, Routing, fits
from domain.facts.alert import AlertRouted, AlertSuppressed, AlertTrigger, SuppressionReason
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReleased,
    IncidentReopened,
    IncidentResolved,
    ThreatLinked,
)
from domain.values import HOUR, MINUTE, SECOND, Level, Micros, ThreatKind, named

Change: TypeAlias = (
    IncidentOpened
    | ThreatLinked
    | IncidentEscalated
    | IncidentReopened
    | IncidentReleased
    | IncidentAcknowledged
    | IncidentResolved
    | IncidentMerged
)
CHANGES: Final = (
    IncidentOpened,
    ThreatLinked,
    IncidentEscalated,
    IncidentReopened,
    IncidentReleased,
    IncidentAcknowledged,
    IncidentResolved,
    IncidentMerged,
)
Decision: TypeAlias = AlertRouted | AlertSuppressed

OF_OPERATORS: Final = frozenset({"operator", "stop", "drill", "exception"})
"""Reasons of a release that a person caused: nobody has to be told."""

KEPT: Final = 1_000
"""Entities of an incident that routes are held against: those that came first."""

SHOWN: Final = 20
"""Entities, kinds and threats that an alert names."""

REMEMBERED: Final = 10_000
"""Incidents that are remembered, those that changed last."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What a channel knows of an incident: level rank, event time, changes since, and the alert that still waits."""

    rank: int = 0
    at: Micros = 0
    since: int = 0
    kept_back: int = 0
    waiting: UUID | None = None
    until: Micros = 0
    route: str = ""


@dataclass(slots=True, kw_only=True)
class Subject:
    """An incident as an alert tells of it.

    Attributes:
        taken: somebody has acknowledged it, or it is over.
        over: it is resolved or merged.
        contained: actions hold it back.
    """

    incident: UUID
    opened_at: Micros
    title: str
    level: Level
    risk: float
    entities: dict[str, None] = field(default_factory=dict)
    kinds: dict[ThreatKind, None] = field(default_factory=dict)
    threats: dict[UUID, None] = field(default_factory=dict)
    threat_count: int = 0
    taken: bool = False
    over: bool = False
    contained: bool = False
    told: dict[str, Told] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Bucket:
    """Tokens of a channel at a moment, and how many alerts it kept back since one last passed."""

    tokens: float
    at: Micros
    withheld: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """The incidents that changed last, and the channels' buckets."""

    subjects: dict[UUID, Subject] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a change comes from: the id of its fact, its event time, its region, and the kind of its threat."""

    cause: UUID
    at: Micros
    region: str
    kind: ThreatKind | None


def alert_id(cause: UUID, channel: str) -> UUID:
    """Id of the alert that a fact causes on a channel: its idempotence key."""
    return named(f"alert|{cause.hex}|{channel}")


def route(policy: Routing, state: State, change: Change, moment: Moment) -> list[Decision]:
    """What a change of an incident makes go out, or keeps back. `state` goes on with it."""
    match change:
        case IncidentAcknowledged():
            return _follow_up(policy, state, change, moment, "acknowledged")
        case IncidentResolved() | IncidentMerged():
            return _end(policy, state, change, moment)
        case IncidentReleased():
            return _released(policy, state, change, moment)
        case IncidentReopened():
            return _tell(policy, state, _again(state, change, moment), moment, "reopened")
        case _:
            return _tell(policy, state, _changed(state, change, moment), moment, "opened")


def _again(state: State, change: IncidentReopened, moment: Moment) -> Subject:
    subject = _remembered(state, change.incident) or _stranger(state, change.incident, moment)
    _add(subject, change.threat, moment.kind)
    subject.taken = subject.over = False
    for told in subject.told.values():
        told.rank = 0
    return subject


def _released(policy: Routing, state: State, change: IncidentReleased, moment: Moment) -> list[Decision]:
    subject = _remembered(state, change.incident)
    if subject is None:
        return []
    subject.contained = False
    if subject.over or change.reason in OF_OPERATORS:
        return []
    return _tell(policy, state, subject, moment, "released")


def _changed(state: State, change: IncidentOpened | ThreatLinked | IncidentEscalated, moment: Moment) -> Subject:
    subject = _remembered(state, change.incident) or _stranger(state, change.incident, moment)
    if change.risk > subject.risk:
        subject.title = change.title
    subject.level, subject.risk = change.level, change.risk
    if not isinstance(change, IncidentEscalated):
        added = change.entities if isinstance(change, IncidentOpened) else (change.entity,)
        if len(subject.entities) < KEPT:
            subject.entities |= dict.fromkeys(added)
        _add(subject, change.threat, moment.kind)
    return subject


def _stranger(state: State, incident: UUID, moment: Moment) -> Subject:
    while len(state.subjects) >= REMEMBERED:
        del state.subjects[next(iter(state.subjects))]
    made = Subject(incident=incident, opened_at=moment.at, title="", level="low", risk=-1.0)
    state.subjects[incident] = made
    return made


def _remembered(state: State, incident: UUID) -> Subject | None:
    subject = state.subjects.pop(incident, None)
    if subject is not None:
        state.subjects[incident] = subject  # the last of those that changed
    return subject


def _add(subject: Subject, threat: UUID, kind: ThreatKind | None) -> None:
    if threat in subject.threats:
        return
    subject.threat_count += 1
    if len(subject.threats) < SHOWN:
        subject.threats[threat] = None
    if kind is not None and kind not in subject.kinds:
        subject.kinds[kind] = None


def _tell(policy: Routing, state: State, subject: Subject, moment: Moment, why: AlertTrigger) -> list[Decision]:
    made: list[Decision] = []
    for channel, rule in channels_of(policy, subject, moment).items():
        told = subject.told.setdefault(channel, Told())
        told.route = rule
        trigger = _trigger(policy, subject, told, moment, why)
        if trigger is None:
            told.since += 1
        else:
            manners = policy.channels.get(channel, Manners())
            bucket = state.buckets.setdefault(channel, Bucket(tokens=manners.burst, at=moment.at))
            made += _send(bucket, manners, subject, moment, channel, trigger=trigger)
    return made


def _trigger(policy: Routing, subject: Subject, told: Told, moment: Moment, why: AlertTrigger) -> AlertTrigger | None:
    """Why a channel is to be told now; None when this change joins the next alert."""
    if told.rank == 0 or why == "released":
        return why
    if RANK[subject.level] > told.rank:
        return "escalated"
    return "grew" if moment.at - told.at >= policy.group_window else None


def channels_of(policy: Routing, subject: Subject, moment: Moment) -> dict[str, str]:
    """The channels that the rules choose for an incident, each with the first rule that chose it."""
    found: dict[str, str] = {}
    for rule in policy.rules:
        if not fits(rule, subject.level, subject.kinds, subject.entities, at=moment.at, region=moment.region):
            continue
        for channel in rule.channels:
            found.setdefault(channel, rule.name)
        if rule.last:
            break
    return found


def _send(
    bucket: Bucket, manners: Manners, subject: Subject, moment: Moment, channel: str, *, trigger: AlertTrigger
) -> list[Decision]:
    told = subject.told[channel]
    critical = subject.level == "critical"
    due = _quiet_end(manners, subject, moment)
    made: list[Decision] = []
    if not _token(manners, bucket, due, free=critical):
        bucket.withheld += 1
        told.since += 1
        if told.kept_back < RANK[subject.level]:  # said once a level, not at every change
            told.kept_back = RANK[subject.level]
            made.append(_suppressed(subject, alert_id(moment.cause, channel), channel, told.route, "rate-limit"))
        return made
    if told.waiting is not None and told.until > moment.at:
        made.append(_suppressed(subject, told.waiting, channel, told.route, "superseded"))
    alert = _alert(subject, moment, channel, trigger, due, withheld=bucket.withheld)
    bucket.withheld = 0
    told.rank, told.at, told.since, told.kept_back = RANK[subject.level], moment.at, 0, 0
    told.waiting, told.until = (alert.alert, due) if due > moment.at else (None, 0)
    return [*made, alert]


def _token(manners: Manners, bucket: Bucket, at: Micros, *, free: bool) -> bool:
    """Take a token; what is `free` passes without one."""
    if not manners.per_minute:
        return True
    gained = max(0, at - bucket.at) / MINUTE * manners.per_minute
    bucket.tokens = min(float(manners.burst), bucket.tokens + gained)
    # rows a little out of order must not earn twice; a feed of another time must not stop the clock
    bucket.at = at if at < bucket.at - HOUR else max(at, bucket.at)
    if bucket.tokens >= 1.0 - 1.0 / SECOND:
        bucket.tokens -= 1.0
        return True
    return free


def _end(policy: Routing, state: State, change: IncidentResolved | IncidentMerged, moment: Moment) -> list[Decision]:
    subject = state.subjects.get(change.incident)
    if subject is None:
        return []
    subject.over = True
    made: list[Decision] = []
    for channel, told in subject.told.items():
        if told.waiting is not None and told.until > moment.at:
            made.append(_suppressed(subject, told.waiting, channel, told.route, "resolved"))
            told.rank, told.waiting = 0, None
    return made + _follow_up(policy, state, change, moment, "resolved")


def _follow_up(
    policy: Routing,
    state: State,
    change: IncidentAcknowledged | IncidentResolved | IncidentMerged,
    moment: Moment,
    trigger: AlertTrigger,
) -> list[Decision]:
    subject = _remembered(state, change.incident)
    if subject is None:
        return []
    subject.taken = True
    made: list[Decision] = []
    for channel, told in subject.told.items():
        manners = policy.channels.get(channel, Manners())
        if told.rank and manners.follow_ups:
            due = _quiet_end(manners, subject, moment)
            made.append(_alert(subject, moment, channel, trigger, due, withheld=0))
    return made


def _quiet_end(manners: Manners, subject: Subject, moment: Moment) -> Micros:
    """The end of the quiet hours that hold an alert back; the moment itself when none do."""
    critical = subject.level == "critical"
    return quiet_until(() if critical and manners.critical_passes else manners.quiet, moment.at)


def _alert(
    subject: Subject, moment: Moment, channel: str, trigger: AlertTrigger, due: Micros, *, withheld: int
) -> AlertRouted:
    told = subject.told[channel]
    return AlertRouted(
        alert=alert_id(moment.cause, channel),
        incident=subject.incident,
        channel=channel,
        route=told.route,
        trigger=trigger,
        level=subject.level,
        risk=max(0.0, subject.risk),
        title=subject.title,
        entities=tuple(islice(subject.entities, SHOWN)),
        kinds=tuple(subject.kinds),
        threats=tuple(subject.threats),
        threat_count=subject.threat_count,
        opened_at=subject.opened_at,
        not_before=due if due > moment.at else 0,
        grouped=told.since,
        withheld=withheld,
    )


def _suppressed(subject: Subject, alert: UUID, channel: str, rule: str, reason: SuppressionReason) -> AlertSuppressed:
    return AlertSuppressed(
        alert=alert,
        incident=subject.incident,
        channel=channel,
        route=rule,
        level=subject.level,
        risk=max(0.0, subject.risk),
        title=subject.title,
        reason=reason,
    )
