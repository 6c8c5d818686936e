"""What hosts are worth: from the settings to the host at stake."""

from __future__ import annotations

import pytest

from agents.responder.assets import Asset, Assets
from config.settings import ConfigError, Settings, load_settings

TOML = """
[assets.known]
"10.0.0.0/8" = { class = "workstation" }
"10.0.8.0/24" = { class = "printer", value = 1 }
"10.0.8.9" = { class = "domain-controller" }
"2001:db8::/32" = { value = 8 }
"""


@pytest.fixture
def known(tmp_path) -> Assets:
    (tmp_path / "config.toml").write_text(TOML)
    return load_settings(tmp_path / "config.toml").assets.assets()


@pytest.mark.parametrize(
    ("address", "value", "label"),
    [
        ("10.0.8.9", 9.0, "domain-controller"),
        ("10.0.8.8", 1.0, "printer"),
        ("10.9.9.9", 5.0, "workstation"),
        ("2001:db8::1", 8.0, ""),
    ],
)
def test_the_narrowest_entry_wins_and_a_value_of_ones_own_over_that_of_the_class(known, address, value, label):
    found = known.find(address)
    assert (found.value, found.label) == (value, label)


def test_what_is_not_listed_and_what_is_no_address_is_unknown(known):
    assert known.find("192.0.2.1") is None
    assert known.find("example.com") is None


def test_the_threats_own_host_is_at_stake_before_those_on_the_other_side(known):
    assert known.at_stake("10.0.8.8", ["10.0.8.9"])[0] == "10.0.8.8"
    assert known.at_stake("198.51.100.1", ["10.0.8.8", "10.0.8.9"])[0] == "10.0.8.9"
    assert known.at_stake("198.51.100.1", ["example.com"]) is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('"10.0.0.300" = { class = "server" }', "does not appear to be"),
        ('"10.0.0.3" = { class = "toaster" }', "has no value of its own"),
        ('"10.0.0.3" = { value = 11 }', "must be 10 or less"),
        ('"10.0.0.3" = { clas = "server" }', "there is no such setting"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_in_one_line(tmp_path, entry, told):
    (tmp_path / "config.toml").write_text(f"[assets.known]\n{entry}\n")
    with pytest.raises(ConfigError, match=told) as error:
        load_settings(tmp_path / "config.toml")
    assert "\n" not in str(error.value)


def test_what_hosts_are_worth_belongs_to_the_version_of_the_settings(tmp_path):
    (tmp_path / "config.toml").write_text(TOML)
    assert load_settings(tmp_path / "config.toml").settings_version != Settings().settings_version


def test_an_asset_of_one_address_is_found_however_it_is_written():
    assert Assets.of([Asset(place="10.0.0.1/32", value=9.0, label="")]).find("10.0.0.1").value == 9.0
