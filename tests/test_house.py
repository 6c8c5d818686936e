"""The house: only we own our top-level names, settings and commands are documented, files stay small."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.data import ROOT

ROOMS = ("domain", "agents", "projections", "engine", "config", "adapters", "scheduler", "bench", "cli")


@pytest.mark.parametrize("room", ROOMS)
def test_only_we_own_our_top_level_package_names(room):
    owners = set(packages_distributions().get(room, ["myrmidon"]))
    assert owners <= {"myrmidon"}, f"{owners - {'myrmidon'}} also installs a package {room}"


def test_every_command_is_in_the_readme():
    from cli.main import app

    told = (ROOT / "README.md").read_text()
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert [name for name in names if f"myrmidon {name}" not in told] == []


def test_every_section_of_settings_is_documented():
    from config.settings import Settings

    told = (ROOT / "docs" / "settings.md").read_text()
    assert [name for name in Settings.model_fields if f"`{name}" not in told] == []


def test_the_pinned_requirements_hold_hashes_and_no_address():
    pinned = (ROOT / "requirements.txt").read_text()
    assert "://" not in pinned
    for block in re.split(r"\n(?=[a-z])", pinned):
        assert "--hash=sha256:" in block, block[:80]


def test_status_imports_nothing_heavy():
    import subprocess
    import sys

    code = "import sys, cli.main, cli.status; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "pyarrow", "sqlalchemy", "sqlmodel", "pydantic", "pyod", "sklearn", "numba", "eventsourcing"}
    assert heavy.isdisjoint(loaded)


def test_source_files_stay_small():
    sizes = {path: path.read_text().count("\n") for room in ROOMS for path in Path(ROOT / room).rglob("*.py")}
    assert {str(path): size for path, size in sizes.items() if size > 420} == {}


def test_the_drawn_pages_are_up_to_date():
    from config.tables import PAGES

    for name, page in PAGES.items():
        assert (ROOT / "docs" / name).read_text("utf-8") == page(), f"docs/{name} is out of date: make docs"
