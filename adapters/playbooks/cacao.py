"""What CACAO Security Playbooks 2.0 (OASIS) asks of a document, as tables.

Rules:
    1. Properties, types, ranges and vocabularies are those of the standard; open vocabularies only give notes.
    2. An identifier of a known type (`http-api--...`) holds an object of that type; identifiers of types that the
       standard does not have are taken as they are.
    3. Where common tools write what the standard does not have (a text that is no identifier as the key of an agent, a
       workflow that begins with an action), and nothing here depends on it, it is a note.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.playbooks.shape import (
    IDENTIFIER,
    UUID,
    Kind,
    Problem,
    Shape,
    anything,
    exactly,
    flag,
    identifier,
    known,
    many,
    mapping,
    named,
    number,
    shown,
    text,
    timestamp,
    under,
)

PLAYBOOK_TYPES: Final = frozenset(
    {"attack", "detection", "engagement", "investigation", "mitigation", "notification", "prevention", "remediation"}
)
ACTIVITIES: Final = frozenset(
    {
        "compose-content", "deliver-content", "identify-audience", "identify-channel", "scan-system", "match-indicator",
        "analyze-collected-data", "identify-indicators", "scan-vulnerabilities", "configure-systems", "restrict-access",
        "disconnect-system", "eliminate-risk", "revert-system", "restore-data", "restore-capabilities", "map-network",
        "identify-steps", "step-sequence", "prepare-engagement", "execute-operation", "analyze-engagement-results",
    }
)  # fmt: skip
CATEGORIES: Final = frozenset(
    {
        "aaa", "analytics", "caldera", "content-gateway", "desktop", "endpoint", "firewall", "handset", "ids", "ips",
        "kali", "manx", "orchestrator", "os-linux", "os-mac", "os-windows", "redcanary-atomicred", "ragdoll", "router",
        "sandcat", "server", "siem", "switch", "ticketing", "tip", "wireless",
    }
)  # fmt: skip
VARIABLE_TYPES: Final = frozenset(
    {
        "bool", "dictionary", "float", "hexstring", "integer", "ipv4-addr", "ipv6-addr", "long", "mac-addr", "hash",
        "md5-hash", "sha256-hash", "string", "uri", "uuid",
    }
)  # fmt: skip

VARIABLE_NAME: Final = r"__[a-zA-Z_][a-zA-Z0-9_-]{0,199}__"
MAIL: Final = r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
EXTENSIONS: Final[Kind] = mapping(rf"extension-definition--{UUID}", "identifier of an extension", Shape(open=True))


def base64_text(value: Any, place: str) -> Iterator[Problem]:
    """Base64, with nothing else in it."""
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        yield Problem(place=place, reason=f"{shown(value)} is no base64")


def value_of_variable(value: Any, place: str) -> Iterator[Problem]:
    """A text, an object of texts, or nothing."""
    if value is not None and not isinstance(value, str | dict):
        yield Problem(place=place, reason=f"must be a text, is {named(value)}")


REFERENCE: Final = Shape(
    needs={"name": text()},
    may={name: text() for name in ("description", "source", "url", "external_id", "reference_id")},
)
VARIABLE: Final = Shape(
    needs={"type": known(VARIABLE_TYPES)},
    may={"description": text(), "value": value_of_variable, "constant": flag, "external": flag},
)
VARIABLES: Final[Kind] = mapping(VARIABLE_NAME, "name of a variable (__name__)", VARIABLE)
LOCATION: Final = Shape(may={"name": text(), "description": text()}, open=True)
CONTACT: Final = Shape(
    may={
        "email": mapping(r"[a-zA-Z0-9_-]{1,250}", "name of an address", text(MAIL, "e-mail address")),
        "phone": mapping(r"[a-zA-Z0-9_-]{1,250}", "name of a number", text()),
        "contact_details": text(),
    }
)
ADDRESS: Final = mapping(
    r"url|l2mac|ipv4|ipv6|vlan|dname", "kind of address (url, l2mac, ipv4, ipv6, vlan, dname)", many(anything)
)

_AGENT: Final[Mapping[str, Kind]] = {
    "description": text(), "location": LOCATION, "agent_target_extensions": EXTENSIONS,
}  # fmt: skip
_REACHED: Final[Mapping[str, Kind]] = {
    **_AGENT, "port": text(r"\d{1,5}|__.+__:value", "port"), "authentication_info": text(),
    "category": many(known(CATEGORIES)),
}  # fmt: skip


def _agent(of: str, needs: Mapping[str, Kind], may: Mapping[str, Kind]) -> Shape:
    return Shape(needs={"type": exactly(of), "name": text(), **needs}, may=may)


AGENTS: Final[Mapping[str, Shape]] = {
    "group": _agent("group", {}, {**_AGENT, "contact": CONTACT}),
    "individual": _agent("individual", {}, {**_AGENT, "contact": CONTACT}),
    "organization": _agent("organization", {}, {**_AGENT, "contact": CONTACT}),
    "location": _agent("location", {}, {**_AGENT, "logical": many(text())}),
    "sector": _agent("sector", {"sector": text()}, _AGENT),
    "security-category": _agent("security-category", {"category": many(known(CATEGORIES))}, _AGENT),
    "http-api": _agent("http-api", {"address": ADDRESS}, _REACHED),
    "linux": _agent("linux", {"address": ADDRESS}, _REACHED),
    "net-address": _agent("net-address", {"address": ADDRESS}, _REACHED),
    "ssh": _agent("ssh", {"address": ADDRESS}, _REACHED),
}
"""Agents and targets by the type of their identifier."""

ANY_AGENT: Final = Shape(needs={"type": text(), "name": text()}, may={"agent_target_extensions": EXTENSIONS}, open=True)

_LOGIN: Final[Mapping[str, Kind]] = {
    "name": text(), "description": text(), "password": text(), "kms": flag, "kms_key_identifier": text(),
    "authentication_info_extensions": EXTENSIONS,
}  # fmt: skip
LOGINS: Final[Mapping[str, Shape]] = {
    "http-basic": Shape(needs={"type": exactly("http-basic")}, may={**_LOGIN, "user_id": text(), "username": text()}),
    "oauth2": Shape(needs={"type": exactly("oauth2"), "oauth_header": text(), "token": text()}, may=_LOGIN),
    "user-auth": Shape(needs={"type": exactly("user-auth")}, may={**_LOGIN, "username": text()}),
}
ANY_LOGIN: Final = Shape(needs={"type": text()}, open=True)

_COMMAND: Final[Mapping[str, Kind]] = {
    "type": text(), "description": text(), "version": text(), "playbook_activity": known(ACTIVITIES),
    "external_references": many(REFERENCE),
}  # fmt: skip
_SPOKEN: Final = Shape(
    one_of=("command", "command_b64"), may={**_COMMAND, "command": text(), "command_b64": base64_text}
)
_ENCODED: Final = Shape(needs={"command_b64": base64_text}, may=_COMMAND)
_HEADERS: Final = mapping(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "name of a header", many(text()))
_REQUEST: Final[Mapping[str, Kind]] = {**_COMMAND, "headers": _HEADERS, "content": text(), "content_b64": base64_text}

COMMANDS: Final[Mapping[str, Shape]] = {
    "manual": _SPOKEN,
    "bash": _SPOKEN,
    "caldera-cmd": _SPOKEN,
    "elastic": _SPOKEN,
    "powershell": _SPOKEN,
    "ssh": _SPOKEN,
    "jupyter": _ENCODED,
    "kestrel": Shape(
        one_of=("command", "command_b64"), may={**_COMMAND, "command": text(), "command_b64": base64_text}
    ),
    "sigma": _ENCODED,
    "yara": _ENCODED,
    "http-api": Shape(needs={"command": text()}, may=_REQUEST),
    "openc2-http": Shape(needs={"command": text()}, one_of=("content_b64", "content"), may=_REQUEST),
}
ANY_COMMAND: Final = Shape(needs={"type": text()}, open=True)


def command(value: Any, place: str) -> Iterator[Problem]:
    """A command of a step, by its type."""
    of = value.get("type") if isinstance(value, dict) else None
    yield from COMMANDS.get(of, ANY_COMMAND)(value, place) if isinstance(of, str) else ANY_COMMAND(value, place)
    if isinstance(of, str) and of not in COMMANDS:
        yield Problem(place=under(place, "type"), reason=f"{of!r} is no command type of CACAO 2.0", grave=False)


_STEP: Final[Mapping[str, Kind]] = {
    "name": text(), "description": text(), "external_references": many(REFERENCE), "delay": number(0, 2**53),
    "timeout": number(0, 2**53), "step_variables": VARIABLES, "owner": identifier(), "on_completion": identifier(),
    "on_success": identifier(), "on_failure": identifier(), "step_extensions": EXTENSIONS,
}  # fmt: skip
_ARGS: Final[Mapping[str, Kind]] = {"in_args": many(text()), "out_args": many(text())}


def _step(of: str, needs: Mapping[str, Kind] | None = None, may: Mapping[str, Kind] | None = None) -> Shape:
    return Shape(needs={"type": exactly(of), **(needs or {})}, may={**_STEP, **(may or {})})


STEPS: Final[Mapping[str, Shape]] = {
    "start": _step("start", {"on_completion": identifier()}),
    "end": Shape(
        needs={"type": exactly("end")}, may={k: v for k, v in _STEP.items() if not k.startswith("on_")}
    ),
    "action": _step(
        "action", {"commands": many(command), "agent": text()}, {**_ARGS, "targets": many(text())}
    ),
    "playbook-action": _step(
        "playbook-action", {"playbook_id": identifier("playbook")}, {**_ARGS, "playbook_version": timestamp}
    ),
    "parallel": _step("parallel", {"next_steps": many(identifier(), 2)}),
    "if-condition": _step(
        "if-condition", {"condition": text(".+", "condition"), "on_true": identifier()}, {"on_false": identifier()}
    ),
    "while-condition": _step(
        "while-condition", {"condition": text(".+", "condition"), "on_true": identifier()}
    ),
    "switch-condition": _step(
        "switch-condition",
        {"switch": text(), "cases": mapping(r"[a-zA-Z0-9_-]{1,250}", "name of a case", identifier())},
    ),
}  # fmt: skip
"""Steps by type."""


def steps(value: Any, place: str) -> Iterator[Problem]:
    """The workflow: every step by its id, whose type its id must name."""
    if not isinstance(value, dict):
        yield Problem(place=place, reason=f"must be an object that holds the steps by their ids, is {named(value)}")
        return
    for key, step in value.items():
        here = under(place, key)
        of = key.split("--")[0]
        if not IDENTIFIER.fullmatch(key):
            yield Problem(place=here, reason="is no identifier of a step (type--uuid)")
        elif of not in STEPS:
            yield Problem(place=here, reason=f"{of!r} is no type of step; types are {', '.join(STEPS)}")
        else:
            yield from STEPS[of](step, here)


def defined(kinds: Mapping[str, Shape], other: Shape, what: str) -> Kind:
    """Definitions by id: the type of a known id says what they must hold."""

    def check(value: Any, place: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(place=place, reason=f"must be an object, is {named(value)}")
            return
        for key, one in value.items():
            here = under(place, key)
            if not IDENTIFIER.fullmatch(key):
                yield Problem(place=here, reason=f"the key of {what} is no identifier (type--uuid)", grave=False)
                yield from other(one, here)
            else:
                yield from kinds.get(key.split("--")[0], other)(one, here)

    return check


EXTENSION: Final = Shape(
    needs={
        "type": exactly("extension-definition"), "name": text(), "created_by": identifier(), "schema": text(),
        "version": text(),
    },
    may={"description": text(), "external_references": many(REFERENCE)},
)  # fmt: skip

PLAYBOOK: Final = Shape(
    needs={
        "type": exactly("playbook"), "spec_version": exactly("cacao-2.0"), "id": identifier("playbook"),
        "name": text(".+", "name"), "created_by": identifier(), "created": timestamp, "modified": timestamp,
        "workflow_start": identifier(), "workflow": steps,
    },
    may={
        "description": text(), "playbook_types": many(known(PLAYBOOK_TYPES), 0),
        "playbook_activities": many(known(ACTIVITIES)), "playbook_processing_summary": Shape(open=True),
        "revoked": flag, "valid_from": timestamp, "valid_until": timestamp, "derived_from": many(identifier()),
        "related_to": many(identifier()), "priority": number(0, 100), "severity": number(0, 100),
        "impact": number(0, 100), "industry_sectors": many(text()), "labels": many(text()),
        "external_references": many(REFERENCE), "markings": many(identifier()), "playbook_variables": VARIABLES,
        "workflow_exception": identifier(), "playbook_extensions": EXTENSIONS,
        "authentication_info_definitions": defined(LOGINS, ANY_LOGIN, "a log-in"),
        "agent_definitions": defined(AGENTS, ANY_AGENT, "an agent"),
        "target_definitions": defined(AGENTS, ANY_AGENT, "a target"),
        "extension_definitions": mapping(rf"extension-definition--{UUID}", "identifier of an extension", EXTENSION),
        "data_marking_definitions": mapping(
            rf"marking-(tlp|iep|statement)--{UUID}", "identifier of a marking", Shape(open=True)
        ),
        "signatures": many(Shape(needs={"type": exactly("jss")}, open=True)),
    },
)  # fmt: skip
"""The document."""
