"""Leases: one holder of a name, in whichever process. It runs the agent, or reads the feed, of that name.

Rules:
    1. A lease belongs to a home: to the folder of its SQLite log, or to the schema of its PostgreSQL log.
    2. The operating system (`flock`) or the server (an advisory lock of a session) frees the lease of a process that
       died; nothing has to expire.
    3. Who finds a lease taken is told by whom.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from adapters.log.location import Postgres, place_of
from domain.errors import MyrmidonError


class LeaseTaken(MyrmidonError):  # noqa: N818 - says what it is
    """Another process holds the lease."""


class Lease:
    """A name that this process holds until `release`.

    Args:
        name: the name.
        release: lets go of it.
        alive: whether it is still held; a lost server connection loses the lease.
    """

    def __init__(self, name: str, release: Callable[[], None], alive: Callable[[], bool]) -> None:
        self.name = name
        self._release: Callable[[], None] | None = release
        self._alive = alive

    @property
    def held(self) -> bool:
        """Whether this process still holds the name."""
        return self._release is not None and self._alive()

    def release(self) -> None:
        """Let go; a second time does nothing."""
        release, self._release = self._release, None
        if release:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def take(location: str | Path, name: str, *, schema: str = "myrmidon") -> Lease:
    """The lease of `name` for the log at `location` (see `adapters.log.open_log`).

    Raises:
        LeaseTaken: another holder has it.
    """
    place = place_of(location, schema)
    if isinstance(place, Postgres):
        return _take_session(place, name)
    if place is None:
        return Lease(name, lambda: None, lambda: True)  # a log in memory has one process by nature
    return _take_file(place.parent / "leases", name)


def _take_file(folder: Path, name: str) -> Lease:
    file = folder / f"{quote(name, safe='')}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MyrmidonError(f"lease {name}: {file} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 64, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise _taken(name, holder, file) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return Lease(name, lambda: os.close(handle), lambda: True)


def _take_session(place: Postgres, name: str) -> Lease:
    import psycopg

    key = int.from_bytes(sha256(f"{place.schema}|{name}".encode()).digest()[:8], "big", signed=True)
    try:
        connection = psycopg.connect(
            place.dsn, autocommit=True, application_name=f"myrmidon lease {os.getpid()}@{socket.gethostname()}"[:63]
        )
    except psycopg.Error as error:
        raise MyrmidonError(f"lease {name}: the server of the log does not answer: {error}") from error
    if _one(connection, "SELECT pg_try_advisory_lock(%s)", key):
        return Lease(name, connection.close, lambda: _answers(connection))
    holder = _one(
        connection,
        "SELECT max(application_name) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
        "AND granted AND (classid::bigint << 32) | objid::bigint = %s",
        key,
    )
    connection.close()
    raise _taken(name, str(holder or "unknown").removeprefix("myrmidon lease "), place.schema)


def _one(connection: Any, query: str, key: int) -> Any:
    return connection.execute(query, (key,)).fetchone()[0]


def _answers(connection: Any) -> bool:
    import psycopg

    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _taken(name: str, holder: str, where: object) -> LeaseTaken:
    return LeaseTaken(f"{name} is running already (process {holder}, lease in {where}): stop that process first")
