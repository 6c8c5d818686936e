"""What the learner records of the models that the engine fitted, and of what verdicts made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from domain.facts.model import BaselineShifted, BaselineWarming, ModelRetired, ShiftReason, ThresholdMoved, VotesCounted
from domain.facts.operation import ModelTrained
from domain.facts.telemetry import BaselineLearned

Event: TypeAlias = (
    ModelTrained | ModelRetired | BaselineLearned | BaselineWarming | BaselineShifted | ThresholdMoved | VotesCounted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFitted:
    """Command: a model was fitted on `samples` rows with `seed`; `sha256` names its parameters."""

    model: str
    version: str
    sha256: str
    samples: int
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
    """Command: the first window of a profile was seen; it needs `windows` of them."""

    profile: str
    windows: int
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


Command: TypeAlias = ModelFitted | ModelFailed | WarmedUp | WarmUpBegan | HostChanged | LevelTracked | VotesTaken


def decide(command: Command) -> list[Event]:
    """One fact a command: the learner keeps no invariant of its own yet."""
    match command:
        case ModelFitted():
            return [
                ModelTrained(
                    model=command.model,
                    version=command.version,
                    sha256=command.sha256,
                    samples=command.samples,
                    seed=command.seed,
                )
            ]
        case ModelFailed(model=model, version=version, reason=reason):
            return [ModelRetired(model=model, version=version, reason=reason)]
        case WarmedUp():
            return [
                BaselineLearned(
                    profile=command.profile,
                    windows=command.windows,
                    hosts=command.hosts,
                    model_version=command.model_version,
                )
            ]
        case WarmUpBegan(profile=profile, windows=windows, least_peers=least_peers):
            return [BaselineWarming(profile=profile, windows=windows, least_peers=least_peers)]
        case HostChanged(profile=profile, host=host, reason=reason, windows=windows):
            return [BaselineShifted(profile=profile, host=host, reason=reason, windows=windows)]
        case LevelTracked(model=model, level=level, target=target, verdicts=verdicts):
            return [ThresholdMoved(model=model, level=level, target=target, verdicts=verdicts)]
        case VotesTaken():
            return [
                VotesCounted(
                    model=command.model,
                    version=command.version,
                    judged=command.judged,
                    votes=command.votes,
                    disagreements=command.disagreements,
                )
            ]
