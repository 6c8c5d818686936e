"""Who votes: the families of models found by entry point, ours and those of other packages.

A package adds a model by an entry point of the group `myrmidon.models` that names a family (see `base.Family`):

    [project.entry-points."myrmidon.models"]
    my-model = "my_package.model:MyModel"

Rules:
    1. Families are ordered by name, so that the votes do not depend on the order of installation.
    2. Ours are registered in the same way; they vote even where the installed metadata is older than the code.
    3. An entry point that cannot be loaded, or that names what is no family, is left out, and `survey` says why.
"""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple

from domain.errors import MyrmidonError
from engine.models.base import Family

GROUP: Final = "myrmidon.models"

OURS: Final = {
    "bayes": "engine.models.bayes:Bayes",
    "isolation-forest": "engine.models.isolation:IsolationForest",
    "sequence": "engine.models.sequence:SequenceModel",
}
"""Our families as pyproject.toml registers them (a test holds both equal)."""


class ModelUnusable(MyrmidonError):  # noqa: N818 - says what it is
    """A model of another package cannot be used."""


class Survey(NamedTuple):
    """The families that can be used, by name, and why others cannot, by the name of the entry point."""

    families: tuple[Family, ...]
    unusable: dict[str, ModelUnusable]


def survey(*, others: bool = True) -> Survey:
    """Look at every family that is installed (or only at ours)."""
    found = {entry.name: entry for entry in entry_points(group=GROUP) if others and entry.name not in OURS}
    usable = {name: _ours(name) for name in OURS}
    unusable: dict[str, ModelUnusable] = {}
    for name, entry in sorted(found.items()):
        try:
            family = _loaded(entry, usable)
            usable[family.name] = family
        except ModelUnusable as error:
            unusable[name] = error
    return Survey(tuple(family for _, family in sorted(usable.items())), unusable)


def families() -> tuple[Family, ...]:
    """Every family that can be used, by name."""
    return survey().families


def family_of(name: str) -> Family:
    """The family of that name.

    Raises:
        ModelUnusable: no package provides it, or what it provides cannot be used.
    """
    if name in OURS:
        return _ours(name)
    found = survey()
    for family in found.families:
        if family.name == name:
            return family
    if name in found.unusable:
        raise found.unusable[name]
    raise ModelUnusable(f"model {name}: no installed package provides it; install the package that did")


def _ours(name: str) -> Family:
    module, _, attribute = OURS[name].partition(":")
    family: Family = getattr(import_module(module), attribute)
    return family


def _loaded(entry: EntryPoint, taken: Container[str]) -> Family:
    try:
        family: Any = entry.load()
    except Exception as error:
        raise ModelUnusable(
            f"model {entry.name} ({entry.value}): cannot be loaded ({type(error).__name__}: {error}): mend or remove it"
        ) from error
    missing = [part for part in ("name", "reads", "fit", "load") if not hasattr(family, part)]
    if missing or family.reads not in {"vectors", "letters"}:
        lacks = ", ".join(missing) or 'reads = "vectors" or "letters"'
        raise ModelUnusable(f"model {entry.name} ({entry.value}): lacks {lacks}: see engine/models/base.py")
    if family.name in taken:
        raise ModelUnusable(f"model {entry.name} ({entry.value}): the name {family.name} is taken: give it another")
    return family  # type: ignore[no-any-return]
