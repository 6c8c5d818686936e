"""Several processes on one log: they take turns, wake each other, and hold leases."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters import lease
from adapters.log import open_log
from adapters.log.peek import peek
from domain.journal import JournalError
from tests.log.story import note, ticking

ROOT = Path(__file__).resolve().parents[2]


class Place(NamedTuple):
    location: str
    schema: str


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(str(tmp_path / "log.sqlite"), "unused")
    return Place(request.getfixturevalue("postgres_dsn"), request.getfixturevalue("fresh_schema"))


def writer(place: Place, first: int, number: int, stream: str) -> subprocess.Popen[bytes]:
    arguments = [place.location, place.schema, str(first), str(number), stream]
    return subprocess.Popen([sys.executable, "-m", "tests.log.writer", *arguments], cwd=ROOT)


def test_two_processes_write_one_chain(place: Place) -> None:
    with closing(open_log(place.location, ticking(), schema=place.schema)) as log:
        others = [writer(place, 0, 30, "one"), writer(place, 100, 30, "two")]
        for n in range(200, 230):
            log.append([note(n, "three"), note(n, "shared")])
        assert [other.wait(60) for other in others] == [0, 0]
        assert log.fingerprint().events == 180
        assert [fact.version for fact in log.read_stream("shared")] == list(range(1, 91))
        assert [fact.position for fact in log.read(limit=500)] == list(range(1, 181))
        assert log.verify().ok


def test_who_waits_is_woken_by_another_process(place: Place) -> None:
    with closing(open_log(place.location, ticking(), schema=place.schema)) as log:
        other = writer(place, 0, 1, "one")
        assert log.wait(0, 60)
        assert other.wait(60) == 0
        assert log.read()[0].fact == note(0, "one").fact


def test_waiting_pins_no_connection(place: Place) -> None:
    with closing(open_log(place.location, ticking(), schema=place.schema)) as log:
        waiting = [threading.Thread(target=log.wait, args=(2, 10)) for _ in range(20)]
        for thread in waiting:
            thread.start()
        time.sleep(0.2)
        began = time.monotonic()
        log.append([note(1), note(2), note(3)])
        assert len(log.read()) == 3
        for thread in waiting:
            thread.join()
        assert time.monotonic() - began < 8


def test_a_look_tells_what_the_log_tells(place: Place) -> None:
    if not place.location.startswith("postgres"):
        assert peek(place.location) is None
    with closing(open_log(place.location, ticking(), schema=place.schema)) as log:
        log.append([note(n) for n in range(5)])
        assert peek(place.location, schema=place.schema) == log.fingerprint()
        end = log.fingerprint()
    assert peek(place.location, schema=place.schema) == end


def test_a_look_at_a_schema_without_a_log_is_none(postgres_dsn: str) -> None:
    assert peek(postgres_dsn, schema="no_such_schema") is None


def test_a_look_at_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalError, match="cannot be read as a log"):
        peek(tmp_path / "log.sqlite")
    with pytest.raises(JournalError, match=r"log\.sqlite"):
        open_log(tmp_path / "log.sqlite", ticking())


@pytest.mark.parametrize("module", ["adapters.log", "adapters.log.peek", "adapters.lease"])
def test_importing_costs_no_library(module: str) -> None:
    heavy = ["eventsourcing", "psycopg", "msgspec", "cryptography"]
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


HOLD = """
import sys
from adapters.lease import take
held = take(sys.argv[1], "agent:detector", schema=sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lease_has_one_holder_in_whichever_process(place: Place) -> None:
    arguments = [sys.executable, "-c", HOLD, place.location, place.schema]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(lease.LeaseTaken, match=rf"agent:detector is running already \(process {holder.pid}\b"):
            lease.take(place.location, "agent:detector", schema=place.schema)
        with lease.take(place.location, "agent:responder", schema=place.schema) as other:
            assert other.held
        holder.kill()
    deadline = time.monotonic() + 10
    while True:  # the server needs a moment to see that a session is gone
        try:
            held = lease.take(place.location, "agent:detector", schema=place.schema)
            break
        except lease.LeaseTaken:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with pytest.raises(lease.LeaseTaken, match=f"process {os.getpid()}"):
        lease.take(place.location, "agent:detector", schema=place.schema)
    held.release()
    held.release()
    assert not held.held
    lease.take(place.location, "agent:detector", schema=place.schema).release()
