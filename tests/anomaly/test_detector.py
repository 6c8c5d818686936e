import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Sighting
from engine.features.table import FEATURES
from engine.features.windows import ClosedWindow
from engine.models.anomaly import AnomalyDetector
from engine.models.base import ModelDamaged, version_of
from engine.models.reading import FEATURES as USED
from engine.models.words import WORDS
from tests.anomaly.stream import LOCAL, closed, frames, office, stationary

QUICK = AnomalyLimits(window_s=60, warmup_windows=64, min_host_windows=20, calibration_windows=40, fpr=0.05)


def detector(limits: AnomalyLimits = QUICK) -> AnomalyDetector:
    return AnomalyDetector(limits, LOCAL, seed=7)


def usual(number: int, draw: np.random.Generator) -> ClosedWindow:
    return closed(number, "10.0.1.1", draw.normal(4, 0.5, len(FEATURES)))


def odd(number: int, draw: np.random.Generator) -> ClosedWindow:
    vector = draw.normal(4, 0.5, len(FEATURES))
    vector[4:24] = draw.normal(14, 0.5, 20)
    return closed(number, "10.0.1.1", vector)


def one_host(story: str, learned: int = 150) -> list[Sighting | None]:
    """After a warm-up and `learned` usual windows: what each window of the story (u: usual, o: odd) is sighted as."""
    draw = np.random.default_rng(11)
    judge = detector(AnomalyLimits(warmup_windows=256)).judge
    judge([usual(i, draw) for i in range(256 + learned)])
    made = [{"u": usual, "o": odd}[letter](1000 + i, draw) for i, letter in enumerate(story)]
    return [next(iter(judge([window]).sightings), None) for window in made]


def voted(sightings: list[Sighting | None]) -> str:
    return "".join("!" if sighting and sighting.votes[0].vote else "." for sighting in sightings)


def test_votes_on_hosts_that_stay_as_they_are_come_at_the_configured_rate_and_the_rate_holds() -> None:
    sensed = detector(AnomalyLimits()).judge(list(stationary(hosts=25, windows=2 * 288, seed=5, together=True)))
    flags = [p <= 0.01 for p in sensed.scores]
    half = len(flags) // 2
    assert len(flags) > 7_000
    assert 0.004 < np.mean(flags) <= 0.013
    assert np.mean(flags[half:]) <= 0.013


def test_a_host_that_behaves_unlike_its_past_is_sighted_with_what_shows_it() -> None:
    [sighting] = one_host("o")
    assert sighting is not None
    assert (sighting.kind, sighting.entity, sighting.row) == ("anomaly", "10.0.1.1", 1000)
    assert sighting.score >= 1
    decides, *models = sighting.votes
    assert (decides.model, decides.vote, decides.p) == ("consensus", True, pytest.approx(1 / 151, abs=1e-6))
    assert [(vote.model, vote.vote) for vote in models] == [
        ("bayes", True), ("isolation-forest", True), ("sequence", False)
    ]  # fmt: skip
    assert models[2].p is None, "a model that has nothing to read abstains"
    *shown, held, deviation = sighting.features
    assert {feature.name for feature in shown} <= {WORDS[f.name] for f in FEATURES[4:24] if f.name in WORDS}
    assert (held.name, held.value) == ("host windows in its baseline of nights", 150)
    assert len(shown) == 5
    assert deviation.name == "deviation (strong)"
    assert deviation.value > 12
    assert all(f.baseline is not None for f in shown)
    assert sighting.evidence == "ab" * 32
    assert [flow.dst_port for flow in sighting.flows] == [443]


def test_a_window_of_one_to_three_records_is_no_vote_however_odd() -> None:
    for flows, votes in ((3, 0), (4, 1)):
        draw = np.random.default_rng(11)
        judge = detector(AnomalyLimits(warmup_windows=256)).judge
        judge([usual(i, draw) for i in range(406)])
        window = odd(1000, draw)
        small = closed(1000, window.host, window.entries, flows=flows)
        assert len(judge([small]).sightings) == votes


def test_every_feature_that_models_read_has_words() -> None:
    assert {feature.name for feature in USED} == set(WORDS)


def test_an_alarm_stays_on_as_long_as_its_cause_and_ends_with_it() -> None:
    assert voted(one_host("o" * 60 + "uuu")) == "!" * 60 + "..."


def test_a_host_that_changed_for_good_becomes_its_own_new_past() -> None:
    sightings = one_host("o" * (288 + 99) + "o" * 30)
    assert voted(sightings)[:288] == "!" * 288
    assert voted(sightings[288:]).count("!") <= 2


