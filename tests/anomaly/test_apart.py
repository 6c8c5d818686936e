"""The anomaly detector in a process of its own gives what it gives in this one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.anomaly_limits import AnomalyLimits
from domain.thresholds import Thresholds
from engine.models.anomaly import AnomalyDetector
from engine.models.apart import AnomalyApart, Stopped
from tests.anomaly.stream import LOCAL, frames, office

LIMITS = AnomalyLimits(window_s=60, warmup_windows=64, min_host_windows=20, calibration_windows=40, fpr=0.05)
SETTINGS = replace(Thresholds(), anomaly=LIMITS, local_networks=tuple(LOCAL))


@pytest.fixture
def apart():
    made = []

    def make() -> AnomalyApart:
        made.append(AnomalyApart(SETTINGS, 7))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_same_frames_give_the_same_sightings_notices_and_scores(apart):
    here, there = AnomalyDetector(LIMITS, LOCAL, 7), apart()
    given = list(frames(office(9_000), 500))
    told = 0
    for number, frame in enumerate(given):
        expected, answer = here.sense(frame), there.sense(frame)
        assert answer == expected
        assert there.version == here.version
        told += len(expected.notices) + len(expected.scores)
        if number == len(given) // 2:
            state = there.dump()
            assert state == here.dump()
            there.close()
            there = apart()
            there.load(state)
    assert told


def test_a_child_that_died_is_told_and_not_waited_for(apart):
    there = apart()
    there._child.kill()
    there._child.wait()
    with pytest.raises(Stopped, match="has ended"):
        there.dump()
