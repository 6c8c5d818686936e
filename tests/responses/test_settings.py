"""Settings that cannot be are refused: with the setting, the value, what is allowed, and where it came from."""

from __future__ import annotations

import pytest

from config.settings import ConfigError, load_settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[response]\nmode = "acht"', "setting response.mode is 'acht': must be 'observe', 'suggest' or 'act'"),
        ("[response]\nmax_targets = 0", "setting response.max_targets is 0: must be 1 or more"),
        ("[response]\nmax_share = 2.0", "setting response.max_share is 2.0: must be 1 or less"),
        ('[response]\nrate = "many"', "setting response.rate is 'many': must be a whole number"),
        ('[response]\nhots = 4', "setting response.hots is 4: there is no such setting here"),
        ("[response]\nnever_block = 7", "setting response.never_block is 7: must be a list"),
        ('[response]\nnever_block = ["10.0.0.999"]', "setting response.never_block.0: '10.0.0.999' is neither"),
        ('[[response.approvals]]\nverb = "contian"', "setting response.approvals.0.verb is 'contian': must be "),
        ('[[response.approvals]]\nasset_class = "sever"', "response.approvals.0.asset_class: no asset is 'sever'"),
        ('[[planning.responders]]\nskills = ["*"]', "setting planning.responders.0.name: has to be set"),
        ('[[planning.responders]]\nname = "a"\nskills = ["becon"]', "responders.0.skills.0: 'becon' is no kind"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_named_with_its_value_and_what_is_allowed(text, said, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{file}: ")
    assert not any(jargon in str(raised.value) for jargon in ("Value error", "Input should", "\n", "Extra inputs"))


def test_the_value_of_a_setting_that_may_hold_a_password_is_not_shown(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[log]\ndsn = ["postgresql://u:secret@h/d"]')
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert str(raised.value) == f"{file}: setting log.dsn: must be a text"


def test_a_class_of_an_asset_of_ones_own_may_need_an_approval(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(
        '[assets.known]\n"10.0.0.9" = {class="till", value=9}\n[[response.approvals]]\nasset_class = "till"'
    )
    assert load_settings(file).response.approvals[0].asset_class == "till"


def test_what_the_environment_says_is_blamed_on_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MYRMIDON_RESPONSE__MODE", "acht")
    file = tmp_path / "config.toml"
    file.write_text("")
    said = "^environment variable MYRMIDON_RESPONSE__MODE: setting response.mode is 'acht'"
    with pytest.raises(ConfigError, match=said):
        load_settings(file)
