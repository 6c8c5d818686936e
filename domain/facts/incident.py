"""Facts of `incident/<id>`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from domain.facts.response import UndoReason
from domain.values import Level

ReleaseReason = UndoReason | Literal["graver"]
LinkReason = Literal["same-entity", "flows", "shared-peer", "merged", "uncovered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened:
    """A threat of medium level or above that belonged to no incident opened one."""

    kind: ClassVar[str] = "incident-opened"
    decided: ClassVar[bool] = True
    incident: UUID
    threat: UUID
    title: str
    level: Level
    risk: float
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatLinked:
    """A threat about `entity` joined the incident; `risk` and `level` are the incident's, afterwards.

    The reason `uncovered`: it stood in it all the time, and no exception covers it any more.
    """

    kind: ClassVar[str] = "threat-linked"
    decided: ClassVar[bool] = True
    incident: UUID
    threat: UUID
    reason: LinkReason
    title: str
    level: Level
    risk: float
    entity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMerged:
    """This incident turned out to be part of an older one, `into`, which now holds its threats."""

    kind: ClassVar[str] = "incident-merged"
    decided: ClassVar[bool] = True
    incident: UUID
    into: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEscalated:
    """A threat of the incident grew, and the incident's risk with it; its level may be what it was before."""

    kind: ClassVar[str] = "incident-escalated"
    decided: ClassVar[bool] = True
    incident: UUID
    level: Level
    risk: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAcknowledged:
    """An operator took the incident."""

    kind: ClassVar[str] = "incident-acknowledged"
    decided: ClassVar[bool] = True
    incident: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentContained:
    """Every action of a response to the incident is in force (sensed: it depends on effects in the world)."""

    kind: ClassVar[str] = "incident-contained"
    decided: ClassVar[bool] = False
    incident: UUID
    response: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReleased:
    """Nothing holds the gravest threat back any more: the last action that did, of `response`, was taken back.

    What is in force against lesser threats of the incident stays. The reason `graver`: it is in force still, but
    against a lesser threat than the gravest of now.
    """

    kind: ClassVar[str] = "incident-released"
    decided: ClassVar[bool] = False
    incident: UUID
    response: UUID
    reason: ReleaseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentResolved:
    """An operator, or a verdict on its last open threat, ended the incident."""

    kind: ClassVar[str] = "incident-resolved"
    decided: ClassVar[bool] = True
    incident: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReopened:
    """A resolved incident saw its entity misbehave again within a day, or its false alarm turned out to be none."""

    kind: ClassVar[str] = "incident-reopened"
    decided: ClassVar[bool] = True
    incident: UUID
    threat: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded:
    """An operator wrote something down."""

    kind: ClassVar[str] = "note-added"
    decided: ClassVar[bool] = True
    incident: UUID
    text: str
