"""The shipped playbooks, a folder of one's own, and the commands about them."""

from __future__ import annotations

import json
from collections import Counter
from typing import get_args

import pytest
from typer.testing import CliRunner

from adapters.act import build_actuators
from adapters.playbooks import SHIPPED, load_library, load_playbooks, unfit
from adapters.playbooks.document import MissingPlaybooks, open_document
from cli.main import app
from config.actuators import PlaybookSettings
from domain.values import KINDS, ThreatKind
from tests.data import shared
from tests.playbooks.made import END, FIRST, SECOND, VALID, action, changed, openc2

LIBRARY = load_library(PlaybookSettings())
NAMES = sorted(file.stem for file in SHIPPED.glob("*.json"))


def test_every_shipped_playbook_is_loaded():
    assert LIBRARY.refused == ()
    assert list(LIBRARY.playbooks) == NAMES
    assert len(NAMES) >= 12


def test_every_kind_of_threat_has_more_than_one_playbook():
    against = Counter(kind for playbook in LIBRARY.playbooks.values() for kind in playbook.kinds)
    assert set(against) == set(get_args(ThreatKind))
    assert min(against.values()) >= 3
    assert all(against[kind] >= 4 for kind, rule in KINDS.items() if rule.risk >= 7 and kind != "flood")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_playbook_keeps_the_standard_to_the_letter_and_is_tagged(name):
    playbook = LIBRARY.playbooks[name]
    assert open_document(LIBRARY.files[name]).problems == ()
    assert playbook.defends
    assert playbook.csf
    assert 0 < playbook.cost <= 10
    assert playbook.techniques or not any(KINDS[kind].techniques for kind in playbook.kinds)
    assert {t for kind in playbook.kinds for t in KINDS[kind].techniques} == set(playbook.techniques)


def test_ids_are_those_of_one_playbook_each():
    assert len({playbook.playbook for playbook in LIBRARY.playbooks.values()}) == len(NAMES)
    steps = Counter(step.step for playbook in LIBRARY.playbooks.values() for step in playbook.steps)
    assert set(steps.values()) == {1}


def test_techniques_are_those_of_attack():
    held = json.loads((shared("attack") / "enterprise-techniques.json").read_text())
    known = {row["id"] for row in held["techniques"]}
    assert {t for playbook in LIBRARY.playbooks.values() for t in playbook.techniques} <= known


def test_what_a_command_says_in_words_is_what_it_does():
    for name, file in LIBRARY.files.items():
        steps = json.loads(file.read_text())["workflow"]
        for step in LIBRARY.playbooks[name].steps:
            said = steps[step.step]["commands"][0]["description"]
            seconds = step.ttl // 1_000_000
            lasts = f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds // 60} min"
            assert said == f"{step.verb} {step.target_type} __{step.target}__:value for {lasts}"


def test_the_dry_run_can_carry_every_shipped_playbook_out(tmp_path):
    actuators = build_actuators({}, tmp_path)
    assert [reason for playbook in LIBRARY.playbooks.values() for reason in unfit(playbook, actuators)] == []


def test_what_the_actuators_cannot_do_is_told_step_by_step(tmp_path):
    actuators = build_actuators({"dns": {"type": "nftables"}}, tmp_path)
    del actuators["ticketing"]
    assert unfit(LIBRARY.playbooks["block-source"], actuators) == []
    (reason,) = unfit(LIBRARY.playbooks["deny-tunnel-domain"], actuators)
    assert "the actuator dns cannot deny domain_name" in reason
    (reason,) = unfit(LIBRARY.playbooks["open-ticket"], actuators)
    assert "there is no actuator ticketing; set [actuators.ticketing] type" in reason


def write(folder, name: str, body) -> None:
    (folder / f"{name}.json").write_text(json.dumps(body))


