"""What hosts are worth, as operators write it down.

In TOML, by address or network; a class alone is enough, a value of your own wins over that of the class:

    [assets.known]
    "10.0.0.10" = { class = "domain-controller" }
    "10.0.8.0/24" = { class = "printer", value = 2 }
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agents.responder.assets import CLASSES, ORDINARY, Asset, Assets


class AssetEntry(BaseModel):
    """One entry: a class, a value, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    label: str = Field(default="", alias="class")
    value: float | None = Field(default=None, ge=0.0, le=10.0)

    @model_validator(mode="after")
    def _known_or_valued(self) -> Self:
        if self.value is None and self.label not in CLASSES:
            raise ValueError(
                f"class {self.label!r} has no value of its own: give `value`, or one of {', '.join(CLASSES)}"
            )
        return self


class AssetSettings(BaseModel):
    """What hosts are worth: it moves the risk of threats that concern them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    known: dict[str, AssetEntry] = Field(
        default_factory=dict,
        description=(
            "By address or network: `{ class = ..., value = 0-10 }`, one of the two is enough. Classes: "
            f"{', '.join(f'{name} {value:g}' for name, value in CLASSES.items())}. "
            f"What is not listed is worth {ORDINARY:g} and changes no risk."
        ),
    )

    @field_validator("known")
    @classmethod
    def _are_places(cls, known: dict[str, AssetEntry]) -> dict[str, AssetEntry]:
        for place in known:
            ip_network(place)  # says itself what is wrong with it
        return known

    def assets(self) -> Assets:
        """The entries, to be looked up."""
        return Assets.of(
            Asset(
                place=place,
                value=CLASSES.get(entry.label, ORDINARY) if entry.value is None else entry.value,
                label=entry.label,
            )
            for place, entry in sorted(self.known.items())
        )
