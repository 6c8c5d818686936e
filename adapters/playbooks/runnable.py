"""From a valid CACAO document to a playbook that can be carried out here, and taken back.

Rules:
    1. The workflow is a line: start, actions, end. Every action is one OpenC2 command (`openc2-http`).
    2. The target of the command is one text: `__entity__:value`, `__peer__:value` (each peer of the threat), or a
       literal. An `ipv4_net` stands for addresses of both families.
    3. The command's own argument `duration` (ms) is how long it lasts; a command without one is not carried out.
    4. What CACAO has no word for stands in our extension (`EXTENSION`): of the playbook, the `kinds` of threat that it
       answers and its expected `duration` in seconds; of a step, the OpenC2 action that is its `undo`, and whether it
       asks for `approval`; of an agent, the name of the `actuator`.
    5. Its cost is CACAO's `impact` (0-100) over ten. ATT&CK, D3FEND and CSF ids are external references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast, get_args

from adapters.playbooks.document import Document, PlaybookError
from adapters.playbooks.shape import one_line
from adapters.playbooks.workflow import Json, decoded
from agents.responder.playbook import Playbook, Step
from domain.values import DAY, Micros, ThreatKind

EXTENSION: Final = "extension-definition--aa6ca205-d6f4-5f70-abe6-f2b96e609898"
"""Our extension of CACAO: kinds, undo, approval, actuator."""

TAGS: Final = {
    "MITRE ATT&CK": re.compile(r"T\d{4}(\.\d{3})?"),
    "MITRE D3FEND": re.compile(r"D3-[A-Z0-9]+"),
    "NIST CSF 2.0": re.compile(r"[A-Z]{2}\.[A-Z]{2}-\d{2}"),
}
"""Names of external references that are read as tags, and what their ids look like."""

LONGEST: Final[Micros] = 365 * DAY
ROLES: Final = {"__entity__:value": "entity", "__peer__:value": "peer"}
ONCE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of playbooks and actuators."""


class NotRunnable(PlaybookError):  # noqa: N818 - says what it is
    """A valid document that cannot be carried out here, or not taken back: the step, and why."""


def playbook_of(document: Document) -> Playbook:
    """The playbook that a valid document is.

    Raises:
        NotRunnable: the first step that cannot be carried out or taken back, and why.
    """
    body, name = document.body, Path(document.file).stem
    if not ONCE.fullmatch(name):
        raise NotRunnable(f"{document.file}: its name may hold small letters, digits, '.', '_' and '-' only")
    if body.get("revoked"):
        raise NotRunnable(f"{document.file}: not runnable: its author revoked it")
    own = body.get("playbook_extensions", {}).get(EXTENSION, {})
    steps = tuple(_step(document, key, body["workflow"][key]) for key in _line(document))
    return Playbook(
        name=name,
        playbook=body["id"],
        version=document.version,
        title=body["name"],
        description=body.get("description", ""),
        kinds=_kinds(document, own.get("kinds")),
        steps=steps,
        duration=_duration(document, own.get("duration", 60)),
        cost=body.get("impact", 0) / 10,
        techniques=tags(body, "MITRE ATT&CK"),
        defends=tags(body, "MITRE D3FEND"),
        csf=tags(body, "NIST CSF 2.0"),
    )


def tags(body: Json, framework: str) -> tuple[str, ...]:
    """Ids of one framework in the order in which the playbook, and then its steps, name them."""
    owners = [body, *body["workflow"].values()]
    found = (
        reference.get("external_id", "")
        for owner in owners
        for reference in owner.get("external_references", ())
        if reference["name"] == framework
    )
    return tuple(dict.fromkeys(one for one in found if TAGS[framework].fullmatch(one)))


def _kinds(document: Document, given: Any) -> tuple[ThreatKind, ...]:
    known = get_args(ThreatKind)
    if not isinstance(given, list) or not given:
        raise NotRunnable(f"{document.file}: not runnable: names no kinds of threat (playbook_extensions.{EXTENSION})")
    wrong = [kind for kind in given if kind not in known]
    if wrong:
        raise NotRunnable(f"{document.file}: not runnable: {wrong[0]!r} is no kind of threat; see docs/kinds.md")
    return cast("tuple[ThreatKind, ...]", tuple(dict.fromkeys(given)))


