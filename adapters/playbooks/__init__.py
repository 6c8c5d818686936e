"""Playbooks on disk: CACAO 2.0 documents, those that come with the house and those of a folder of the user's own.

Rules:
    1. Every `*.json` of a folder is read, in the order of the names; the name of a playbook is that of its file.
    2. A playbook of the user's own takes the place of a shipped one of the same name.
    3. What is wrong or cannot be carried out here is refused with the place and the reason; the others are loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from adapters.playbooks.document import MissingPlaybooks, PlaybookError, open_document, usable
from adapters.playbooks.runnable import playbook_of
from agents.responder.playbook import Playbook
from agents.responder.ports import Actuator
from config.actuators import PARTS, PlaybookSettings
from domain.facts.response import CONTAINING

SHIPPED: Final = Path(__file__).resolve().parent.parent.parent / "config" / "playbooks"
"""The playbooks that come with the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What was found.

    Attributes:
        playbooks: those that can be carried out, by name.
        files: where each of them stands.
        refused: why others cannot be, one line each.
    """

    playbooks: Mapping[str, Playbook]
    files: Mapping[str, Path]
    refused: tuple[str, ...]


def load_playbooks(settings: PlaybookSettings) -> dict[str, Playbook]:
    """The playbooks that can be carried out, by name, in the order of the names. What is refused is left out.

    Raises:
        MissingPlaybooks: the folder that was set is not there.
    """
    return dict(load_library(settings).playbooks)


def load_library(settings: PlaybookSettings) -> Library:
    """The playbooks, and why others were refused.

    Raises:
        MissingPlaybooks: the folder that was set is not there.
    """
    found: dict[str, tuple[Playbook, Path]] = {}
    refused: list[str] = []
    for file in _files(settings):
        try:
            playbook = read_playbook(file)
        except PlaybookError as error:
            refused.append(str(error))
        else:
            found[playbook.name] = (playbook, file)
    return Library(
        playbooks={name: found[name][0] for name in sorted(found)},
        files={name: found[name][1] for name in sorted(found)},
        refused=tuple(refused),
    )


def read_playbook(file: Path) -> Playbook:
    """The playbook of a file.

    Raises:
        PlaybookError: it cannot be read, is no valid CACAO 2.0, or cannot be carried out or taken back here.
    """
    return playbook_of(usable(open_document(file)))


def unfit(playbook: Playbook, actuators: Mapping[str, Actuator]) -> list[str]:
    """Why the actuators that are set cannot carry a playbook out, a line for each step; empty when they can."""
    reasons = []
    for step in playbook.steps:
        actuator = actuators.get(step.actuator)
        where = f"{playbook.name}: step {step.step}"
        if actuator is None:
            reasons.append(f"{where}: there is no actuator {step.actuator}; set [actuators.{step.actuator}] type")
        elif (step.verb, step.target_type) not in actuator.undoes:
            reasons.append(f"{where}: the actuator {step.actuator} cannot {step.verb} {step.target_type}")
        elif actuator.undoes[step.verb, step.target_type] != step.undo:
            right = actuator.undoes[step.verb, step.target_type]
            reasons.append(f"{where}: {step.verb} is taken back by {right}, not by {step.undo}")
    return reasons


def only_rehearsed(playbook: Playbook, dry: Collection[str]) -> bool:
    """Whether the actuators `dry`, which only write down what they would do, have all of it that holds a threat back.

    Of a playbook that holds nothing back, all of it counts.
    """
    containing = [step for step in playbook.steps if step.verb in CONTAINING]
    return all(step.actuator in dry for step in containing or playbook.steps)


def unused(actuators: Collection[str], playbooks: Mapping[str, Playbook]) -> list[str]:
    """Names of actuators that no playbook names: a doubt for each, with the name that may have been meant."""
    named = {step.actuator for playbook in playbooks.values() for step in playbook.steps} | set(PARTS)
    doubts = []
    for name in sorted(set(actuators) - named):
        close = get_close_matches(name, sorted(named), 1)
        meant = f"did you mean [actuators.{close[0]}]?" if close else f"they name {', '.join(sorted(named))}"
        doubts.append(f"[actuators.{name}]: no playbook names this actuator, so it is never used: {meant}")
    return doubts


def files_of(path: Path) -> list[Path]:
    """The playbooks of a folder, in the order of their names; or the one file.

    Raises:
        MissingPlaybooks: there is neither.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MissingPlaybooks(f"{path}: no such file or folder of playbooks")
    return sorted(one for one in path.glob("*.json") if not one.name.startswith("."))


def _files(settings: PlaybookSettings) -> list[Path]:
    files = files_of(SHIPPED) if settings.shipped else []
    if settings.dir:
        own = Path(settings.dir).expanduser()
        if not own.is_dir():
            raise MissingPlaybooks(f"{own}: no such folder of playbooks; set [playbooks] dir to one that is there")
        files += files_of(own)
    return files
