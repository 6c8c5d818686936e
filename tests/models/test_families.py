"""What every family of models keeps, ours and those of others: two verbs, plain bytes, no neighbours in a score."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from engine.models.base import ModelDamaged
from engine.models.bayes import Bayes
from engine.models.isolation import IsolationForest
from engine.models.neighbours import Neighbours
from engine.models.registry import GROUP, OURS, ModelUnusable, families, family_of, survey
from engine.models.sequence import SequenceModel, grow
from engine.models.training import fit_apart
from engine.models.warmup import Windows
from tests.data import ROOT

ALL = [Bayes, IsolationForest, Neighbours, SequenceModel]


def given(family, rows: int, seed: int):
    draw = np.random.default_rng(seed)
    if family.reads == "vectors":
        return draw.normal(size=(rows, 7)).astype(np.float32)
    rows //= 2  # training on words takes its time
    return [draw.integers(65, 80, draw.integers(4, 65)).astype(np.uint8).tobytes() for _ in range(rows)]


@pytest.fixture(scope="module")
def fitted():
    return {family.name: family.fit(given(family, 300, 1), 7) for family in ALL}


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_score_is_the_same_to_the_last_bit_in_any_batch(fitted, family, size):
    model, rows = fitted[family.name], given(family, 200, 2)
    parts = [model.score(rows[begin : begin + size]) for begin in range(0, len(rows), size)]
    assert np.concatenate(parts).tobytes() == model.score(rows).tobytes()


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_a_model_comes_back_from_its_bytes_with_its_hash_and_scores(fitted, family):
    model, rows = fitted[family.name], given(family, 50, 3)
    again = family.load(model.dump(), model.sha256)
    assert again.sha256 == model.sha256
    assert again.score(rows).tobytes() == model.score(rows).tobytes()


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_changed_bytes_are_refused(fitted, family):
    data = bytearray(fitted[family.name].dump())
    data[len(data) // 2] ^= 1
    with pytest.raises(ModelDamaged, match="train anew"):
        family.load(bytes(data), fitted[family.name].sha256)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_the_same_rows_and_seed_give_the_same_model_and_another_seed_another(fitted, family):
    rows = given(family, 300, 1)
    assert family.fit(rows, 7).sha256 == fitted[family.name].sha256
    if family is not Neighbours:  # below its number of references it keeps all rows, whatever the seed
        assert family.fit(rows, 8).sha256 != fitted[family.name].sha256


def test_the_forward_pass_gives_hmmlearns_likelihood_within_1e_9():
    words = given(SequenceModel, 120, 4)
    grown = grow(words, bytes(sorted(set(b"".join(words)))), seed=3)
    ours = SequenceModel(bytes(range(65, 80)), grown.startprob_, grown.transmat_, grown.emissionprob_)
    theirs = [grown.score(np.frombuffer(word, np.uint8).reshape(-1, 1).astype(int) - 65) for word in words]
    assert np.abs(ours.likelihoods(words) - theirs).max() < 1e-9


def test_a_word_too_short_to_say_anything_abstains_and_an_unheard_letter_is_a_surprise(fitted):
    usual, strange, short = fitted["sequence"].score([b"ABCDEFGH", b"zzzzzzzz", b"AB"])
    assert strange > usual
    assert np.isnan(short)


def test_a_sequence_model_without_any_word_to_learn_from_finds_all_alike():
    model = SequenceModel.fit([b""] * 10, 7)
    assert model.score([b"ABCD", b"zzzzzz"]).tolist() == [0.0, 0.0]


def test_verdicts_move_the_bayesian_model_near_what_they_judged_and_nowhere_else():
    rows = np.random.default_rng(1).normal(size=(400, 5)).astype(np.float32)
    model, here, far = Bayes.fit(rows, 7), np.full((1, 5), 3, np.float32), np.full((1, 5), -3, np.float32)
    attack, alarm = model.updated(here, [1.0]), model.updated(here, [-0.5])
    assert attack.score(here) > model.score(here) > alarm.score(here)
    assert abs(attack.score(far) - model.score(far)) < 0.05 * (attack.score(here) - model.score(here))
    assert attack.posterior(here, 5.0) > model.posterior(here, 5.0) > alarm.posterior(here, 5.0)
    assert model.verdicts == 0
    assert attack.verdicts == 1


def test_pyproject_registers_our_families_as_the_registry_knows_them():
    registered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    assert registered == OURS
    assert [family.name for family in families()] == sorted(OURS)


PACKAGE = '''
import hashlib, numpy as np

class Loudness:
    """The largest number of a row."""

    name, reads = "loudness", "vectors"

    @classmethod
    def fit(cls, rows, seed):
        return cls()

    @classmethod
    def load(cls, data, expected):
        return cls()

    @property
    def sha256(self):
        return hashlib.sha256(self.dump()).hexdigest()

    def score(self, rows):
        return np.asarray(rows, float).max(axis=1)

    def dump(self):
        return b"loudness"
'''

VOTES = """
from domain.anomaly_limits import AnomalyLimits
from engine.models.anomaly import AnomalyDetector
from engine.models.training import begin_apart
from tests.anomaly.stream import LOCAL, stationary

limits = AnomalyLimits(warmup_windows=64, min_host_windows=20, calibration_windows=40, fpr=0.05)
sensed = AnomalyDetector(limits, LOCAL, 7, begin_apart).judge(list(stationary(5, 60, 2, together=True)))
print(*sorted({vote.model for sighting in sensed.sightings for vote in sighting.votes}))
"""


def install(place: Path, target: str) -> None:
    """A tiny package with an entry point, as an installer leaves it: module and metadata."""
    (place / "loud.py").write_text(PACKAGE)
    metadata = place / "loud-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nloudness = {target}\n")


def test_a_model_of_another_package_is_fitted_and_votes(tmp_path):
    install(tmp_path, "loud:Loudness")
    script = f"import sys; sys.path.append({str(tmp_path)!r})\n{VOTES}"
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert shown.stdout.split() == ["bayes", "consensus", "isolation-forest", "loudness", "sequence"], shown.stderr


@pytest.mark.parametrize(("target", "says"), [("loud:Missing", "cannot be loaded"), ("json:dumps", "lacks name")])
def test_a_model_of_another_package_that_cannot_be_used_is_left_out_and_named(tmp_path, monkeypatch, target, says):
    install(tmp_path, target)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = survey()
    assert [family.name for family in found.families] == sorted(OURS)
    assert list(found.unusable) == ["loudness"]
    with pytest.raises(ModelUnusable, match=f"loudness.*{says}"):
        family_of("loudness")


def test_a_model_that_no_package_provides_is_told():
    with pytest.raises(ModelUnusable, match="no installed package provides it"):
        family_of("crystal-ball")


def test_a_model_that_takes_the_fitting_process_down_is_left_out(tmp_path, monkeypatch):
    install(tmp_path, "loud:Loudness")
    (tmp_path / "loud.py").write_text(PACKAGE.replace("return cls()", "import os; os._exit(3)", 1))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    rows = np.random.default_rng(1).normal(size=(64, 5)).astype(np.float32)
    fitted = fit_apart(Windows(rows, [b""] * 64), 7)
    assert [model.name for model in fitted.models] == sorted(OURS)
    assert [(left.name, left.version) for left in fitted.left] == [("loudness", "")]
