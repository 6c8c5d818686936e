"""The detector on day one, its profiles, what verdicts do to it, and evidence that scores again to the last bit."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import msgspec
import numpy as np
import pytest

from bench.story import write_day
from domain.anomaly_limits import AnomalyLimits
from domain.values import DAY, HOUR, SECOND, level_of, risk_of
from engine.features.table import FEATURES
from engine.models.anomaly import AnomalyDetector
from engine.models.base import ModelDamaged
from engine.models.evidence import Evidence, EvidenceDamaged, recompute
from engine.models.profiles import profile_of
from engine.sensed import Judged
from tests.anomaly.stream import LOCAL, START, closed, stationary
from tests.engine.reader import read

LIMITS = AnomalyLimits(warmup_windows=64, min_host_windows=20, calibration_windows=40, fpr=0.05)


@pytest.fixture(scope="module")
def judged():
    """A detector that knows five hosts, and what it sensed on the way."""
    detector = AnomalyDetector(LIMITS, LOCAL, 7)
    return detector, detector.judge(list(stationary(5, 80, 2, together=True)))


@pytest.fixture
def detector(judged):
    """Another one in the same state."""
    again = AnomalyDetector(LIMITS, LOCAL, 7)
    again.load(judged[0].dump())
    return again


def odd(number: int, host: str = "10.0.1.1"):
    return closed(number, host, np.full(len(FEATURES), 30.0), START + 80 * 300 * SECOND)


def crowd(detector: AnomalyDetector, windows: int, hosts: int, *, strange: bool = True):
    """Hosts without a past, window after window; the first one does something else in the last."""
    draw = np.random.default_rng(3)
    sensed = None
    for k in range(windows):
        vectors = draw.normal(4, 1, (hosts, len(FEATURES)))
        if strange and k == windows - 1:
            vectors[0] += 15
        start = START + k * 300 * SECOND
        sensed = detector.judge([closed(k + 1, f"10.0.2.{h}", v, start) for h, v in enumerate(vectors)])
    return sensed


def test_on_day_one_a_host_unlike_its_peers_is_sighted_by_the_peers_and_named_so():
    sensed = crowd(AnomalyDetector(AnomalyLimits(), LOCAL, 7), 10, 20)
    [sighting] = [each for each in sensed.sightings if each.score >= 1]
    assert sighting.entity == "10.0.2.0"
    assert [(vote.model, vote.version, vote.vote) for vote in sighting.votes] == [("peers", "median-mad-1", True)]


def test_too_few_peers_say_nothing():
    assert crowd(AnomalyDetector(AnomalyLimits(), LOCAL, 7), 30, 11).scores == []


def test_votes_of_the_peers_come_at_the_promised_rate():
    detector = AnomalyDetector(AnomalyLimits(warmup_windows=10**6), LOCAL, 7)
    sensed = detector.judge(list(stationary(40, 200, 9, together=True)))
    assert len(sensed.scores) > 7_000
    assert np.mean([p <= 0.01 for p in sensed.scores]) <= 0.013


def test_an_anomaly_alone_never_reaches_medium_risk(detector):
    scores = [sighting.score for k in range(30) for sighting in detector.judge([odd(1000 + k)]).sightings]
    assert max(scores) > 1
    assert level_of(risk_of("anomaly", 12.0)) == "low"
    assert max(scores) <= 12.0


def test_the_warm_up_is_told_when_it_begins_and_when_it_ends(judged):
    names = [notice.name for notice in judged[1].notices]
    begun = names.index("model-trained")
    assert set(names[:begun]) == {"baseline-warming"}
    assert names[begun : begun + 4] == ["model-trained"] * 3 + ["baseline-learned"]


def test_votes_are_counted_once_a_day_of_event_time_for_every_voter():
    detector = AnomalyDetector(LIMITS, LOCAL, 7)
    windows = list(stationary(5, 340, 2, together=True))
    counted = [n for n in detector.judge(windows).notices if n.name == "votes-counted"]
    assert {notice.fields["model"] for notice in counted} == {"bayes", "consensus", "isolation-forest"}
    for notice in counted:
        assert notice.fields["judged"] >= notice.fields["votes"] >= 0
    consensus = [n for n in counted if n.fields["model"] == "consensus"]
    assert all(n.fields["disagreements"] == 0 for n in consensus)


def test_nights_and_weekends_have_a_baseline_of_their_own():
    monday = 1_767_571_200 * SECOND  # 2026-01-05T00:00Z
    limits = AnomalyLimits(utc_offset_minutes=120)
    assert [profile_of(monday + h * HOUR, limits) for h in (4, 5, 16, 17)] == ["night", "day", "day", "night"]
    assert profile_of(monday + 5 * DAY + 12 * HOUR, limits) == "weekend"
    detector = AnomalyDetector(LIMITS, LOCAL, 7)
    detector.judge(list(stationary(5, 80, 2, together=True)))
    other = odd(1000)
    day = closed(1001, "10.0.1.1", np.full(len(FEATURES), 30.0), monday + 10 * HOUR)
    assert detector.judge([other]).sightings, "held against its nights"
    assert not detector.judge([day]).sightings, "it has no days yet"


def evidence_of(sensed) -> bytes:
    blobs = {sha256(blob).hexdigest(): blob for blob in sensed.blobs}
    return blobs[sensed.sightings[-1].detail]


def store_of(detector: AnomalyDetector):
    return {model.sha256: model.dump() for model in detector.models}.__getitem__


def test_recorded_evidence_scores_again_to_the_last_bit(detector):
    sensed = detector.judge([odd(1000)])
    evidence = Evidence.load(evidence_of(sensed))
    found = recompute(evidence, store_of(detector))
    assert found.equal
    assert found.p == evidence.p == sensed.sightings[-1].votes[0].p


def test_the_evidence_of_peers_scores_again_without_any_model():
    evidence = Evidence.load(evidence_of(crowd(AnomalyDetector(AnomalyLimits(), LOCAL, 7), 10, 20)))
    assert recompute(evidence, {}.__getitem__).equal


def test_evidence_with_another_vector_or_p_is_unequal_and_another_model_is_refused(detector):
    evidence = Evidence.load(evidence_of(detector.judge([odd(1000)])))
    vector = np.full(len(evidence.vector) // 4, 4.0)
    other = msgspec.structs.replace(evidence, vector=vector.astype("<f4").tobytes())
    assert not recompute(other, store_of(detector)).equal
    assert not recompute(msgspec.structs.replace(evidence, p=0.5), store_of(detector)).equal
    with pytest.raises(ModelDamaged):
        recompute(evidence, lambda _: b"something else")


def test_what_is_no_evidence_is_refused():
    with pytest.raises(EvidenceDamaged, match="restore the artifact"):
        Evidence.load(b"\x81")


def verdict(sensed, said: str, confidence: float = 1.0, threat: str = "a") -> Judged:
    detail = evidence_of(sensed)
    return Judged(threat=threat, entity="10.0.1.1", verdict=said, confidence=confidence, detail=detail)


def test_a_false_alarm_shifts_the_hosts_baseline_by_a_recorded_fact_and_is_no_alarm_again(detector):
    first = detector.judge([odd(1000)])
    told = detector.learn([verdict(first, "incorrect")], 1000, START)
    shift = next(notice for notice in told.notices if notice.name == "baseline-shifted")
    assert (shift.fields["host"], shift.fields["reason"]) == ("10.0.1.1", "verdict")
    assert [s for s in detector.judge([odd(1001)]).sightings if s.score >= 1] == []


def test_a_confirmed_attack_stays_an_alarm_and_teaches_the_bayesian_model(detector):
    first = detector.judge([odd(1000)])
    before = {model.name: model.sha256 for model in detector.models}
    told = detector.learn([verdict(first, "correct")], 1000, START)
    after = {model.name: model.sha256 for model in detector.models}
    assert {name for name in after if after[name] != before[name]} == {"bayes"}
    trained = next(notice for notice in told.notices if notice.name == "model-trained")
    assert trained.fields["sha256"] == after["bayes"] == sha256(told.blobs[-1]).hexdigest()
    assert [s.score >= 1 for s in detector.judge([odd(1001)]).sightings] == [True]


def test_verdicts_move_the_level_and_say_so(detector):
    alarms = [detector.judge([odd(1000 + k)]) for k in range(20)]
    said = [verdict(alarm, "incorrect", threat=str(n)) for n, alarm in enumerate(alarms)]
    told = detector.learn(said, 1020, START)
    moved = next(notice for notice in told.notices if notice.name == "threshold-moved")
    assert moved.fields["level"] == detector.level < moved.fields["target"] == 0.05


def test_nine_times_the_same_verdict_teaches_as_much_as_once(detector):
    again = AnomalyDetector(LIMITS, LOCAL, 7)
    again.load(detector.dump())
    first, same = detector.judge([odd(1000)]), again.judge([odd(1000)])
    detector.learn([verdict(first, "incorrect")], 1000, START)
    for _ in range(9):
        told = again.learn([verdict(same, "incorrect")], 1000, START)
    assert told.notices == []
    assert again.dump() == detector.dump()


@pytest.mark.parametrize("last", ["correct", "incorrect", "partial"])
def test_the_last_verdict_takes_back_what_the_earlier_ones_did(detector, last):
    again = AnomalyDetector(LIMITS, LOCAL, 7)
    again.load(detector.dump())
    first, same = detector.judge([odd(1000)]), again.judge([odd(1000)])
    detector.learn([verdict(first, last)], 1000, START)
    for said in ("incorrect", "correct", "incorrect", "partial", last):
        again.learn([verdict(same, said)], 1000, START)
    assert again.level == detector.level
    assert again.version == detector.version
    ours, theirs = again.judge([odd(1001)]).scores, detector.judge([odd(1001)]).scores
    assert ours == theirs
    later = [closed(1002 + k, "10.0.1.1", np.full(len(FEATURES), 4.0 + k), START + 81 * 300 * SECOND) for k in range(3)]
    assert again.judge(later).scores == detector.judge(later).scores


def test_a_verdict_taken_back_is_told_and_the_alarm_is_one_again(detector):
    first = detector.judge([odd(1000)])
    detector.learn([verdict(first, "incorrect")], 1000, START)
    told = detector.learn([verdict(first, "correct")], 1001, START)
    assert [n.fields["reason"] for n in told.notices if n.name == "baseline-shifted"] == ["verdict-taken-back"]
    assert [s.score >= 1 for s in detector.judge([odd(1002)]).sightings] == [True]


def test_an_unsure_verdict_moves_less_than_a_sure_one(judged):
    moved = {}
    for confidence in (0.1, 0.5, 1.0):
        detector = AnomalyDetector(LIMITS, LOCAL, 7)
        detector.load(judged[0].dump())
        alarms = [detector.judge([odd(1000 + k)]) for k in range(20)]
        said = [verdict(alarm, "incorrect", confidence, str(n)) for n, alarm in enumerate(alarms)]
        told = detector.learn(said[:1], 1020, START)
        learned = [n.fields["windows"] for n in told.notices if n.name == "baseline-shifted"]
        moved[confidence] = (abs(LIMITS.fpr - detector.level), sum(learned))
    assert moved[0.1][0] < moved[0.5][0] < moved[1.0][0]
    assert moved[0.1][1] < moved[0.5][1] < moved[1.0][1]


def test_what_verdicts_taught_survives_a_dump(detector):
    detector.learn([verdict(detector.judge([odd(1000)]), "incorrect")], 1000, START)
    again = AnomalyDetector(LIMITS, LOCAL, 7)
    again.load(detector.dump())
    assert again.dump() == detector.dump()
    assert (again.level, again.version) == (detector.level, detector.version)


def test_traffic_that_nobody_flagged_and_nobody_judged_does_not_move_a_full_baseline():
    detector = AnomalyDetector(replace(LIMITS, fpr=0.02, min_host_windows=60, calibration_windows=60), LOCAL, 7)
    windows = list(stationary(1, 200, 2))
    detector.judge(windows)
    last = windows[-1].window.start
    nearly = closed(999, "10.0.1.0", np.array(windows[-1].vector) + 2, last)
    before = detector.judge([nearly]).scores
    for k, window in enumerate(windows):  # a slow poisoning: every window a little nearer
        detector.judge([closed(1000 + k, "10.0.1.0", np.array(window.vector) + 0.3 * k / 200, last)])
    assert detector.judge([nearly]).scores == before


def test_votes_on_a_generated_harmless_day_stay_at_the_promised_rate(tmp_path):
    write_day(tmp_path, seed=5, hosts=14, hours=3.2, attacks=())
    frame = read(f"zeek:{tmp_path}/zeek").scored()
    detector = AnomalyDetector(replace(AnomalyLimits(), window_s=60), LOCAL, 7)
    sensed = detector.sense(frame)
    voters = {sighting.votes[0].model for sighting in sensed.sightings}
    assert voters == {"consensus", "peers"}
    assert len(sensed.scores) > 2_000
    assert np.mean([p <= 0.01 for p in sensed.scores]) <= 0.013
