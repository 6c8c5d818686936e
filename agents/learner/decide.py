"""What the learner records of the models that the engine fitted."""

from __future__ import annotations

from dataclasses import dataclass

from domain.facts.operation import ModelTrained
from domain.facts.telemetry import BaselineLearned


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFitted:
    """Command: a model was fitted on `samples` rows with `seed`; `sha256` names its parameters."""

    model: str
    version: str
    sha256: str
    samples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmedUp:
    """Command: a profile has seen enough of `hosts` hosts in `windows` windows."""

    profile: str
    windows: int
    hosts: int
    model_version: str


def decide(command: ModelFitted | WarmedUp) -> list[ModelTrained | BaselineLearned]:
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
        case WarmedUp():
            return [
                BaselineLearned(
                    profile=command.profile,
                    windows=command.windows,
                    hosts=command.hosts,
                    model_version=command.model_version,
                )
            ]
