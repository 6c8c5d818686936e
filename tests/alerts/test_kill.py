"""Kill -9 at random moments: every alert arrives under its one key, none is lost, none is made twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.log import open_log
from adapters.views import Views
from config.alerts import AlertSettings
from domain.facts.alert import AlertDelivered, AlertRouted
from domain.facts.incident import IncidentOpened
from domain.facts.threat import ThreatDetected
from domain.journal import Draft, follow
from scheduler.routing import set_up
from tests.alerts.receivers import HttpReceiver, http_receiver
from tests.e2e.swarm import myrmidon, start
from tests.projections.story import NOON, detected, uid

RUN = ("run", "--agents", "responder", "--until-eof")


def record_threats(home: Path, number: int, settings: AlertSettings) -> None:
    """As many threats as incidents are to be, in a log for which alerts have been set up."""
    home.mkdir()
    with closing(open_log(str(home / "log.db"), lambda: NOON)) as journal:
        set_up(journal, settings, NOON)
        made = []
        for n in range(number):
            stream, fact = detected(n, entity=f"10.{n // 250}.{n % 250}.1")
            assert isinstance(fact, ThreatDetected)
            fact = replace(fact, peers=(), threat_kind="flood")
            made.append(Draft(event_id=uid(n), stream=stream, fact=fact, occurred_at=NOON + n, actor="detector"))
        journal.append(made)


def settings_of(url: str) -> dict[str, object]:
    return {"channels": {"soc": {"kind": "webhook", "url": url, "secret_env": "HOOK_SECRET"}}}


def written(folder: Path, url: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(f'[alerts.channels.soc]\nkind = "webhook"\nurl = "{url}"\nsecret_env = "HOOK_SECRET"\n')
    return file


def survive(home: Path, config: Path, served: HttpReceiver, *, kills: int, number: int, seed: int) -> None:
    """Kill as many runs, half of them while alerts are going out, the others at any moment."""
    dice = random.Random(seed)
    for kill in range(kills):
        process = start(home, "--config", str(config), *RUN, HOOK_SECRET="s3cr3t")
        begun, had = time.monotonic(), len(served.requests)
        wanted = dice.randint(0, max(1, number // kills))
        while process.poll() is None:
            if kill % 2 and time.monotonic() - begun > dice.uniform(0.2, 3.0):
                break
            if len(served.requests) > had + wanted:
                break
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.01))
        process.kill()
        process.wait()


def work_off(home: Path, config: Path) -> None:
    """Runs that nobody kills, until nothing is left: one waits only so long for its alerts on a busy machine."""
    for _ in range(20):
        done = myrmidon(home, "--config", str(config), *RUN, HOOK_SECRET="s3cr3t")
        assert done.code == 0, done.err
        if "left for the next run" not in done.err:
            return


def campaign(tmp_path: Path, *, kills: int, number: int, seed: int) -> None:
    with http_receiver(delay=0.002) as served:
        home, config = tmp_path / "home", written(tmp_path, served.url)
        record_threats(home, number, AlertSettings.model_validate(settings_of(served.url)))
        survive(home, config, served, kills=kills, number=number, seed=seed)
        served.delay = 0.0
        work_off(home, config)
    with closing(open_log(str(home / "log.db"), lambda: 0)) as journal, Views.open(str(home), journal) as views:
        facts = [each.fact for batch in follow(journal) for each in batch]
        assert journal.verify().ok
        assert views.replay(journal)["equal"]
    routed = Counter(fact.alert for fact in facts if isinstance(fact, AlertRouted))
    delivered = Counter(fact.alert for fact in facts if isinstance(fact, AlertDelivered))
    assert sum(isinstance(fact, IncidentOpened) for fact in facts) == number
    assert set(routed.values()) == {1}
    assert len(routed) == number
    assert delivered == routed
    assert set(served.keys) == {str(alert) for alert in routed}


def test_five_kills_lose_no_alert_and_make_none_twice(tmp_path):
    campaign(tmp_path, kills=5, number=400, seed=11)


@pytest.mark.faults
def test_a_hundred_kills_lose_no_alert_and_make_none_twice(tmp_path):
    campaign(tmp_path, kills=100, number=1_000, seed=12)