def test_ones_own_take_the_place_of_shipped_ones_and_wrong_ones_are_told(tmp_path):
    write(tmp_path, "block-source", VALID)
    write(tmp_path, "mine", VALID)
    write(tmp_path, "wrong", changed("workflow", FIRST, "on_completion", to=GONE_STEP))
    write(tmp_path, "foreign", changed("workflow", SECOND, to=action(END, {"type": "ssh", "command": "ls"})))
    library = load_library(PlaybookSettings(dir=str(tmp_path)))
    assert set(library.playbooks) == {*NAMES, "mine"}
    assert library.playbooks["block-source"].title == "Block it"
    assert [("foreign.json: not runnable" in one, "wrong.json: workflow" in one) for one in library.refused] == [
        (True, False),
        (False, True),
    ]
    assert set(load_playbooks(PlaybookSettings(dir=str(tmp_path), shipped=False))) == {"block-source", "mine"}


GONE_STEP = "end--10000000-0000-4000-8000-0000000000aa"


def test_a_folder_that_is_not_there_is_wrong_configuration(tmp_path):
    with pytest.raises(MissingPlaybooks, match="no such folder") as raised:
        load_playbooks(PlaybookSettings(dir=str(tmp_path / "none")))
    assert raised.value.exit_code == 2


def myrmidon(*words: str):
    return CliRunner().invoke(app, list(words))


def document(*words: str):
    return json.loads(myrmidon("--json", *words).stdout)


def test_list_tells_every_playbook_as_json(tmp_path):
    listed = document("--home", str(tmp_path), "playbooks", "list")
    assert [one["name"] for one in listed["playbooks"]] == NAMES
    assert all(one["usable"] for one in listed["playbooks"])
    first = next(one for one in listed["playbooks"] if one["name"] == "block-source")
    assert first["steps"][0]["undo"] == "allow"
    assert first["steps"][0]["ttl"] == 3600
    assert listed["refused"] == []


def test_show_tells_each_step_with_its_undo(tmp_path):
    said = myrmidon("--home", str(tmp_path), "playbooks", "show", "contain-beaconing-host").stdout
    assert "contain ipv4_net of the entity for 4h, taken back by restore; a person is asked first" in " ".join(
        said.split()
    )
    assert myrmidon("--home", str(tmp_path), "playbooks", "show", "none").exit_code == 1


def test_check_answers_no_with_place_and_reason(tmp_path):
    write(tmp_path, "wrong", changed("workflow", FIRST, "on_completion", to=GONE_STEP))
    result = myrmidon("--json", "playbooks", "check", str(tmp_path / "wrong.json"))
    assert result.exit_code == 1
    (file,) = json.loads(result.stdout)["files"]
    assert file["errors"] == [
        {"place": f"workflow.{FIRST}.on_completion", "reason": f"{GONE_STEP} is no step of the workflow"}
    ]


def test_check_says_that_a_valid_one_cannot_be_carried_out(tmp_path):
    write(tmp_path, "foreign", changed("workflow", FIRST, "commands", to=[openc2(duration=None)]))
    result = myrmidon("--json", "playbooks", "check", str(tmp_path))
    assert result.exit_code == 0
    (file,) = json.loads(result.stdout)["files"]
    assert (file["valid"], file["runnable"], file["usable"]) == (True, False, False)
    assert file["missing"][0].startswith(f"not runnable: step {FIRST}: ")
    assert myrmidon("playbooks", "check", "--usable", str(tmp_path)).exit_code == 1


@pytest.mark.parametrize(
    ("config", "usable"), [("", True), ('[actuators.firewall]\ntype = "ticket"\nurl = "https://t.example"\n', False)]
)
def test_check_and_list_give_the_same_answer(tmp_path, config, usable):
    (tmp_path / "config.toml").write_text(config)
    home = ("--home", str(tmp_path), "--json", "playbooks")
    (listed,) = [
        one for one in json.loads(myrmidon(*home, "list").stdout)["playbooks"] if one["name"] == "block-source"
    ]
    (file,) = json.loads(myrmidon(*home, "check", str(SHIPPED / "block-source.json")).stdout)["files"]
    assert (listed["usable"], file["usable"], file["missing"]) == (usable, usable, listed["missing"])


def test_check_of_the_shipped_ones_finds_nothing():
    result = myrmidon("playbooks", "check", str(SHIPPED))
    assert result.exit_code == 0
    assert f"{len(NAMES)} files: {len(NAMES)} valid CACAO 2.0, {len(NAMES)} can be carried out here" in result.stdout
