"""A home with a story in its log, and the reading commands under the program's global options."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.log import open_log
from cli import audit, incidents, status, threats
from cli.context import Context
from tests.projections.story import NOON, story

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
for group in (status, threats, incidents, audit):
    group.register(app)


@app.callback()
def main(
    ctx: typer.Context, home: Annotated[Path, typer.Option()], as_json: Annotated[bool, typer.Option("--json")] = False
) -> None:
    ctx.obj = Context(home=home, config=None, json=as_json)


@dataclass(frozen=True)
class Shell:
    home: Path

    def run(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["--home", str(self.home), *words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        result = self.run("--json", *words, code=code)
        return json.loads(result.stdout)


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Shell:
    for name in ("MYRMIDON_LOG_DSN", "MYRMIDON_LOG__DSN"):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path / "home")


@pytest.fixture
def shell(empty) -> Shell:
    log = open_log(log_of(empty.home), lambda: NOON)
    log.append(story())
    log.close()
    return empty


def log_of(home: Path) -> str:
    from config.home import Home

    return Home(home).log_location
