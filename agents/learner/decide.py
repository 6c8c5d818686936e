"""What the learner records of the models that the engine fitted, and of what verdicts made of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from domain.facts.model import (
    BaselineShifted,
    BaselineWarming,
    ModelRetired,
    ModelTimed,
    ShiftReason,
    ThresholdMoved,
    VotesCounted,
)
from domain.facts.operation import ModelTrained
from domain.facts.telemetry import BaselineLearned

Event: TypeAlias = (
    ModelTrained
    | ModelRetired
    | ModelTimed
    | BaselineLearned
    | BaselineWarming
    | BaselineShifted
    | ThresholdMoved
    | VotesCounted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFitted:
    """Command: a model was fitted on `samples` windows with `seed`, or moved by `verdicts`; `sha256` names it."""

    model: str
    version: str
    sha256: str
    samples: int
    verdicts: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFailed:
    """Command: a model could not be used any more (version "": never), and was left out."""

    model: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmedUp:
    """Command: a profile has seen enough of `hosts` hosts in `windows` windows."""

    profile: str
    windows: int
    hosts: int
    model_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpBegan:
    """Command: the warm-up of a profile, which needs `windows`, has `seen` so many."""

    profile: str
    windows: int
    seen: int
    least_peers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChanged:
    """Command: what is usual for a host in a profile is another thing now."""

    profile: str
    host: str
    reason: ShiftReason
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTracked:
    """Command: verdicts moved the level of a model's votes."""

    model: str
    level: float
    target: float
    verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesTaken:
    """Command: a voter's count since the last one."""

    model: str
    version: str
    judged: int
    votes: int
    disagreements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringTimed:
    """Command: how long a model took a window, in microseconds."""

    model: str
    windows: int
    mean_us: float
    p95_us: float


Command: TypeAlias = (
    ModelFitted | ModelFailed | WarmedUp | WarmUpBegan | HostChanged | LevelTracked | VotesTaken | ScoringTimed
)


RECORDED_AS: Final[dict[type[Command], type[Event]]] = {
    ModelFitted: ModelTrained,
    ModelFailed: ModelRetired,
    WarmedUp: BaselineLearned,
    WarmUpBegan: BaselineWarming,
    HostChanged: BaselineShifted,
    LevelTracked: ThresholdMoved,
    VotesTaken: VotesCounted,
    ScoringTimed: ModelTimed,
}
"""Command -> its fact, which has the same fields."""


def decide(command: Command) -> list[Event]:
    """One fact a command: the learner keeps no invariant of its own yet."""
    return [RECORDED_AS[type(command)](**{field.name: getattr(command, field.name) for field in fields(command)})]
