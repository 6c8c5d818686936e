"""Content-addressed files: what is too large for a fact is named there by its SHA-256 and stored here.

A file is complete or absent (written beside, synced, renamed), and is checked against its name whenever it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from domain.errors import MyrmidonError


class ArtifactError(MyrmidonError):
    """An artifact is missing or is not what its name says."""


class Artifacts:
    """A folder of artifacts, `ab/abcdef...` by the SHA-256 of the content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Store `content`; returns its SHA-256 in hex. Storing the same content again is a no-op."""
        name = sha256(content).hexdigest()
        path = self._path(name)
        if path.exists() and path.read_bytes() == content:
            return name  # one that was changed is written anew: the right bytes are at hand
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [content])
        return name

    def get(self, name: str) -> bytes:
        """The content stored under a name.

        Raises:
            ArtifactError: it is missing, or was changed.
        """
        path = self._path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"artifact {name} cannot be read ({error.strerror}): {path}") from None
        if sha256(content).hexdigest() != name:
            raise ArtifactError(f"artifact {path} was changed: its SHA-256 is not its name; restore it from a backup")
        return content

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


def write_whole(path: Path, content: Iterable[bytes]) -> None:
    """Write a file, piece after piece as they come, so that a crash leaves the old one or the new one, never a part."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        for piece in content:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
