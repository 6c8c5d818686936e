"""Actuators: what carries actions out and takes them back, found by entry point and bound by the settings.

A package adds one by an entry point of the group `myrmidon.actuators` that names a function (see `Build`):

    [project.entry-points."myrmidon.actuators"]
    my-firewall = "my_package.firewall:build"

Rules:
    1. An actuator that cannot take back what it does cannot be registered: its table `undoes` must not be empty.
    2. Ours are registered in the same way; they are there even where the installed metadata is older than the code.
    3. Building one has no effect in the world: it is asked first by `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.act.absent import Absent
from adapters.act.options import SetupError
from agents.responder.ports import Actuator
from config.actuators import bound

GROUP: Final = "myrmidon.actuators"

OURS: Final = {
    "dry-run": "adapters.act.dry_run:build",
    "nftables": "adapters.act.nftables:build",
    "openc2-http": "adapters.act.openc2:build",
    "ticket": "adapters.act.ticket:build",
}
"""Our actuators as pyproject.toml registers them (a test holds both equal)."""


class Build(Protocol):
    """Makes an actuator of the name that playbooks use, from its options; `home` is where it may keep records."""

    def __call__(self, name: str, options: Mapping[str, Any], home: Path) -> Actuator:
        """Make it.

        Raises:
            SetupError: an option is missing or does not fit.
        """


def build_actuators(
    given: Mapping[str, Mapping[str, Any]], home: Path, *, lenient: bool = False
) -> dict[str, Actuator]:
    """The actuators by name: those of `[actuators.NAME]`, and dry run for the parts that are not set.

    Where `lenient`, one that cannot be made is stood in for by `Absent`.

    Raises:
        SetupError: one cannot be made, or cannot take back what it does.
    """
    made: dict[str, Actuator] = {}
    for name, options in sorted(bound(given).items()):
        try:
            made[name] = _built(name, options, home)
        except SetupError as error:
            if not lenient:
                raise
            made[name] = Absent(name, str(error))
    return made


def _built(name: str, options: Mapping[str, Any], home: Path) -> Actuator:
    of = options.get("type")
    if not isinstance(of, str) or not of:
        raise SetupError(f"[actuators.{name}]: says no type; known are {', '.join(types())}")
    return registered(_builder(of, name)(name, options, home), of)


def registered(actuator: Actuator, of: str) -> Actuator:
    """The actuator, if it can take back what it does.

    Raises:
        SetupError: it has no undo.
    """
    missing = [part for part in ("name", "undoes", "check", "execute", "effect", "undo") if not hasattr(actuator, part)]
    if missing:
        raise SetupError(f"actuator {of}: lacks {', '.join(missing)}: see agents/responder/ports.py")
    bare = [" ".join(pair) for pair, undo in actuator.undoes.items() if not undo]
    if bare or not actuator.undoes:
        what = f"no undo for {bare[0]}" if bare else "no undo for anything"
        raise SetupError(f"actuator {of}: has {what}; what cannot be taken back is not registered")
    return actuator


def types() -> tuple[str, ...]:
    """Every type of actuator that is installed, by name."""
    return tuple(sorted({*OURS, *(entry.name for entry in entry_points(group=GROUP))}))


def _builder(of: str, name: str) -> Build:
    if of in OURS:
        module, _, attribute = OURS[of].partition(":")
        build: Build = getattr(import_module(module), attribute)
        return build
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if of not in found:
        raise SetupError(f"[actuators.{name}]: there is no type {of!r}; known are {', '.join(types())}")
    return _loaded(found[of])


def _loaded(entry: EntryPoint) -> Build:
    try:
        build: Build = entry.load()
    except Exception as error:
        raise SetupError(
            f"actuator {entry.name} ({entry.value}): cannot be loaded ({error}): mend or remove it"
        ) from error
    return build
