"""Kill -9 at random moments, restart, and the history is the one of an uninterrupted run."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from bench.story import write_day
from tests.e2e.swarm import myrmidon, start

SETTINGS = {"MYRMIDON_RUN__BATCH_ROWS": "300", "MYRMIDON_RUN__SNAPSHOT_ROWS": "4000"}


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_day(folder, seed=3, hosts=20, hours=3.0)
    return folder / "zeek"


@pytest.fixture(params=["sqlite", "postgres"])
def store(request) -> str:
    return request.param


def homes(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> list[tuple[Path, dict[str, str]]]:
    """Two fresh homes: one that is left alone, one that is killed."""
    if store == "sqlite":
        return [(tmp_path / name, {}) for name in ("calm", "killed")]
    make = request.getfixturevalue("fresh_dsn")
    return [(tmp_path / name, {"MYRMIDON_LOG__DSN": make()}) for name in ("calm", "killed")]


def campaign(kills: int, feed: Path, calm: tuple, killed: tuple, seed: int) -> None:
    arguments = ("run", "--feed", f"zeek:{feed}", "--until-eof")
    begun = time.monotonic()
    expected = myrmidon(calm[0], *arguments, **SETTINGS, **calm[1])
    duration = time.monotonic() - begun
    assert expected.code == 0, expected.err
    dice = random.Random(seed)
    done = 0
    while done < kills:
        process = start(killed[0], *arguments, **SETTINGS, **killed[1])
        try:
            process.wait(timeout=dice.uniform(0.1, 1.0) * duration)
        except Exception:  # noqa: BLE001 - still running: that is the moment
            process.kill()
            process.wait()
        done += 1
    final = myrmidon(killed[0], *arguments, **SETTINGS, **killed[1])
    assert final.code == 0, final.err
    assert final.json["log"]["digest"] == expected.json["log"]["digest"]
    for name in ("received", "scored", "skipped", "malformed", "late", "threats", "incidents"):
        assert final.json[name] == expected.json[name]
    assert myrmidon(killed[0], "audit", "verify", **killed[1]).json["ok"] is True
    assert myrmidon(killed[0], "audit", "replay", **killed[1]).json["equal"] is True


def test_five_kills_leave_the_history_of_an_uninterrupted_run(request, store, feed, tmp_path):
    campaign(5, feed, *homes(store, request, tmp_path), seed=7)


@pytest.mark.faults
def test_fifty_kills_leave_the_history_of_an_uninterrupted_run(request, store, feed, tmp_path):
    campaign(50, feed, *homes(store, request, tmp_path), seed=8)
