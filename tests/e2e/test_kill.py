"""Kill -9 at random moments, restart, and the history is the one of an uninterrupted run."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from adapters.artifacts import Artifacts
from adapters.log import open_log
from adapters.views import Views
from bench.story import write_day
from scheduler.rescore import rescore
from tests.e2e.swarm import Answer, myrmidon, start

SETTINGS = {"MYRMIDON_RUN__BATCH_ROWS": "300", "MYRMIDON_RUN__SNAPSHOT_ROWS": "4000"}
LEARNING = {
    "MYRMIDON_THRESHOLDS__ANOMALY__WINDOW_S": "60",
    "MYRMIDON_THRESHOLDS__ANOMALY__WARMUP_WINDOWS": "150",
    "MYRMIDON_THRESHOLDS__ANOMALY__MIN_HOST_WINDOWS": "30",
}
"""The story is long enough for a baseline to be learned in the middle of it."""
SAME = ("received", "scored", "skipped", "malformed", "late", "threats", "incidents")


@dataclass(frozen=True)
class Home:
    """Where one history is written: a folder, and the database of its log and views, if not SQLite."""

    folder: Path
    dsn: str
    settings: dict[str, str]


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_day(folder, seed=3, hosts=10, hours=1.5)
    return folder / "zeek"


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_home(request, tmp_path) -> Callable[..., Home]:
    """Makes homes in which nothing has happened yet."""
    make = request.getfixturevalue("fresh_dsn") if request.param == "postgres" else lambda: ""
    names = count()

    def home(**settings: str) -> Home:
        dsn = make()
        return Home(tmp_path / str(next(names)), dsn, {**SETTINGS, **settings, "MYRMIDON_LOG__DSN": dsn})

    return home


def arguments(feed: Path) -> tuple[str, ...]:
    return "run", "--feed", f"zeek:{feed}", "--until-eof"


def lives(home: Home, feed: Path, seconds: float) -> bool:
    """Start a run and kill it after `seconds`; tells whether there was something to kill."""
    process = start(home.folder, *arguments(feed), **home.settings)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def moments(kills: int, home: Callable[[], Home], feed: Path, duration: float, seed: int) -> Iterator[Home]:
    """Homes whose runs were killed, `kills` times in all, at any moment from start-up to closing.

    A home is left to itself when a run of it came to its end: a feed that has been read to its end has few moments.
    """
    dice = random.Random(seed)
    done, killed = 0, home()
    while done < kills:
        if lives(killed, feed, dice.uniform(0.05, 1.0) * duration):
            done += 1
        else:
            yield killed
            killed = home()
    yield killed


def campaign(kills: int, home: Callable[..., Home], feed: Path, seed: int, **settings: str) -> None:
    fresh_home = partial(home, **settings)
    calm = fresh_home()
    begun = time.monotonic()
    expected = myrmidon(calm.folder, *arguments(feed), **calm.settings)
    duration = time.monotonic() - begun
    assert expected.code == 0, expected.err
    for killed in moments(kills, fresh_home, feed, duration, seed):
        holds(killed, feed, expected)


def holds(killed: Home, feed: Path, expected: Answer) -> None:
    """After one more run, undisturbed, a home holds the history it should."""
    final = myrmidon(killed.folder, *arguments(feed), **killed.settings)
    assert final.code == 0, final.err
    assert final.json["log"]["digest"] == expected.json["log"]["digest"], killed
    assert {name: final.json[name] for name in SAME} == {name: expected.json[name] for name in SAME}
    log = open_log(killed.dsn or killed.folder / "log.db", lambda: 0)
    with closing(log), Views.open(killed.dsn or str(killed.folder), log) as views:
        assert log.verify().ok
        assert views.replay(log)["equal"]
        assert rescore(log, Artifacts(killed.folder / "artifacts"))["equal"]


def test_five_kills_leave_the_history_of_an_uninterrupted_run(fresh_home, feed):
    campaign(5, fresh_home, feed, seed=7)


@pytest.mark.faults
def test_fifty_kills_leave_the_history_of_an_uninterrupted_run(fresh_home, feed):
    campaign(50, fresh_home, feed, seed=8, **LEARNING)