def test_without_enough_past_of_its_own_a_host_is_not_judged() -> None:
    assert one_host("o", learned=98) == [None]


def test_candidates_begin_at_half_the_threshold() -> None:
    sensed = detector(AnomalyLimits()).judge(list(stationary(hosts=10, windows=400, seed=6, together=True)))
    scores = {sighting.score for sighting in sensed.sightings}
    assert min(scores) >= 0.5
    assert any(score < 1 for score in scores)
    for sighting in sensed.sightings:
        severe = sighting.features[-1].name in {"deviation (strong)", "deviation (extreme)"}
        assert (sighting.score >= 1) == (sighting.votes[0].vote and severe)


def test_the_models_are_adopted_once_when_the_first_host_can_be_judged_and_says_so() -> None:
    detect = detector()
    windows = list(stationary(hosts=5, windows=40, seed=2))
    assert detect.version == "warming-up"
    before = [(n.fields["profile"], n.fields["seen"], n.fields["windows"]) for n in detect.judge(windows[:164]).notices]
    assert [told for told in before if told[0] == "hosts"] == [("hosts", seen, 64) for seen in (1, 16, 32, 48, 64)]
    assert [told for told in before if told[0] == "night"] == [("night", seen, 20) for seen in (0, 5, 10, 15, 20)]
    notices = detect.judge(windows[164:]).notices
    assert {(notice.row, notice.at) for notice in notices} == {(windows[164].row, windows[164].at)}
    assert [(notice.name, notice.fields) for notice in notices] == [
        *(
            ("model-trained", {
                "model": model.name, "version": version_of(model), "sha256": model.sha256, "samples": 64, "verdicts": 0,
                "seed": 7,
            })
            for model in detect.models
        ),
        ("baseline-learned", {"profile": "hosts", "windows": 64, "hosts": 5, "model_version": detect.version}),
        ("baseline-learned", {"profile": "night", "windows": 20, "hosts": 1, "model_version": detect.version}),
    ]  # fmt: skip


def sensed_of(rows: list[tuple[object, ...]], size: int) -> tuple[list[object], bytes]:
    detect, seen = detector(), []
    for frame in frames(rows, size):
        sensed = detect.sense(frame)
        seen += [*sensed.notices, *sensed.scores, *sensed.sightings]
    return sorted(seen, key=repr), detect.dump()


@pytest.mark.parametrize("size", [13, 1000])
def test_what_is_sensed_does_not_depend_on_where_the_stream_is_cut(size: int) -> None:
    rows = office(6000, gap_s=2.0)
    whole = sensed_of(rows, len(rows))
    assert any(isinstance(item, Sighting) for item in whole[0])
    assert sensed_of(rows, size) == whole


@pytest.mark.parametrize("stop", [100, 1500, 4500])
def test_what_is_sensed_is_the_same_after_dump_and_load_anywhere(stop: int) -> None:
    rows = office(6000, gap_s=2.0)
    before, after = detector(), detector()
    for frame in frames(rows[:stop], 500):
        before.sense(frame)
    after.load(before.dump())
    assert after.version == before.version
    for frame in frames(rows[stop:], 500):
        assert before.sense(frame) == after.sense(frame)
    assert before.dump() == after.dump()


def test_a_state_whose_model_was_damaged_is_refused() -> None:
    detect = detector()
    detect.judge(list(stationary(hosts=4, windows=60, seed=2)))
    state = detect.dump()
    place = state.index(detect.models[1].dump()) + 500
    with pytest.raises(ModelDamaged):
        detector().load(state[:place] + bytes([state[place] ^ 1]) + state[place + 1 :])


def test_the_host_that_was_judged_longest_ago_makes_room() -> None:
    detect = detector(AnomalyLimits(warmup_windows=60, waiting_windows=1, max_hosts=10))
    detect.judge(list(stationary(hosts=4, windows=16, seed=2)))
    size = len(detect.dump())
    vector = np.zeros(len(FEATURES))
    for i in range(200):
        detect.judge([closed(i, f"10.0.2.{i}", vector)])
    assert len(detect.dump()) < size + 10 * 300


SCRIPT = """
import hashlib
from tests.anomaly.test_detector import office, sensed_of
print(hashlib.sha256(sensed_of(office(3000, gap_s=2.0), 100)[1]).hexdigest())
"""


def test_what_is_sensed_does_not_depend_on_the_hash_seed() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    shown = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    expected = hashlib.sha256(sensed_of(office(3000, gap_s=2.0), 100)[1]).hexdigest()
    assert shown.stdout.strip() == expected