def _duration(document: Document, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1e9:
        raise NotRunnable(f"{document.file}: not runnable: its duration must be a number of seconds, is {given!r}")
    return float(given)


def _line(document: Document) -> Iterator[str]:
    """Ids of the actions from start to end."""
    steps: Json = document.body["workflow"]
    key, met = document.body["workflow_start"], set[str]()
    while steps[key]["type"] != "end":
        step = steps[key]
        if step["type"] not in {"start", "action"}:
            raise _refused(document, key, f"steps of the type {step['type']} are not carried out here")
        if key in met:
            raise _refused(document, key, "comes round again")
        met.add(key)
        if step["type"] == "action":
            yield key
        key = step.get("on_completion") or step.get("on_success") or step["on_failure"]
    if not any(steps[one]["type"] == "action" for one in met):
        raise _refused(document, key, "there is no action before it")


def _step(document: Document, key: str, step: Json) -> Step:
    if len(step["commands"]) != 1:
        raise _refused(document, key, f"has {len(step['commands'])} commands: give each a step of its own")
    request = _request(document, key, step["commands"][0])
    target_type, target = _target(document, key, request.get("target"))
    own = step.get("step_extensions", {}).get(EXTENSION, {})
    undo, approval = own.get("undo"), own.get("approval", False)
    if not isinstance(undo, str) or not undo:
        raise _refused(document, key, f"has no undo (step_extensions.{EXTENSION}.undo)")
    if not isinstance(approval, bool):
        raise _refused(document, key, "approval must be true or false")
    return Step(
        step=key,
        name=step.get("name", key),
        actuator=_actuator(document, key, step["agent"]),
        verb=request["action"],
        target_type=target_type,
        target=target,
        ttl=_ttl(document, key, request),
        undo=undo,
        approval=approval,
    )


def _request(document: Document, key: str, command: Json) -> Json:
    """The OpenC2 command, alone (OpenC2 over HTTPS 1.0) or in a message (1.1)."""
    if command["type"] != "openc2-http":
        raise _refused(document, key, f"a command of the type {command['type']} is not carried out here")
    try:
        found = json.loads(decoded(command["content_b64"]) if "content_b64" in command else command["content"])
        found = found["body"]["openc2"]["request"] if "body" in found else found
        right = isinstance(found["action"], str) and bool(found["action"])
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise _refused(document, key, "its content is no OpenC2 command")
    return cast("Json", found)


def _target(document: Document, key: str, given: Any) -> tuple[str, str]:
    if not isinstance(given, dict) or len(given) != 1:
        raise _refused(document, key, "its command needs one target")
    target_type, value = next(iter(given.items()))
    if not isinstance(value, str) or not value:
        raise _refused(document, key, f"its target {target_type} is no text")
    if ":value" in value and value not in ROLES:
        raise _refused(document, key, f"{value} cannot be filled in; known are {', '.join(ROLES)}")
    return target_type, ROLES.get(value, value)


def _ttl(document: Document, key: str, request: Json) -> Micros:
    args = request.get("args")
    given = args.get("duration") if isinstance(args, dict) else None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given <= LONGEST // 1000:
        raise _refused(document, key, f"its command needs an argument duration of 1 to {LONGEST // 1000} ms")
    return given * 1000


def _actuator(document: Document, key: str, agent: str) -> str:
    own = document.body["agent_definitions"][agent].get("agent_target_extensions", {}).get(EXTENSION, {})
    name = own.get("actuator")
    if not isinstance(name, str) or not ONCE.fullmatch(name):
        raise _refused(document, key, f"its agent names no actuator (agent_target_extensions.{EXTENSION}.actuator)")
    return name


def _refused(document: Document, key: str, reason: str) -> NotRunnable:
    return NotRunnable(f"{document.file}: not runnable: step {key}: {one_line(reason)}")
