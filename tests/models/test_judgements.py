"""What verdicts teach is a function of the last one on each threat; taking one back leaves a baseline as it was."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.anomaly_limits import AnomalyLimits
from engine.models.judgements import MOST, Judgements, Told
from engine.models.pasts import Pasts
from engine.models.reading import FEATURES
from engine.sensed import Judged
from engine.verdict.tracker import Tracker

START = Tracker.at(0.01)
words = st.tuples(
    st.sampled_from("abcd"), st.sampled_from(["correct", "incorrect", "partial"]), st.sampled_from([0.0, 0.1, 0.5, 1.0])
)


def told(said: str, confidence: float, share: float = 0.02) -> Told:
    return Told(said, confidence, share, np.float32([len(said)]).tobytes())


@given(st.lists(words, max_size=30), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_only_the_last_verdict_on_each_threat_counts_also_behind_a_dump(said, cut):
    every, last = Judgements(), Judgements()
    for number, (threat, verdict, confidence) in enumerate(said):
        every.take(threat, told(verdict, confidence))
        if number == cut:
            every = msgspec.msgpack.decode(msgspec.msgpack.encode(every), type=Judgements)
    final = {threat: (verdict, confidence) for threat, verdict, confidence in said}
    for threat, (verdict, confidence) in final.items():
        last.take(threat, told(verdict, confidence))
    assert every.track(START) == last.track(START)
    assert every.votes() == last.votes()


def test_a_verdict_of_no_confidence_moves_nothing():
    said = Judgements()
    said.take("a", told("incorrect", 0.0))
    assert said.track(START).level == START.level
    assert said.votes() == [0.0]


def test_what_is_no_longer_held_stays_taught():
    bounded, every = Judgements(), Judgements()
    for number in range(MOST + 50):
        for each in (bounded, every):
            each.take(str(number), told("incorrect" if number % 3 else "correct", 1.0))
        bounded.settle(START)
    assert len(bounded.told) == MOST
    assert bounded.track(START) == every.track(START)


def incorrect(threat: str, confidence: float) -> Judged:
    return Judged(threat=threat, entity="10.0.0.1", verdict="incorrect", confidence=confidence)


def rows(table) -> list[bytes]:
    return sorted(row.tobytes() for row in table)


@given(
    learned=st.integers(20, 60), confidence=st.sampled_from([0.3, 1.0]), seed=st.integers(0, 999),
    order=st.sampled_from(["ab", "ba"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_baseline_is_as_it_was_when_verdicts_are_taken_back(learned, confidence, seed, order):
    draw = np.random.default_rng(seed)
    pasts = Pasts(AnomalyLimits(calibration_windows=40, explain_windows=8), 3)
    places = pasts.places(["10.0.0.1"], "day")
    [place] = places
    for row in draw.normal(size=(learned, 1, 3)):
        pasts.learn(places, row, draw.normal(size=(1, len(FEATURES))))
    before = rows(pasts.scores(place)), rows(pasts.vectors(place))
    times = {
        threat: pasts.accept(place, incorrect(threat, confidence), np.full(3, k), np.full(len(FEATURES), k), 0.05)
        for k, threat in enumerate("ab", 1)
    }
    for threat in order:
        assert pasts.take_back(place, threat) == times[threat]
    assert (rows(pasts.scores(place)), rows(pasts.vectors(place))) == before
    assert pasts.take_back(place, "a") == 0
