"""The contract over SQLite, and what only a file can suffer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.log.base import ChainedLog
from adapters.log.sqlite import SQLiteLog
from tests.log.contract import JournalContract, Open
from tests.log.story import ticking


class TestSQLiteLog(JournalContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Open:
        return lambda: SQLiteLog(tmp_path / "log.sqlite", ticking())

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[ChainedLog]:
        log = SQLiteLog(tmp_path / "other.sqlite", ticking())
        yield log
        log.close()
