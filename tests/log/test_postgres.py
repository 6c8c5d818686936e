"""The contract over PostgreSQL, and what only a server can suffer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.log.base import ChainedLog
from adapters.log.postgres import PostgresLog
from tests.log.contract import JournalContract, Open
from tests.log.story import ticking


class TestPostgresLog(JournalContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str, fresh_schema: str) -> Open:
        return lambda: PostgresLog(postgres_dsn, ticking(), fresh_schema)

    @pytest.fixture
    def other(self, postgres_dsn: str, fresh_schema: str) -> Iterator[ChainedLog]:
        log = PostgresLog(postgres_dsn, ticking(), f"{fresh_schema}_other")
        yield log
        log.close()
