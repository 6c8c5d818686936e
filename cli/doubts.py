"""What the settings of responses name and nothing answers to: told by `status`, before an incident finds it out.

Rules:
    1. Names alone are looked at: nothing is built, nothing in the world is asked.
    2. What keeps a run from starting is wrong, and degrades health; what is only never used is a doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings


def doubts_of(settings: Settings) -> tuple[list[str], list[str]]:
    """What is wrong with the actuators and playbooks of the settings, and what is doubtful; a line each."""
    from adapters.act import types
    from adapters.playbooks import load_library, unused
    from adapters.playbooks.document import MissingPlaybooks
    from config.actuators import bound

    known = types()
    wrong = [
        f"[actuators.{name}]: there is no type {options.get('type', '')!r}, so no run can start; known are "
        f"{', '.join(known)}"
        for name, options in sorted(settings.actuators.items())
        if options.get("type") not in known
    ]
    try:
        library = load_library(settings.playbooks)
    except MissingPlaybooks as error:
        return [*wrong, str(error)], []
    names = bound(settings.actuators)
    lacking = {
        (playbook.name, step.actuator)
        for playbook in library.playbooks.values()
        for step in playbook.steps
        if step.actuator not in names
    }
    alone = [
        f"playbook {playbook} is never proposed: nobody set its actuator, [actuators.{actuator}]"
        for playbook, actuator in sorted(lacking)
    ]
    return wrong, [*unused(names, library.playbooks), *alone, *library.refused]
