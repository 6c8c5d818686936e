"""The whole way through the program: a threat in the log, a block in the kernel, a verdict, and packets flow again."""

from __future__ import annotations

import shutil
import time
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from adapters.log import open_log
from adapters.playbooks import SHIPPED
from cli import suppress
from domain.errors import MyrmidonError
from domain.facts.assessment import Scope
from domain.facts.threat import ThreatDetected
from domain.journal import Draft
from scheduler.exceptions import Preview
from tests.act.world import ATTACKER, needs_kernel, wired
from tests.e2e.swarm import Answer
from tests.projections.story import detected, uid

CONFIG = """
[thresholds]
local_networks = ["192.168.0.0/16"]
[response]
mode = "{mode}"
{more}
[playbooks]
shipped = false
dir = "{playbooks}"
[actuators.firewall]
{firewall}
"""


def myrmidon(place: Path, *words: str, as_json: bool = True) -> Answer:
    """The program in this process: starting one for each command would take seconds."""
    from cli.main import app

    out, err, code = StringIO(), StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = app(["--home", str(place), *(["--json"] if as_json else []), *words], standalone_mode=False) or 0
        except MyrmidonError as error:
            code = error.exit_code
            err.write(str(error))
    return Answer(code, out.getvalue(), err.getvalue())


def home(folder: Path, *, mode: str = "act", more: str = "", firewall: str = 'type = "dry-run"') -> Path:
    """A home with one playbook, which blocks the source of a threat."""
    playbooks = folder / "playbooks"
    playbooks.mkdir()
    shutil.copy(SHIPPED / "block-source.json", playbooks)
    place = folder / "home"
    place.mkdir()
    (place / "config.toml").write_text(CONFIG.format(mode=mode, more=more, playbooks=playbooks, firewall=firewall))
    return place


def threaten(place: Path, name: str = "t", entity: str = ATTACKER) -> str:
    """A grave threat in the log, as the detector would have put it there; returns its id."""
    stream, fact = detected(name, entity=entity, risk=8.0)
    assert isinstance(fact, ThreatDetected)
    fact = replace(fact, threat_kind="password-guessing", peers=("192.168.7.7",))
    now = time.time_ns() // 1000
    with closing(open_log(place / "log.db", lambda: now)) as log:
        log.append(
            [
                Draft(
                    event_id=uid(("e2e", name)), stream=stream, fact=fact, occurred_at=now, actor="detector",
                    correlation=fact.threat,
                )
            ]
        )  # fmt: skip
    return str(fact.threat)


def test_a_threat_is_blocked_in_the_kernel_and_a_verdict_of_incorrect_lets_packets_flow_again(tmp_path):
    needs_kernel()
    with wired() as wire:
        place = home(tmp_path, firewall=f'type = "nftables"\nnetns = "{wire.inside}"')
        threat = threaten(place)
        assert wire.reaches()
        assert myrmidon(place, "responses", "mode", "act").json["in_force"] == 1
        assert wire.cut()
        [response] = myrmidon(place, "responses", "list").json
        assert (response["status"], response["entity"], response["playbook"]) == ("contained", ATTACKER, "block-source")
        [incident] = myrmidon(place, "incidents", "list").json
        assert incident["status"] == "contained"
        assert myrmidon(place, "feedback", threat[:8], "incorrect").code == 0
        assert wire.reaches()
        [response] = myrmidon(place, "responses", "list").json
        assert (response["status"], response["undone_because"]) == ("undone", "verdict")
        assert myrmidon(place, "audit", "replay").code == 0


