"""Models of other packages, seen from the command line: a sound one votes, a faulty one never ends a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.models.registry import GROUP, OURS
from tests.data import ROOT
from tests.e2e.office import QUICK, office, office_log
from tests.e2e.swarm import Answer, myrmidon

MODULE = '''
import hashlib, numpy as np

class Loud:
    """The largest number of a row; it talks too much."""

    name, reads = "loud", "vectors"

    @classmethod
    def fit(cls, rows, seed):
        print("I am being fitted")
        return cls()

    @classmethod
    def load(cls, data, expected):
        return cls()

    @property
    def sha256(self):
        return hashlib.sha256(self.dump()).hexdigest()

    def score(self, rows):
        print("I score", len(rows))
        return np.asarray(rows, float).max(axis=1)

    def dump(self):
        return b"a model called " + self.name.encode()

class Sulky(Loud):
    name = "sulky"

    @classmethod
    def fit(cls, rows, seed):
        raise RuntimeError(f"{object()} will not")

class Blank(Loud):
    name = "blank"

    def score(self, rows):
        return np.full(len(rows), np.nan)

class Flaky(Loud):
    name, reads = "flaky", "letters"

    def score(self, rows):
        return np.zeros(7 if max(map(len, rows)) > 12 else len(rows))
'''


def install(place: Path, **targets: str) -> None:
    """A package as an installer leaves it: module and metadata."""
    place.mkdir()
    (place / "others.py").write_text(MODULE)
    metadata = place / "others-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    entries = "".join(f"{name} = {target}\n" for name, target in targets.items())
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")


def run(home: Path, capture: Path, packages: Path | None, **settings: str) -> Answer:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(QUICK)
    return myrmidon(home, "run", "--feed", f"zeek:{capture}", "--until-eof", **seen(packages), **settings)


def seen(packages: Path | None) -> dict[str, str]:
    return {"PYTHONPATH": f"{ROOT}:{packages}" if packages else str(ROOT)}


FAULTY = {"sulky": "others:Sulky", "blank": "others:Blank", "flaky": "others:Flaky", "torn": "others:Missing"}


@pytest.fixture(scope="module")
def office_day(tmp_path_factory):
    """A capture of six hosts, in the last minutes of a busy one alone; a home after a run over it with all models."""
    place = tmp_path_factory.mktemp("plugins")
    (place / "conn.log").write_text(office_log(40) + office(12, begin=40, hosts=1, flows=20))
    install(place / "packages", loud="others:Loud", **FAULTY)
    return place, run(place / "home", place / "conn.log", place / "packages")


def models(home: Path) -> dict[str, str]:
    return {each["name"]: each["stage"] for each in myrmidon(home, "models", "list").json}


def test_faulty_models_are_left_out_and_told_and_the_others_vote_on(office_day):
    place, told = office_day
    assert told.code == 0, told.err
    for name in FAULTY:
        assert f"model {name} is left out" in told.err
    assert "RuntimeError: <object object at 0x> will not" in told.err
    stages = models(place / "home")
    assert {name for name, stage in stages.items() if stage == "active"} == {f"zeek.{name}" for name in [*OURS, "loud"]}
    assert {name for name, stage in stages.items() if stage == "retired"} == {f"zeek.{name}" for name in FAULTY}
    facts = myrmidon(place / "home", "audit", "log", "--kind", "model-retired").json
    assert sorted(each["fact"]["model"] for each in facts) == sorted(FAULTY)
    assert "scores have the shape (7,)" in myrmidon(place / "home", "models", "show", "flaky", as_json=False).out
    status = myrmidon(place / "home", "status").json
    assert any("zeek.torn is left out" in reason for reason in status["reasons"])
    rescored = myrmidon(place / "home", "audit", "rescore", **seen(place / "packages")).json
    assert rescored["equal"] is True
    assert rescored["checked"] > 0


def test_who_is_left_out_when_does_not_depend_on_the_batches(office_day):
    place, told = office_day
    again = run(place / "other", place / "conn.log", place / "packages", MYRMIDON_RUN__BATCH_ROWS="17")
    assert again.json["log"]["digest"] == told.json["log"]["digest"]


def test_a_model_whose_package_was_removed_is_left_out_from_the_next_run_on(office_day):
    place, _ = office_day
    with (place / "conn.log").open("a") as file:
        file.write(office(8, begin=52))
    told = run(place / "home", place / "conn.log", None)
    assert told.code == 0, told.err
    assert "model loud is left out, the others vote on" in told.err
    assert "no installed package provides it" in told.err
    assert models(place / "home")["zeek.loud"] == "retired"
    assert models(place / "home")["zeek.bayes"] == "active"
