"""What verdicts teach is a function of the last one on each threat; taking one back leaves a baseline as it was."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.anomaly_limits import AnomalyLimits
from engine.models.judgements import MOST, Judgements, Rates, Shares, Told
from engine.models.pasts import Pasts
from engine.models.reading import FEATURES
from engine.sensed import Judged
from engine.verdict.tracker import Tracker

START = Tracker.at(0.01)
words = st.tuples(
    st.sampled_from("abcd"), st.sampled_from(["correct", "incorrect", "partial"]), st.sampled_from([0.0, 0.1, 0.5, 1.0])
)


def told(said: str, confidence: float, alarmed: float = 0.02, slight: float = 0.0, voter: str = "consensus") -> Told:
    return Told(said, confidence, voter, Shares(alarmed, slight), np.float32([len(said)]).tobytes())


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
    assert every.track("consensus", START) == last.track("consensus", START)
    assert every.votes() == last.votes()


def test_a_verdict_of_no_confidence_moves_nothing():
    said = Judgements()
    said.take("a", told("incorrect", 0.0))
    assert said.track("consensus", START).level == START.level
    assert said.votes() == [0.0]


def test_what_is_no_longer_held_stays_taught():
    bounded, every = Judgements(), Judgements()
    for number in range(MOST + 50):
        for each in (bounded, every):
            each.take(str(number), told("incorrect" if number % 3 else "correct", 1.0))
        bounded.settle(START)
    assert len(bounded.told) == MOST
    assert bounded.track("consensus", START) == every.track("consensus", START)


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


def test_sixteen_false_alarms_never_make_the_level_more_lenient():
    said = Judgements()
    for number in range(16):
        said.take(str(number), told("incorrect", 1.0, alarmed=0.0057))
        assert said.track("consensus", START).level == START.level


@given(st.lists(st.tuples(st.sampled_from(["correct", "incorrect"]), st.floats(0, 0.05), st.floats(0, 0.02))))
@settings(max_examples=200, deadline=None)
def test_a_verdict_moves_the_level_in_its_own_way_only(verdicts):
    said, before = Judgements(), START.level
    for number, (verdict, alarmed, slight) in enumerate(verdicts):
        said.take(str(number), told(verdict, 1.0, alarmed, slight))
        after = said.track("consensus", START).level
        assert after <= before if verdict == "incorrect" else after >= before
        before = after


def test_windows_that_were_flagged_and_never_alarmed_count_as_false_alarms():
    said = Judgements()
    said.take("a", told("correct", 1.0, alarmed=0.02, slight=0.004))
    assert said.track("consensus", START).level == 0.0106
    said.take("a", told("partial", 1.0))
    said.take("b", told("correct", 1.0, alarmed=0.02, slight=0.01))
    assert said.track("consensus", START).level == START.level


def test_verdicts_on_alarms_of_the_peers_leave_the_level_of_the_consensus_alone():
    said = Judgements()
    said.take("a", told("incorrect", 1.0, alarmed=0.05, voter="peers"))
    assert said.track("consensus", START) == START
    assert said.track("peers", START).level == 0.006


@pytest.mark.parametrize(("exponent", "severe"), [(1.0, 0.5), (1.3, 0.5), (1.3, 0.1), (0.8, 1.0)])
def test_the_promised_rate_holds_although_only_alarms_are_judged(exponent, severe):
    """p-values that are too small (or too large) by a power; one window in a hundred is an attack, alarmed for sure."""
    draw = np.random.default_rng(5)
    said, rates, flagged, level = Judgements(), Rates(), [], START.level
    for number in range(40_000):
        if number % 100 == 0:
            level = said.track("consensus", START).level
        said.settle(START)
        attack = draw.random() < 0.01
        vote = attack or draw.random() ** exponent <= level
        alarm = vote and (attack or draw.random() < severe)
        rates.judged, rates.flagged, rates.alarmed = rates.judged + 1, rates.flagged + vote, rates.alarmed + alarm
        if alarm and draw.random() < 0.5:
            word = "correct" if attack else "incorrect"
            said.take(str(number), Told(word, 1.0, "consensus", rates.shares(), b"\0\0\0\0"))
        if not attack:
            flagged.append(vote)
    assert np.mean(flagged[20_000:]) <= 1.1 * START.target
