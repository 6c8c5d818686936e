"""Leases: one holder of a name, in whichever process. It runs the agent, or reads the feed, of that name.

Rules:
    1. A lease belongs to a home: to the folder of its SQLite log, or to the schema of its PostgreSQL log.
    2. The operating system (`flock`) or the server (an advisory lock of a session) frees the lease of a process that
       died; nothing has to expire.
    3. Who finds a lease taken is told by whom.
    4. Who only asks (`holders`) makes no file. On SQLite it tries the lock for an instant: whoever takes a lease tries
       more than once, so that a glance is not mistaken for a holder.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from adapters.log.location import Postgres, place_of
from domain.errors import MyrmidonError

TRIES: Final = 5
"""How often a locked file is tried, a hundredth of a second apart."""

_HOLDER: Final = (
    "SELECT max(application_name) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
    "AND granted AND (classid::bigint << 32) | objid::bigint = %s"
)


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


def holder(location: str | Path, name: str, *, schema: str = "myrmidon") -> str | None:
    """The process that holds a lease, None when nobody does."""
    return holders(location, [name], schema=schema).get(name)


def holders(location: str | Path, names: Sequence[str], *, schema: str = "myrmidon") -> dict[str, str]:
    """Those of the names whose lease is held, with the process that holds it. Takes nothing and writes nothing."""
    place = place_of(location, schema)
    if isinstance(place, Postgres):
        return _session_holders(place, names)
    found = {name: _file_holder(_file_of(place.parent / "leases", name)) for name in names} if place else {}
    return {name: process for name, process in found.items() if process}


def _file_of(folder: Path, name: str) -> Path:
    return folder / f"{quote(name, safe='')}.lock"


def _file_holder(file: Path) -> str | None:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # nobody ever took it, or only another user may know
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(handle)
    finally:
        os.close(handle)
    return None


def _written(handle: int) -> str:
    return os.pread(handle, 64, 0).decode(errors="replace").strip() or "unknown"


def _session_holders(place: Postgres, names: Sequence[str]) -> dict[str, str]:
    import psycopg

    try:
        with psycopg.connect(place.dsn, autocommit=True) as connection:
            found = {name: _one(connection, _HOLDER, _key(place, name)) for name in names}
    except psycopg.Error as error:
        raise MyrmidonError(f"leases: the server of the log does not answer: {' '.join(str(error).split())}") from error
    return {name: _process(session) for name, session in found.items() if session is not None}


def _take_file(folder: Path, name: str) -> Lease:
    file = _file_of(folder, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MyrmidonError(f"lease {name}: {file} cannot be opened: {error.strerror}") from error
    if not _locked(handle):
        process = _written(handle)
        os.close(handle)
        raise _taken(name, process, file)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return Lease(name, lambda: os.close(handle), lambda: True)


def _locked(handle: int) -> bool:
    for attempt in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01 if attempt < TRIES - 1 else 0)
        else:
            return True
    return False


def _take_session(place: Postgres, name: str) -> Lease:
    import psycopg

    key = _key(place, name)
    try:
        connection = psycopg.connect(
            place.dsn, autocommit=True, application_name=f"myrmidon lease {os.getpid()}@{socket.gethostname()}"[:63]
        )
    except psycopg.Error as error:
        raise MyrmidonError(f"lease {name}: the server of the log does not answer: {error}") from error
    if _one(connection, "SELECT pg_try_advisory_lock(%s)", key):
        return Lease(name, connection.close, lambda: _answers(connection))
    session = _one(connection, _HOLDER, key)
    connection.close()
    raise _taken(name, _process(session), place.schema)


def _key(place: Postgres, name: str) -> int:
    return int.from_bytes(sha256(f"{place.schema}|{name}".encode()).digest()[:8], "big", signed=True)


def _process(session: str | None) -> str:
    return (session or "unknown").removeprefix("myrmidon lease ")


def _one(connection: Any, query: str, key: int) -> Any:
    return connection.execute(query, (key,)).fetchone()[0]


def _answers(connection: Any) -> bool:
    import psycopg

    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _taken(name: str, process: str, where: object) -> LeaseTaken:
    return LeaseTaken(f"{name} is running already (process {process}, lease in {where}): stop that process first")
