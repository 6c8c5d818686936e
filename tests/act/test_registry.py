"""Which actuators there are, and which cannot be."""

from __future__ import annotations

import sys
import tomllib

import pytest

from adapters.act import GROUP, OURS, build_actuators, registered
from adapters.act.dry_run import DryRun
from adapters.act.nftables import Nftables
from adapters.act.options import SetupError, options_of
from adapters.act.record import ROOM, Done, Record
from agents.responder.ports import ActuatorError
from config.actuators import PARTS, TYPES, NftablesSettings
from config.settings import load_settings
from domain.values import DAY
from tests.act.acting import NOW, action
from tests.data import ROOT


def test_nothing_set_plays_dry_run_in_every_part(tmp_path):
    built = build_actuators({}, tmp_path)
    assert set(built) == set(PARTS)
    assert all(isinstance(one, DryRun) and one.name == name for name, one in built.items())
    assert list(tmp_path.iterdir()) == [], "building has no effect"


@pytest.mark.parametrize(
    ("target_type", "target"),
    [
        ("ipv4_net", "bad.example.org"),
        ("ipv4_net", "2001:db8::1/128"),
        ("ipv6_net", "::ffff:127.0.0.1"),
        ("domain_name", "203.0.113.7"),
        ("domain_name", "a b"),
        ("domain_name", ""),
        ("domain_name", "x" * 64 + ".org"),
    ],
)
def test_a_target_that_is_not_of_its_type_is_refused_even_by_the_dry_run(target_type, target, tmp_path):
    actuator = build_actuators({}, tmp_path)["dns"]
    with pytest.raises(ActuatorError, match=r"^dns: "):
        actuator.check(action(target, target_type=target_type))


def test_ours_are_registered_as_the_project_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][GROUP] == OURS
    assert set(TYPES) == set(OURS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "tank"}, "there is no type 'tank'; known are dry-run, "),
        ({}, "says no type"),
        ({"type": "nftables", "tabel": "x"}, r"actuators\.firewall\.tabel"),
        ({"type": "nftables", "table": "x; flush ruleset"}, r"actuators\.firewall\.table"),
        ({"type": "nftables", "reach": ["10.0.0.1/8"]}, r"actuators\.firewall\.reach"),
        ({"type": "openc2-http"}, r"actuators\.firewall\.url"),
    ],
)
def test_settings_that_do_not_fit_are_named(given, said, tmp_path):
    with pytest.raises(SetupError, match=said) as raised:
        build_actuators({"firewall": given}, tmp_path)
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)


def test_options_come_from_the_environment_too(tmp_path, monkeypatch):
    for name, value in {"TYPE": "nftables", "RATE": "5", "REACH": "10.9.0.0/24, 10.8.0.0/24"}.items():
        monkeypatch.setenv(f"MYRMIDON_ACTUATORS__FIREWALL__{name}", value)
    given = load_settings(None).actuators
    assert isinstance(build_actuators(given, tmp_path)["firewall"], Nftables)
    options = options_of(NftablesSettings, "firewall", given["firewall"])
    assert (options.rate, options.reach) == (5, ("10.9.0.0/24", "10.8.0.0/24"))


def plugin(folder, monkeypatch, body: str) -> None:
    """A package of somebody else that registers an actuator."""
    (folder / "their_actuator.py").write_text(body)
    metadata = folder / "their_actuator-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-actuator\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\ntheirs = their_actuator:build\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "their_actuator", raising=False)


THEIRS = """
class Theirs:
    name = "firewall"
    undoes = {undoes}
    def check(self, action): pass
    def execute(self, action, expires_at): return "done"
    def effect(self, action): raise NotImplementedError
    def undo(self, action): return "undone"
def build(name, options, home):
    return Theirs()
"""


def test_an_actuator_of_another_package_plugs_in(tmp_path, monkeypatch):
    plugin(tmp_path, monkeypatch, THEIRS.format(undoes={("deny", "ipv4_net"): "allow"}))
    built = build_actuators({"firewall": {"type": "theirs"}}, tmp_path)
    assert built["firewall"].execute(action(), NOW) == "done"


@pytest.mark.parametrize("undoes", [{}, {("deny", "ipv4_net"): "allow", ("stop", "device"): ""}])
def test_an_actuator_without_an_undo_cannot_be_registered(undoes, tmp_path, monkeypatch):
    plugin(tmp_path, monkeypatch, THEIRS.format(undoes=undoes))
    with pytest.raises(SetupError, match="what cannot be taken back is not registered"):
        build_actuators({"firewall": {"type": "theirs"}}, tmp_path)


def test_what_is_no_actuator_cannot_be_registered():
    with pytest.raises(SetupError, match="lacks name, undoes"):
        registered(object(), "thing")  # type: ignore[arg-type]


def test_an_actuator_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    plugin(tmp_path, monkeypatch, "raise RuntimeError('no licence')")
    with pytest.raises(SetupError, match=r"actuator theirs .*no licence"):
        build_actuators({"firewall": {"type": "theirs"}}, tmp_path)


def test_a_record_forgets_what_is_long_over_and_keeps_its_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.act.record.ROOM", 3)
    assert ROOM == 20_000
    record = Record(tmp_path / "record.json")
    record.put(action(number=0).action, Done(what="old", expires_at=NOW - 2 * DAY), NOW - 3 * DAY)
    for number in range(1, 6):
        record.put(action(number=number).action, Done(what="x", expires_at=NOW), NOW)
    known = [number for number in range(6) if record.get(action(number=number).action) is not None]
    assert known == [3, 4, 5]


def test_a_damaged_record_is_an_error_and_never_taken_for_empty(tmp_path):
    file = tmp_path / "record.json"
    file.write_text('{"half')
    with pytest.raises(ActuatorError, match="damaged"):
        Record(file).get(action().action)
