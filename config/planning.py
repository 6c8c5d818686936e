"""[planning]: who can work incidents, and what is assumed before anything was learned."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from domain.values import KINDS


def _kind(name: str) -> str:
    """A skill: one that is no kind of threat would never be asked for."""
    if name not in {"*", *KINDS}:
        raise ValueError(f"{name!r} is no kind of threat: it must be * (all) or one of {', '.join(KINDS)}")
    return name


class ResponderEntry(BaseModel):
    """Somebody who can take incidents: `[[planning.responders]]` in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    capacity: float = Field(default=8.0, ge=0.0, le=10_000.0)
    skills: tuple[Annotated[str, AfterValidator(_kind)], ...] = ("*",)
    rate: float = Field(default=1.0, ge=0.0)


class PlanningSettings(BaseModel):
    """Who can work incidents. It shapes proposals only (`incidents plan`); nothing that is recorded depends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    responders: tuple[ResponderEntry, ...] = Field(
        default=(),
        description="Tables with name, capacity (free hours, 8), skills (kinds of threats; `*`: all) and rate (what an "
        "hour costs, 1).",
    )
    hours: float = Field(
        default=2.0, gt=0.0, description="Hours that an incident takes, as long as none was acknowledged and resolved."
    )
    success: float = Field(
        default=0.8, gt=0.0, lt=1.0, description="Probability that a resolved incident stays so, before any was."
    )
    time_limit: float = Field(default=2.0, ge=0.0, description="Seconds that the solver may take; then greedily.")

    @field_validator("responders")
    @classmethod
    def _names_differ(cls, value: tuple[ResponderEntry, ...]) -> tuple[ResponderEntry, ...]:
        names = [each.name for each in value]
        if len(set(names)) < len(names):
            raise ValueError("two responders have the same name: give each one of its own")
        return value
