"""The contract over PostgreSQL, and what only a server can suffer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from adapters.log import open_log
from adapters.log.base import ChainedLog
from adapters.log.postgres import PostgresLog
from domain.journal import JournalError
from tests.log.contract import JournalContract, Open
from tests.log.story import note, ticking


class TestPostgresLog(JournalContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str, fresh_schema: str) -> Open:
        return lambda: PostgresLog(postgres_dsn, ticking(), fresh_schema)

    @pytest.fixture
    def other(self, postgres_dsn: str, fresh_schema: str) -> Iterator[ChainedLog]:
        log = PostgresLog(postgres_dsn, ticking(), f"{fresh_schema}_other")
        yield log
        log.close()


@pytest.fixture
def log(postgres_dsn: str, fresh_schema: str) -> Iterator[PostgresLog]:
    with closing(PostgresLog(postgres_dsn, ticking(), fresh_schema)) as log:
        yield log


def cut_connections(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def test_a_lost_connection_is_tried_again(log: PostgresLog, postgres_dsn: str) -> None:
    log.append([note(1)], expected={"incident/a": 0})
    assert not log.wait(1, 0.01)
    cut_connections(postgres_dsn)
    assert log.append([note(1), note(2)], expected={"incident/a": 1}) == [1, 2]
    cut_connections(postgres_dsn)
    assert len(log.read()) == 2
    assert log.wait(1, 5)
    assert log.verify().ok


def test_an_append_whose_answer_was_lost_is_not_recorded_twice(
    log: PostgresLog, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed, calls = log._committed, []

    def lose_the_first_answer(made: object) -> None:
        calls.append(made)
        if len(calls) == 1:
            with log._errors():
                raise psycopg.OperationalError("the answer to COMMIT was lost")
        committed(made)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "_committed", lose_the_first_answer)
    assert log.append([note(1), note(2)], expected={"incident/a": 0}) == [1, 2]
    assert (len(calls), log.fingerprint().events) == (2, 2)


def test_durability_is_asserted_at_the_start(postgres_dsn: str, fresh_schema: str, log: PostgresLog) -> None:
    assert log._all("SHOW synchronous_commit") == [("on",)]


def test_a_text_that_postgres_cannot_hold_is_an_error_and_not_a_crash(log: PostgresLog) -> None:
    with pytest.raises(JournalError, match="test_"):
        log.append([note(1, "a\0b")])
    assert log.append([note(1, "a")]) == [1]


def test_a_location_may_name_its_schema(postgres_dsn: str, fresh_schema: str, log: PostgresLog) -> None:
    sign = "&" if "?" in postgres_dsn else "?"
    with closing(open_log(f"{postgres_dsn}{sign}schema={fresh_schema}", ticking())) as again:
        assert again.log_id == log.log_id


def test_a_server_that_is_not_there_is_one_line() -> None:
    with pytest.raises(JournalError, match="is the server there") as caught:
        open_log("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", ticking())
    assert "\n" not in str(caught.value)
