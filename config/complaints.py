"""What is wrong with a setting, in words: which one, what it holds, what is allowed, where it came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

PREFIX: Final = "MYRMIDON_"
"""How the names of environment variables begin."""

HIDDEN: Final = frozenset({"dsn", "url"})
"""Settings that may hold a password: no error shows their value."""

LONGEST: Final = 80
"""Characters of a wrong value that are shown."""

Context = Mapping[str, Any]

ALLOWED: Final[dict[str, Callable[[Context], str]]] = {
    "missing": lambda _: "has to be set",
    "extra_forbidden": lambda _: "there is no such setting here",
    "literal_error": lambda of: f"must be {of['expected']}",
    "greater_than_equal": lambda of: f"must be {of['ge']:g} or more",
    "greater_than": lambda of: f"must be more than {of['gt']:g}",
    "less_than_equal": lambda of: f"must be {of['le']:g} or less",
    "less_than": lambda of: f"must be less than {of['lt']:g}",
    "string_too_short": lambda of: f"must have {of['min_length']} characters or more",
    "union_tag_invalid": lambda of: f"its {_bare(of['discriminator'])} must be one of {of['expected_tags']}",
    "union_tag_not_found": lambda of: f"has to say its {_bare(of['discriminator'])}",
    "value_error": lambda of: str(of["error"]),
}
"""Kind of error -> what would be right."""

TYPES: Final = {
    "bool": "true or false", "int": "a whole number", "float": "a number", "string": "a text", "tuple": "a list",
    "list": "a list", "dict": "a table", "model": "a table", "dataclass": "a table",
}  # fmt: skip
"""Beginning of a kind of error about a type -> what it should be."""


def complaint(error: ValidationError, file: Path | None = None, *, below: Sequence[str] = ()) -> str:
    """The first error in one line.

    Args:
        error: what pydantic found.
        file: where settings were read from, beside the environment.
        below: the names above those that the error gives.
    """
    first = error.errors(include_url=False)[0]
    place = [*below, *(str(part) for part in first["loc"])]
    if place[:2] == ["alerts", "channels"]:
        del place[3:4]  # the channel's kind, which is the value of a setting and no name
    kind, context = first["type"], first.get("ctx", {})
    family = kind.partition("_")[0]
    if kind in ALLOWED:
        right = ALLOWED[kind](context)
    elif family in TYPES:
        right = f"must be {TYPES[family]}"
    else:
        right = str(first["msg"])
    silent = kind in {"missing", "value_error"} or place[-1] in HIDDEN
    shown = "" if silent else f" is {_shown(first['input'])}:"
    return f"{origin(place, file)}: setting {'.'.join(place)}{shown or ':'} {right}"


def origin(place: Sequence[str], file: Path | None) -> str:
    """Where a setting came from: an environment variable that names it (or what holds it) wins over the file."""
    names = {name.upper(): name for name, value in os.environ.items() if value}
    asked = (PREFIX + "__".join(place[:length]).upper() for length in range(len(place), 0, -1))
    found = next((names[name] for name in asked if name in names), "")
    return f"environment variable {found}" if found else str(file) if file is not None else "settings"


def _bare(quoted: object) -> str:
    return str(quoted).strip("'")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
