"""Kill -9 at any moment: every action takes effect once per key at the receiver, none is lost, all are taken back."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from adapters.log import open_log
from domain.journal import follow
from tests.data import ROOT
from tests.responses.receiver import receiving
from tests.responses.world import Site

LATE = 15.0
"""Seconds after its end in which an action must have been taken back, on a busy machine that starts us anew."""


def start(location: Path, url: str, ttl: float, stop: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.responses.driver", str(location), url, str(ttl), str(stop)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)


def campaign(folder: Path, *, kills: int, responses: int, ttl: float, life: float, seed: int) -> None:
    """Record incidents while a responder is killed again and again; then let it come to its end and count."""
    dice = random.Random(seed)
    location, stop = folder / "log.db", folder / "stop"
    with receiving() as receiver:
        site = Site(location=str(location))
        site.agent.close()
        each, made = -(-responses // kills), 0
        for _ in range(kills):
            process = start(location, receiver.url, ttl, stop)
            if dice.random() < 0.9:  # else it may be killed while it starts
                process.stdout.readline()
            until = time.monotonic() + dice.uniform(0.0, life)
            for made in range(made + 1, min(made + each, responses) + 1):  # noqa: B020 - goes on where it was
                site.now = time.time_ns() // 1000
                site.incident(made, entity="10.0.0.5", peers=(f"203.0.{made // 250}.{made % 250 + 1}",))
            time.sleep(max(0.0, until - time.monotonic()))
            process.kill()
            process.communicate()
        stop.touch()
        last = start(location, receiver.url, ttl, stop)
        last.communicate(timeout=120 + ttl)
        assert last.returncode == 0
        site.journal.close()
        counted(location, receiver, made)
    print(f"{kills} kills, {made} actions, {sum(receiver.asked.values()) - made} asked for again under the same key")


def counted(location: Path, receiver, responses: int) -> None:
    with closing(open_log(location, lambda: 0)) as log:
        facts = [recorded for batch in follow(log) for recorded in batch]
        assert log.verify().ok
    kinds = Counter(recorded.fact.kind for recorded in facts)
    started = {str(recorded.fact.action) for recorded in facts if recorded.fact.kind == "action-started"}
    assert len(started) == kinds["action-started"] == kinds["action-undone"] == kinds["response-proposed"] == responses
    assert set(receiver.took_effect) == started, "none lost, and nothing that was not begun in the log"
    assert set(receiver.took_effect.values()) == {1}
    assert receiver.force == {}
    assert set(receiver.undone) == set(receiver.ends)
    assert {recorded.fact.reason for recorded in facts if recorded.fact.kind == "action-undone"} == {"ttl"}
    assert max(receiver.undone[target] - end for target, end in receiver.ends.items()) < LATE


def test_five_kills_lose_no_action_and_do_none_twice(tmp_path):
    campaign(tmp_path, kills=5, responses=40, ttl=9.0, life=0.3, seed=11)


@pytest.mark.faults
def test_a_hundred_kills_over_a_thousand_responses_lose_none_and_do_none_twice(tmp_path):
    campaign(tmp_path, kills=100, responses=1000, ttl=30.0, life=0.8, seed=12)
