"""A small valid playbook, and ways to make it wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

from adapters.playbooks.document import Document, document_of
from adapters.playbooks.runnable import EXTENSION

Json = dict[str, Any]

START = "start--10000000-0000-4000-8000-000000000001"
FIRST = "action--10000000-0000-4000-8000-000000000002"
SECOND = "action--10000000-0000-4000-8000-000000000003"
END = "end--10000000-0000-4000-8000-000000000004"
AGENT = "security-category--10000000-0000-4000-8000-000000000005"
ME = "identity--10000000-0000-4000-8000-000000000006"
NOWHERE = "action--10000000-0000-4000-8000-00000000ffff"


def openc2(verb: str = "deny", target: Json | None = None, **args: Any) -> Json:
    """A command, its content in plain text."""
    body = {
        "action": verb,
        "target": {"ipv4_net": "__entity__:value"} if target is None else target,
        "args": {"duration": 60_000, **args},
    }
    return {"type": "openc2-http", "command": "POST /.well-known/openc2 HTTP/1.1", "content": json.dumps(body)}


def action(following: str, command: Json | None = None) -> Json:
    return {
        "type": "action",
        "name": "Block",
        "agent": AGENT,
        "on_completion": following,
        "commands": [command or openc2()],
        "step_extensions": {EXTENSION: {"undo": "allow"}},
    }


VALID: Json = {
    "type": "playbook",
    "spec_version": "cacao-2.0",
    "id": "playbook--10000000-0000-4000-8000-000000000000",
    "name": "Block it",
    "created_by": ME,
    "created": "2026-01-01T00:00:00.000Z",
    "modified": "2026-01-02T00:00:00.000Z",
    "impact": 40,
    "playbook_variables": {"__entity__": {"type": "string", "external": True}},
    "workflow_start": START,
    "workflow": {
        START: {"type": "start", "on_completion": FIRST},
        FIRST: action(SECOND),
        SECOND: action(END),
        END: {"type": "end"},
    },
    "agent_definitions": {
        AGENT: {
            "type": "security-category",
            "name": "Firewall",
            "category": ["firewall"],
            "agent_target_extensions": {EXTENSION: {"actuator": "firewall"}},
        }
    },
    "extension_definitions": {
        EXTENSION: {
            "type": "extension-definition",
            "name": "Ours",
            "created_by": ME,
            "schema": "see the docs",
            "version": "1",
        }
    },
    "playbook_extensions": {EXTENSION: {"kinds": ["flood"]}},
}

GONE = object()


def changed(*path: str | int, to: Any) -> Json:
    """The valid playbook with another value at a place; `GONE` takes it out."""
    body = copy.deepcopy(VALID)
    here: Any = body
    for name in path[:-1]:
        here = here[name]
    if to is GONE:
        del here[path[-1]]
    else:
        here[path[-1]] = to
    return body


def read(body: Any, file: str = "block-it.json") -> Document:
    return document_of(file, json.dumps(body).encode())
