"""The home: the one folder that holds everything the program writes. Standard library only: `status` reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from config.dsn import WANTED, is_dsn
from domain.errors import MyrmidonError

DSN_VARIABLES: Final = ("MYRMIDON_LOG__DSN", "MYRMIDON_LOG_DSN")
"""Environment variables that name a PostgreSQL log, the first that is set wins."""


class HomeError(MyrmidonError):
    """The home or its configuration file cannot be used."""

    exit_code = 2


class Home:
    """Where things are.

    Args:
        path: the folder.
        config: the settings file; by default `config.toml` in the home, if there.
        environ: the environment.
    """

    def __init__(self, path: Path, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path
        self._config = config
        self._environ = environ

    def make(self) -> Home:
        """Create the folder when it is missing.

        Raises:
            HomeError: it cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(f"{self.path}: cannot be made ({error.strerror}); choose another --home") from error
        return self

    @property
    def config_file(self) -> Path | None:
        """The settings file, or None when there is none."""
        own = self.path / "config.toml"
        return self._config or (own if own.exists() else None)

    @cached_property
    def dsn(self) -> str:
        """The DSN of the PostgreSQL log that the environment or the settings file names; empty for SQLite.

        Raises:
            HomeError: something else stands there.
        """
        given = {name.upper(): value for name, value in self._environ.items() if value}
        name = next((name for name in DSN_VARIABLES if name in given), None)
        dsn = given[name] if name else str(self.table("log").get("dsn", ""))
        if dsn and not is_dsn(dsn):
            origin = f"environment variable {name}" if name else str(self.config_file)
            raise HomeError(f"{origin}: setting log.dsn: {WANTED}")
        return dsn

    def has_settings(self) -> bool:
        """Whether anything is set, beside where the log is: then it may be wrong."""
        return self.config_file is not None or any(
            name.upper().startswith("MYRMIDON_") and "__" in name and name.upper() not in DSN_VARIABLES
            for name in self._environ
        )

    def table(self, name: str) -> dict[str, Any]:
        """A table of the settings file as it stands there, unchecked.

        Raises:
            HomeError: the file cannot be read.
        """
        found = self._settings.get(name, {})
        return found if isinstance(found, dict) else {}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        file = self.config_file
        if file is None:
            return {}
        import tomllib

        try:
            return tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise HomeError(f"{file}: cannot be read ({error.strerror}); check --config") from error
        except ValueError as error:
            raise HomeError(f"{file}: is not valid TOML ({error})") from error

    @property
    def log_location(self) -> str:
        """The log: a file, or a DSN."""
        return self.dsn or str(self.path / "log.db")

    @property
    def views_location(self) -> str:
        """The views: the folder, or a DSN."""
        return self.dsn or str(self.path)

    @property
    def state(self) -> Path:
        """Folder of snapshots of working state."""
        return self.path / "state"

    @property
    def artifacts(self) -> Path:
        """Folder of content-addressed evidence and models."""
        return self.path / "artifacts"

    @property
    def keys(self) -> Path:
        """Folder of the signing keys."""
        return self.path / "keys"

    @property
    def signing_key(self) -> Path:
        """The Ed25519 key that checkpoints are signed with; its public half ends in `.pub`."""
        return self.keys / "checkpoint.key"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that the daemon signed last."""
        return self.path / "checkpoints" / "latest.json"

    def signed(self) -> dict[str, Any]:
        """What that checkpoint says, unchecked; empty when there is none that can be read."""
        try:
            told = json.loads(self.checkpoint.read_bytes())
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def snapshot(self, feed: str) -> Path:
        """The file that holds the working state of a feed."""
        return self.state / f"{quote(feed, safe='')}.snapshot"
