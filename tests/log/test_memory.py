"""The contract over the log in memory."""

from __future__ import annotations

import pytest

from adapters.log.base import ChainedLog
from adapters.log.memory import MemoryLog
from tests.log.contract import JournalContract, Open
from tests.log.story import ticking


class TestMemoryLog(JournalContract):
    lasting = False

    @pytest.fixture
    def opened(self) -> Open:
        log = MemoryLog(ticking())
        return lambda: log

    @pytest.fixture
    def other(self) -> ChainedLog:
        return MemoryLog(ticking())