def test_operators_approve_show_undo_and_stop(tmp_path):
    place = home(tmp_path, mode="suggest")
    threaten(place)
    beyond = myrmidon(place, "responses", "mode", "act")
    assert (beyond.code, beyond.json["mode"]) == (1, "suggest")
    assert "the settings allow no more than suggest" in beyond.err
    [response] = myrmidon(place, "responses", "list", "--status", "proposed").json
    name = response["id"][:8]
    said = myrmidon(place, "responses", "show", name, as_json=False)
    assert "waits for an answer" in said.out
    assert myrmidon(place, "responses", "approve", name).json["response"]["status"] == "in force"
    [incident] = myrmidon(place, "incidents", "list").json
    assert incident["status"] == "open"  # a dry run contains nothing
    again = myrmidon(place, "responses", "approve", name)
    assert (again.code, again.out) == (1, "")
    assert "only a proposed one can be answered" in again.err
    assert myrmidon(place, "responses", "undo", name).json["response"]["status"] == "undone"
    stopped = myrmidon(place, "responses", "stop").json
    assert (stopped["mode"], stopped["in_force"], stopped["done_by"]) == ("observe", 0, "this command")
    [rate] = myrmidon(place, "responses", "rates").json
    assert (rate["playbook"], rate["begun"], rate["contained"], rate["success_rate"]) == ("block-source", 1, 0, None)
    [workflow] = myrmidon(place, "workflows", "list").json
    steps = [step["what"] for step in workflow["steps"]]
    assert steps[:4] == ["threat-detected", "threat-assessed", "incident-opened", "response-proposed"]
    assert steps[-2:] == ["undo-requested", "action-undone"]
    assert "action-started" in myrmidon(place, "workflows", "show", workflow["id"][:8], as_json=False).out
    story = myrmidon(place, "audit", "explain", workflow["incident"][:8])
    assert [each["id"] for each in story.json["responses"]] == [response["id"]]
    assert "action-undone" in [link["kind"] for link in story.json["chain"]]


def test_by_default_nothing_is_done(tmp_path):
    place = home(tmp_path, mode="observe")
    threaten(place)
    assert myrmidon(place, "responses", "mode", "act").json["in_force"] == 0
    [response] = myrmidon(place, "responses", "list").json
    assert (response["status"], response["decided_by"]) == ("rejected", "responses")


@pytest.mark.parametrize("more", ['never_block = ["10.77.0.0/24"]', 'management_networks = ["10.77.0.2"]'])
def test_what_settings_protect_is_refused(tmp_path, more):
    place = home(tmp_path, more=more)
    threaten(place)
    myrmidon(place, "responses", "mode", "act")
    [response] = myrmidon(place, "responses", "list").json
    assert response["reason"].startswith("never-block")


@pytest.mark.parametrize(
    "entry",
    ["10.20.0.41/33", "nonsense host!", "1234", "10.20.0.999", "10.20.0", "0x7f000001", "", "a..b", "-a.example"],
)
def test_an_entry_of_the_never_block_list_that_protects_nothing_is_a_configuration_error(tmp_path, entry):
    place = home(tmp_path, more=f'never_block = ["192.0.2.1", "{entry}"]')
    threaten(place)
    answer = myrmidon(place, "responses", "mode", "act")
    assert answer.code == 2
    assert f"config.toml: setting response.never_block.1: {entry!r} is neither" in answer.err


def test_the_addresses_behind_a_name_of_the_never_block_list_are_protected(tmp_path, monkeypatch):
    known = {"mail.example.org": "10.77.0.2"}

    def look_up(host, *_, **__):
        if host not in known:
            raise OSError("not known")
        return [(2, 1, 6, "", (known[host], 0))]

    monkeypatch.setattr("adapters.own.socket.getaddrinfo", look_up)
    place = home(tmp_path, more='never_block = ["mail.example.org", "gone.example.org", "192.0.2.0/24"]')
    threaten(place)
    assert "gone.example.org has no address now" in myrmidon(place, "responses", "mode", "act").err
    [response] = myrmidon(place, "responses", "list").json
    assert response["reason"].startswith("never-block: 10.77.0.2")


def test_an_approval_that_the_gate_refuses_fails_and_says_why(tmp_path):
    place = home(tmp_path, mode="suggest", more="# more")
    threaten(place)
    myrmidon(place, "responses", "mode", "act")
    [response] = myrmidon(place, "responses", "list").json
    config = place / "config.toml"
    config.write_text(config.read_text().replace("# more", 'never_block = ["10.77.0.2"]'))
    answer = myrmidon(place, "responses", "approve", response["id"][:8], as_json=False)
    assert answer.code == 1
    assert "it is refused (gate: never-block: " in answer.out.replace("\n", " ")


