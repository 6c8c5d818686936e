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
from domain.journal import Recorded, follow
from tests.data import ROOT
from tests.responses.receiver import Receiver, receiving
from tests.responses.world import Site

TTL = 1000.0
"""Seconds: longer than a busy machine takes. Time goes by at once, by the clock that the later processes are given."""


class Campaign:
    """Responders that are killed, one after the other, over one log and one receiver."""

    def __init__(self, folder: Path, receiver: Receiver, seed: int) -> None:
        self.location, self.stop = folder / "log.db", folder / "stop"
        self.receiver = receiver
        self.dice = random.Random(seed)
        self.site = Site(location=str(self.location))
        self.site.agent.close()

    def incidents(self, first: int, after: int) -> None:
        for number in range(first, after):
            self.site.now = time.time_ns() // 1000
            self.site.incident(number, peers=(f"203.0.{number // 250}.{number % 250 + 1}",))

    def lives(self, ahead: float, life: float) -> None:
        """A responder whose clock is so many seconds ahead, killed somewhere in its first `life` seconds."""
        process = self._start(ahead)
        if self.dice.random() < 0.9:  # else it may be killed while it starts
            process.stdout.readline()
        time.sleep(self.dice.uniform(0.0, life))
        process.kill()
        process.communicate()

    def works(self, ahead: float) -> None:
        """A responder that is left alone until nothing is to be done."""
        self.stop.touch()
        process = self._start(ahead)
        try:
            process.communicate(timeout=500)
        finally:
            process.kill()
        assert process.returncode == 0
        self.stop.unlink()

    def _start(self, ahead: float) -> subprocess.Popen[bytes]:
        words = [str(self.location), self.receiver.url, str(TTL), str(self.stop), str(ahead)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.responses.driver", *words], cwd=ROOT, stdout=subprocess.PIPE
        )

    def facts(self) -> list[Recorded]:
        self.site.journal.close()
        with closing(open_log(self.location, lambda: 0)) as log:
            assert log.verify().ok
            return [recorded for batch in follow(log) for recorded in batch]


def campaign(folder: Path, *, kills: int, responses: int, life: float, seed: int) -> None:
    """Kill while actions take effect, then while their time is over and they are taken back; and count."""
    with receiving() as receiver:
        swarm = Campaign(folder, receiver, seed)
        half = kills // 2
        for number in range(half):
            swarm.incidents(number * responses // half, (number + 1) * responses // half)
            swarm.lives(0.0, life)
        swarm.works(0.0)
        assert len(receiver.force) == responses
        for _ in range(kills - half):
            swarm.lives(2 * TTL, life)
        swarm.works(2 * TTL)
        counted(swarm.facts(), receiver, responses)
        again = sum(receiver.asked.values()) - responses
    print(f"{kills} kills, {responses} actions; {again} asked for twice under their key")


def counted(facts: list[Recorded], receiver: Receiver, responses: int) -> None:
    kinds = Counter(recorded.fact.kind for recorded in facts)
    for kind in ("response-proposed", "action-started", "action-succeeded", "incident-contained", "action-undone"):
        assert kinds[kind] == responses, kind
    started = {str(recorded.fact.action) for recorded in facts if recorded.fact.kind == "action-started"}
    assert set(receiver.took_effect) == started, "none lost, and nothing that was not begun in the log"
    assert set(receiver.took_effect.values()) == {1}
    assert receiver.force == {}
    assert set(receiver.undone) == set(receiver.ends)
    assert {recorded.fact.reason for recorded in facts if recorded.fact.kind == "action-undone"} == {"ttl"}


def test_five_kills_lose_no_action_and_do_none_twice(tmp_path):
    campaign(tmp_path, kills=5, responses=40, life=0.2, seed=11)


@pytest.mark.faults
def test_a_hundred_kills_over_a_thousand_responses_lose_none_and_do_none_twice(tmp_path):
    campaign(tmp_path, kills=100, responses=1000, life=0.5, seed=12)
