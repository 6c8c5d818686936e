"""Artifacts of models: verified, never a pickle, and a bad one never replaces a good one."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from adapters.artifacts import ArtifactError, Artifacts
from engine.models.base import ModelDamaged
from engine.models.bayes import Bayes
from engine.models.isolation import IsolationForest
from engine.models.stored import ArtifactRefused, Serving, dump_estimators, load_estimators
from engine.models.supervised import Supervised

ROWS = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)


def named(data: bytes) -> tuple[bytes, str]:
    return data, sha256(data).hexdigest()


@pytest.fixture
def serving():
    return Serving(Bayes.fit(ROWS, 7))


def test_a_sound_artifact_takes_over(serving):
    other = Bayes.fit(ROWS, 8)
    serving.offer("bayes", other.dump(), other.sha256)
    assert serving.model.sha256 == other.sha256


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("bayes", lambda: (Bayes.fit(ROWS, 8).dump()[:-1] + b"!", Bayes.fit(ROWS, 8).sha256), "SHA-256 is"),
        ("bayes", lambda: named(b"\x80\x04cos\nsystem\n."), "is no model of that family"),
        ("bayes", lambda: named(IsolationForest.fit(ROWS, 8).dump()), "is no model of that family"),
        ("crystal-ball", lambda: named(b""), "no installed package provides it"),
    ],
    ids=["tampered", "pickle", "other family", "unknown"],
)
def test_a_wrong_artifact_is_refused_and_the_one_before_goes_on_serving(serving, name, data, why):
    before = serving.model.score(ROWS)
    with pytest.raises(ArtifactRefused, match=f"{why}.*goes on serving"):
        serving.offer(name, *data())
    assert serving.model.score(ROWS).tobytes() == before.tobytes()


def test_the_supervised_model_comes_back_without_pickle_with_the_same_scores():
    model = Supervised.fit(ROWS, ROWS[:, 0] > 0, 7)
    assert Supervised.load(model.dump(), model.sha256).score(ROWS).tobytes() == model.score(ROWS).tobytes()


def test_estimators_whose_bytes_were_changed_are_refused():
    data = dump_estimators(Supervised.fit(ROWS, ROWS[:, 0] > 0, 7).members[0][1])
    with pytest.raises(ModelDamaged):
        load_estimators(data + b" ", sha256(data).hexdigest(), "supervised")


class Intruder:
    """A type that nobody trusts."""


def test_a_type_that_is_not_trusted_is_refused():
    data = dump_estimators({"estimator": Intruder()})
    with pytest.raises(ArtifactRefused, match="Intruder"):
        load_estimators(data, sha256(data).hexdigest(), "supervised")


def test_what_is_no_dump_at_all_is_refused():
    with pytest.raises(ArtifactRefused, match="cannot be read"):
        load_estimators(*named(b"\x80\x04cos\nsystem\n."), "supervised")


def test_the_store_gives_a_model_only_as_it_was_put_there(tmp_path):
    store = Artifacts(tmp_path)
    model = Bayes.fit(ROWS, 7)
    assert store.put(model.dump()) == model.sha256
    path = next(tmp_path.rglob(model.sha256))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match="was changed"):
        store.get(model.sha256)