def test_an_approval_that_the_blast_radius_refuses_leaves_the_response_waiting(tmp_path):
    place = home(tmp_path, mode="suggest", more="max_targets = 1")
    threaten(place)
    threaten(place, "u", "203.0.113.77")
    myrmidon(place, "responses", "mode", "suggest")
    first, second = (each["id"][:8] for each in myrmidon(place, "responses", "list").json)
    assert myrmidon(place, "responses", "approve", first).code == 0
    answer = myrmidon(place, "responses", "approve", second)
    assert answer.code == 1
    assert f"response {second} cannot begin now (blast-radius: 2 targets would be in force at once" in answer.err
    assert "it goes on waiting until" in answer.err
    assert [each["id"][:8] for each in myrmidon(place, "responses", "list", "--status", "proposed").json] == [second]
    myrmidon(place, "responses", "undo", first)
    assert myrmidon(place, "responses", "approve", second).json["response"]["status"] == "in force"


def test_there_is_nothing_to_answer_where_nothing_is_proposed(tmp_path):
    place = home(tmp_path)
    threaten(place, entity="127.0.0.1")
    assert myrmidon(place, "responses", "approve", "abc").code == 1
    assert myrmidon(place, "workflows", "list").code == 0


@pytest.mark.parametrize("group", ["alerts", "responses", "incidents", "workflows", "suppress"])
def test_a_list_of_an_empty_home_looks_at_the_settings(tmp_path, group):
    place = tmp_path / "home"
    place.mkdir()
    assert myrmidon(place, group, "list").json == []
    (place / "config.toml").write_text('[alerts.channels.soc]\nkind = "slck"')
    answer = myrmidon(place, group, "list")
    assert (answer.code, answer.out) == (2, "")
    assert "setting alerts.channels.soc" in answer.err


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"covered": 0}, "it covers nothing so far: see how `myrmidon threats list` spells entities and kinds"),
        ({"covered": 3, "confirmed": 1}, "make it narrower (add --kind, --peer or --rule)"),
        ({"covered": 6}, "that is 60% of all threats: make it narrower"),
        ({"covered": 3}, "make it: `myrmidon suppress add --entity 10.0.0.5 --rule 'Odd name' --for 7d --reason WHY`"),
    ],
)
def test_a_preview_of_an_exception_says_what_to_do_with_it(found, said):
    preview = Preview(**{"of": 10, "kinds": {}, "confirmed": 0, "incidents": [], "top": [], **found})
    scope = Scope(entity="10.0.0.5", rule="Odd name")
    lines = suppress.in_words(scope, preview, {"id": None}).split("\n")
    assert lines[-2].startswith(said)
    assert lines[-1] == "nothing was changed (--dry-run)"


def test_an_operator_who_changes_the_mode_is_told_what_it_means_and_what_is_proposed_again(tmp_path):
    place = home(tmp_path, mode="act", more='approvals = [{verb = "deny"}]')
    threaten(place)
    myrmidon(place, "responses", "mode", "act")
    assert (
        "the mode is observe: what would be done is recorded" in myrmidon(place, "responses", "stop", as_json=False).out
    )
    told = " ".join(myrmidon(place, "responses", "mode", "act", as_json=False).out.split())
    assert "the mode is act: what asks nobody's consent begins by itself ([response] mode is act" in told
    assert "1 response proposed again: `myrmidon responses list`; nothing is in force" in told


def test_status_tells_which_actuators_and_playbooks_nothing_answers_to(tmp_path):
    place = home(tmp_path)
    threaten(place)
    config = place / "config.toml"
    settings = config.read_text()
    config.write_text(settings + '[actuators.firwall]\ntype = "dry-run"\n')
    said = " ".join(myrmidon(place, "status", as_json=False).out.split())
    assert "doubt [actuators.firwall]: no playbook names this actuator, so it is never used: did you mean" in said
    playbook = tmp_path / "playbooks" / "block-source.json"
    playbook.write_text(playbook.read_text().replace('"firewall"', '"edge-wall"'))
    config.write_text(settings + '[actuators.dns]\ntype = "nosuch"\n')
    found = myrmidon(place, "status").json
    assert found["health"] == "degraded"
    assert found["reasons"][-1].startswith(
        "[actuators.dns]: there is no type 'nosuch', so no run can start; known are "
    )
    assert [each for each in found["doubts"] if "edge-wall" in each]
