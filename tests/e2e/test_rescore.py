"""`audit rescore` on homes as users have them: alarms, what stayed just below, verdicts, kills; and on damaged ones.

Beside it, what the alarms of such a home show.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.office import QUICK, office, office_log
from tests.e2e.rows import T0
from tests.e2e.swarm import Answer, myrmidon, start, until

CALM, ODD = 48, 20


def odd_minutes() -> str:
    """The minutes after the calm ones: one host sends now a little more than ever, now very much more."""
    rows = office(ODD, begin=CALM, flows=5)
    for minute in range(CALM, CALM + ODD):
        grade = minute % 5
        flows = 4 + 6 * grade
        for n in range(flows):
            to, port, state = n % 6 + 2, 445 if minute % 2 else 443, "SF" if minute % 3 else "REJ"
            rows += (
                f"{T0 + minute * 60 + n * 50 / flows:.6f}\tX{minute}{n}\t10.0.1.1\t{40000 + n}\t10.0.1.{to}"
                f"\t{port}\ttcp\t-\t{9.0 * grade:.3f}\t{500_000 * grade}\t90\t{state}\t5\t6\n"
            )
    return "".join(sorted(rows.splitlines(keepends=True)))


def furnish(place: Path) -> Path:
    (place / "home").mkdir(parents=True)
    (place / "home" / "config.toml").write_text(QUICK)
    (place / "conn.log").write_text(office_log(CALM, flows=5) + odd_minutes())
    return place


def command(place: Path) -> tuple[str, ...]:
    return "run", "--feed", f"zeek:{place / 'conn.log'}", "--until-eof"


def rescored(place: Path, *arguments: str) -> Answer:
    return myrmidon(place / "home", "audit", "rescore", *arguments)


def candidates(place: Path) -> int:
    entries = myrmidon(place / "home", "audit", "log", "--kind", "batch-scored").json
    return sum(entry["fact"]["candidates"] for entry in entries)


@pytest.fixture(scope="module")
def hunted(tmp_path_factory) -> Path:
    place = furnish(tmp_path_factory.mktemp("rescore") / "place")
    assert myrmidon(place / "home", *command(place)).code == 0
    return place


@pytest.fixture
def copied(hunted, tmp_path) -> Path:
    return Path(shutil.copytree(hunted, tmp_path / "place"))


def test_every_alarm_can_be_scored_again_beside_what_stayed_below_one(hunted):
    told = rescored(hunted)
    assert (told.code, told.json["unequal"]) == (0, [])
    assert 0 < told.json["checked"] < candidates(hunted)


def test_so_it_is_after_verdicts_that_the_models_learned_from(copied):
    threat = myrmidon(copied / "home", "threats", "list", "--entity", "10.0.1.1").json[0]
    assert myrmidon(copied / "home", "feedback", threat["id"], "incorrect").code == 0
    with (copied / "conn.log").open("a") as file:
        file.write(office(12, begin=CALM + ODD, flows=5))
    assert myrmidon(copied / "home", *command(copied)).code == 0
    assert myrmidon(copied / "home", "audit", "log", "--kind", "baseline-shifted").json
    told = rescored(copied)
    assert (told.code, told.json["unequal"]) == (0, [])
    assert rescored(copied, threat["id"][:12]).json["checked"] > 0


def test_so_it_is_after_a_kill_at_work(tmp_path, hunted):
    place = furnish(tmp_path / "place")
    process = start(place / "home", *command(place), MYRMIDON_RUN__BATCH_ROWS="20", MYRMIDON_RUN__SNAPSHOT_ROWS="200")
    until(lambda: any((place / "home").glob("artifacts/*/*")) or process.poll() is not None)
    process.kill()
    process.wait()
    assert myrmidon(place / "home", *command(place)).code == 0
    assert rescored(place).json == rescored(hunted).json


def test_evidence_that_is_gone_is_told_with_the_row_it_belongs_to(copied):
    threat, *_ = myrmidon(copied / "home", "audit", "log", "--kind", "threat-detected").json
    detail = threat["fact"]["detail"]
    (copied / "home" / "artifacts" / detail[:2] / detail).unlink()
    told = rescored(copied)
    assert told.code == 1
    [lost] = told.json["unequal"]
    assert (lost["row"], lost["entity"]) == (threat["fact"]["row"], threat["fact"]["entity"])
    assert f"artifact {detail} cannot be read" in lost["reason"]


def test_a_changed_list_of_candidates_is_told(copied):
    entry = next(
        each["fact"]
        for each in myrmidon(copied / "home", "audit", "log", "--kind", "batch-scored").json
        if each["fact"]["candidates"]
    )
    name = entry["candidates_sha256"]
    (copied / "home" / "artifacts" / name[:2] / name).write_bytes(b"[]")
    told = rescored(copied)
    assert told.code == 1
    assert [each["entity"] for each in told.json["unequal"]] == ["candidates of feed zeek"]
    assert "was changed" in told.json["unequal"][0]["reason"]


def test_what_an_alarm_shows_carries_the_names_of_the_documented_table(hunted):
    for threat in myrmidon(hunted / "home", "threats", "list", "--entity", "10.0.1.1").json:
        shown = myrmidon(hunted / "home", "threats", "show", threat["id"]).json["features"]
        assert all(each["measure"] and each["family"] for each in shown)
        assert {"deviation", "baseline_windows"} < {each["measure"] for each in shown}
