import subprocess
import sys

import numpy as np
import pytest

from engine.features.table import FEATURES
from engine.models.base import Matrix, ModelDamaged, version_of
from engine.models.isolation import IsolationForest, fit, flatten, grow
from engine.models.training import TrainingFailed, fit_apart
from engine.models.warmup import Windows


def sample(rows: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(rows, len(FEATURES))).astype(np.float32)


@pytest.fixture(scope="module")
def forest() -> IsolationForest:
    return fit(sample(512, 1), seed=7)


@pytest.mark.parametrize("rows", [1, 2, 40, 512])
def test_the_walk_scores_as_pyod_does(rows: int) -> None:
    grown = grow(sample(rows, 1), seed=7)
    other = np.vstack([sample(2000, 2), 5 * sample(2000, 3)])
    assert np.abs(flatten(grown).score(other) - grown.decision_function(other)).max() < 1e-12


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 10_000])
def test_a_score_is_the_same_to_the_last_bit_under_any_batch_size(forest: IsolationForest, size: int) -> None:
    rows = sample(10_000, 4)
    parts = [forest.score(rows[begin : begin + size]) for begin in range(0, len(rows), size)]
    assert np.concatenate(parts).tobytes() == forest.score(rows).tobytes()


def test_a_row_far_from_all_others_scores_higher(forest: IsolationForest) -> None:
    usual, odd = forest.score(np.vstack([np.zeros((1, len(FEATURES))), np.full((1, len(FEATURES)), 6.0)]))
    assert usual < 0 < odd


def test_the_same_rows_and_seed_grow_the_same_forest_and_another_seed_another(forest: IsolationForest) -> None:
    assert fit(sample(512, 1), seed=7).sha256 == forest.sha256
    assert fit(sample(512, 1), seed=8).sha256 != forest.sha256


def test_a_forest_comes_back_from_its_bytes_with_its_version_and_scores(forest: IsolationForest) -> None:
    again = IsolationForest.load(forest.dump(), forest.sha256)
    assert version_of(again) == version_of(forest) == forest.sha256[:12]
    assert again.score(sample(100, 5)).tobytes() == forest.score(sample(100, 5)).tobytes()


def test_a_forest_whose_bytes_were_changed_is_refused(forest: IsolationForest) -> None:
    data = bytearray(forest.dump())
    data[1000] ^= 1
    with pytest.raises(ModelDamaged, match="train anew"):
        IsolationForest.load(bytes(data), forest.sha256)


def test_a_forest_fitted_in_a_process_of_its_own_is_the_same_to_the_last_bit(forest: IsolationForest) -> None:
    models = {model.name: model for model in fit_apart(Windows(sample(512, 1), [b""] * 512), seed=7).models}
    assert models["isolation-forest"].dump() == forest.dump()


def test_a_training_that_fails_apart_says_why() -> None:
    with pytest.raises(TrainingFailed, match=r"training failed .*NaN"):
        fit_apart(Windows(np.full((10, 2), np.nan, np.float32), [b""] * 10), seed=7)


def test_a_process_that_fits_apart_and_scores_never_holds_the_learning_libraries() -> None:
    code = (
        "import sys, numpy as np; from engine.models import evidence, training, warmup;"
        "eye, words = np.eye(40, dtype=np.float32), [b'abcdef'] * 40;"
        "evidence.score_all(training.fit_apart(warmup.Windows(eye, words), 1).models, eye, words);"
        "print(sorted({'pyod', 'sklearn', 'hmmlearn', 'numba'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "['numba']"


def test_the_learning_libraries_are_imported_only_when_something_is_fitted_or_scored() -> None:
    code = (
        "import sys, engine.models.anomaly;"
        "print(sorted({'pyod', 'sklearn', 'hmmlearn', 'numba', 'scipy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
