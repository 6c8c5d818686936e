"""What must hold between the parts of a CACAO document: every name resolves, and every way comes to an end.

Rules:
    1. The start, every way on (`on_*`, `next_steps`, `cases`), agents, targets, log-ins, markings, extensions resolve.
    2. From every step that can be reached an end can be reached: nothing goes round for ever.
    3. `__name__:value` names a variable of the step or of the playbook, in commands that are base64 too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from adapters.playbooks.cacao import VARIABLE_NAME
from adapters.playbooks.shape import Problem, shown, under

Json = dict[str, Any]

WAYS: Final = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
USED: Final = re.compile(rf"({VARIABLE_NAME}):value")
ENCODED: Final = frozenset({"content_b64", "command_b64"})


def ways_on(step: Json) -> Iterator[tuple[str, str]]:
    """Where a step leads to: (place within the step, id of the next)."""
    for name in WAYS:
        if name in step:
            yield name, step[name]
    for i, following in enumerate(step.get("next_steps", ())):
        yield f"next_steps[{i}]", following
    for case, following in step.get("cases", {}).items():
        yield under("cases", case), following


def links(body: Json) -> Iterator[Problem]:
    """Ways that lead nowhere."""
    steps: Json = body["workflow"]
    yield from _begins(body, steps)
    for key, step in steps.items():
        here = under("workflow", key)
        ways = list(ways_on(step))
        if step["type"] == "end" and ways:
            yield Problem(place=f"{here}.{ways[0][0]}", reason="an end leads nowhere on")
        if step["type"] != "end" and not ways:
            yield Problem(place=here, reason="leads nowhere on and is no end")
        if "on_completion" in step and "on_success" in step:
            yield Problem(place=f"{here}.on_success", reason="cannot be beside on_completion")
        for name, following in ways:
            if following not in steps:
                yield Problem(place=f"{here}.{name}", reason=f"{following} is no step of the workflow")


def _begins(body: Json, steps: Json) -> Iterator[Problem]:
    start, exception = body["workflow_start"], body.get("workflow_exception")
    if start not in steps:
        yield Problem(place="workflow_start", reason=f"{start} is no step of the workflow")
    elif steps[start]["type"] != "start":
        reason = f"{start} is a step of the type {steps[start]['type']}, not start"
        yield Problem(place="workflow_start", reason=reason, grave=False)
    if exception is not None and exception not in steps:
        yield Problem(place="workflow_exception", reason=f"{exception} is no step of the workflow", grave=False)


def endings(body: Json) -> Iterator[Problem]:
    """Steps from which no end can be reached, told where they go round; steps that nothing leads to are noted."""
    steps: Json = body["workflow"]
    onward = {key: [following for _, following in ways_on(step)] for key, step in steps.items()}
    begins = [key for key in (body["workflow_start"], body.get("workflow_exception")) if key in steps]
    met = _reached(begins, onward)
    backward: dict[str, list[str]] = {key: [] for key in steps}
    for key, following in onward.items():
        for other in following:
            backward[other].append(key)
    ending = _reached([key for key, step in steps.items() if step["type"] == "end"], backward)
    stuck = [key for key in steps if key in met and key not in ending]
    for key in stuck:
        if key in _reached(onward[key], onward):
            yield Problem(place=under("workflow", key), reason="goes round for ever: no end can be reached from here")
            break
    for key in steps:
        if key not in met:
            yield Problem(place=under("workflow", key), reason="no other step leads here", grave=False)


def _reached(begins: Collection[str], onward: Mapping[str, list[str]]) -> set[str]:
    met = set(begins)
    open_ = list(begins)
    while open_:
        for following in onward[open_.pop()]:
            if following not in met:
                met.add(following)
                open_.append(following)
    return met


def actors(body: Json) -> Iterator[Problem]:
    """Agents, targets and log-ins that are not defined."""
    agents = body.get("agent_definitions", {})
    targets = {**agents, **body.get("target_definitions", {})}
    logins = body.get("authentication_info_definitions", {})
    for key, step in body["workflow"].items():
        here = under("workflow", key)
        if step["type"] != "action":
            continue
        if step["agent"] not in agents:
            yield Problem(place=f"{here}.agent", reason=f"{step['agent']} is not in agent_definitions")
        for i, target in enumerate(step.get("targets", ())):
            if target not in targets:
                yield Problem(place=f"{here}.targets[{i}]", reason=f"{target} is not in target_definitions")
    for section in ("agent_definitions", "target_definitions"):
        for key, one in body.get(section, {}).items():
            login = one.get("authentication_info")
            if isinstance(login, str) and login not in logins:
                place = f"{under(section, key)}.authentication_info"
                yield Problem(place=place, reason=f"{login} is not in authentication_info_definitions")


def extensions(body: Json) -> Iterator[Problem]:
    """Extensions and markings that are used and not defined."""
    defined = body.get("extension_definitions", {})
    for place, owner in _owners(body):
        for name in ("playbook_extensions", "step_extensions", "agent_target_extensions"):
            for key in owner.get(name, {}):
                if key not in defined:
                    yield Problem(place=under(under(place, name), key), reason="is not in extension_definitions")
    markings = body.get("data_marking_definitions", {})
    for i, marking in enumerate(body.get("markings", ())):
        if marking not in markings:
            yield Problem(place=f"markings[{i}]", reason=f"{marking} is not in data_marking_definitions")


def _owners(body: Json) -> Iterator[tuple[str, Json]]:
    yield "", body
    for section in ("workflow", "agent_definitions", "target_definitions"):
        for key, one in body.get(section, {}).items():
            yield under(section, key), one


def variables(body: Json) -> Iterator[Problem]:
    """Variables that are used and declared nowhere."""
    shared = body.get("playbook_variables", {})
    for section in ("agent_definitions", "target_definitions", "authentication_info_definitions"):
        for key, one in body.get(section, {}).items():
            yield from _used(one, under(section, key), shared)
    for key, step in body["workflow"].items():
        yield from _used(step, under("workflow", key), {**shared, **step.get("step_variables", {})})


def _used(value: Any, place: str, declared: Mapping[str, Any]) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _used(decoded(part) if name in ENCODED else part, under(place, name), declared)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _used(part, under(place, i), declared)
    elif isinstance(value, str):
        for match in USED.finditer(value):
            if match[1] not in declared:
                yield Problem(place=place, reason=f"the variable {match[1]} is not declared")


def decoded(value: Any) -> str:
    """The text that a base64 text stands for; empty when it stands for none."""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError, TypeError):
        return ""


def dates(body: Json) -> Iterator[Problem]:
    """Dates in the wrong order."""
    if body["modified"] < body["created"]:
        reason = f"{shown(body['modified'])} is before it was created"
        yield Problem(place="modified", reason=reason, grave=False)
    if body.get("valid_until", "9999") <= body.get("valid_from", ""):
        yield Problem(place="valid_until", reason=f"{shown(body['valid_until'])} is not after valid_from")


CHECKS: Final[tuple[Callable[[Json], Iterator[Problem]], ...]] = (links, actors, extensions, variables, dates)
"""What is asked of a document whose parts have the right shape. `endings` comes after them: it needs whole links."""
