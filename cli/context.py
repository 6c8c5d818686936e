"""What the global options say, for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import typer

from config.home import Home, HomeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The global options of a call."""

    home: Path
    config: Path | None
    json: bool

    def where(self) -> Home:
        """The home, whether it is there or not: for commands that only read.

        Raises:
            HomeError: something else is in its place.
        """
        if self.home.exists() and not self.home.is_dir():
            raise HomeError(f"{self.home}: is no folder; choose another --home")
        return Home(self.home, self.config)

    def opened_home(self) -> Home:
        """The home, made when it is missing: for commands that write."""
        return self.where().make()


def context_of(ctx: typer.Context) -> Context:
    """The options of this call."""
    return cast("Context", ctx.obj)
