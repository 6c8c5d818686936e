"""Where the real captures are: `MYRMIDON_TEST_DATA`, by default `../shared/data` beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared(name: str) -> Path:
    """The path of a data set, or a skip that says what is missing."""
    folder = Path(os.environ.get("MYRMIDON_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"data set {name} is not in {folder} (set MYRMIDON_TEST_DATA)")
    return path
