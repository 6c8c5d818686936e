"""A CACAO document: read, checked, and told what is wrong with it in one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from adapters.playbooks.cacao import PLAYBOOK
from adapters.playbooks.shape import Problem
from adapters.playbooks.workflow import CHECKS, endings
from domain.errors import MyrmidonError

LARGEST: Final = 4 << 20
"""Bytes of the largest file that is read as a playbook."""


class PlaybookError(MyrmidonError):
    """A playbook that cannot be used: the file, the place in it, and why."""


class MissingPlaybooks(PlaybookError):  # noqa: N818 - says what it is
    """A file or folder of playbooks that was named is not there."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was read.

    Attributes:
        file: where it stands.
        body: the JSON object; empty when it could not be read.
        version: first 16 hex digits of the SHA-256 of the file.
        problems: what is wrong with it, in the order of the document.
    """

    file: str
    body: dict[str, Any]
    version: str
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What makes it unusable."""
        return tuple(problem for problem in self.problems if problem.grave)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What the standard has otherwise and does no harm here."""
        return tuple(problem for problem in self.problems if not problem.grave)


def open_document(file: Path) -> Document:
    """A document with all that is wrong with it.

    Raises:
        PlaybookError: the file cannot be read.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise PlaybookError(f"{file}: is larger than {LARGEST >> 20} MiB: no playbook is")
        raw = file.read_bytes()
    except OSError as error:
        raise PlaybookError(f"{file}: cannot be read ({error.strerror})") from None
    return document_of(str(file), raw)


def document_of(file: str, raw: bytes) -> Document:
    """The document that these bytes are."""
    try:
        body, problems = parsed(raw)
        problems = problems or list(checked(body))
    except RecursionError:
        body, problems = None, [Problem(place="", reason="is nested too deeply")]
    return Document(
        file=file,
        body=body if isinstance(body, dict) else {},
        version=sha256(raw).hexdigest()[:16],
        problems=tuple(problems),
    )


def usable(document: Document) -> Document:
    """The document, if nothing makes it unusable.

    Raises:
        PlaybookError: the first thing that does, and how many more there are.
    """
    if document.errors:
        more = f" (and {len(document.errors) - 1} more)" if len(document.errors) > 1 else ""
        raise PlaybookError(f"{document.file}: {document.errors[0]}{more}")
    return document


def parsed(raw: bytes) -> tuple[Any, list[Problem]]:
    """The JSON, or why it is none. A name that stands twice in an object is an error: one of the two would be lost."""
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(name for i, name in enumerate(names) if name in names[:i])
        return dict(pairs)

    try:
        body = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=once)
    except UnicodeDecodeError:
        return None, [Problem(place="", reason="is not UTF-8: write it anew as UTF-8")]
    except json.JSONDecodeError as error:
        return None, [Problem(place=f"line {error.lineno}", reason=f"is no JSON: {error.msg}")]
    return body, [Problem(place=name, reason="stands twice in one object") for name in twice]


def checked(body: Any) -> Iterator[Problem]:
    """What is wrong: first with the shape of the parts, then, when that is right, between them."""
    found = list(PLAYBOOK(body, ""))
    if not any(problem.grave for problem in found):
        for check in CHECKS:
            found += check(body)
    if not any(problem.grave for problem in found):
        found += endings(body)
    yield from found
