"""Numbers and networks that would stop, hang or blind the detections are refused where they are read."""

from __future__ import annotations

import pytest

from config.settings import ConfigError, Settings, load_settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[detector]\nledger_rows = 0", "setting detector.ledger_rows is 0: must be more than 0"),
        ("[detector]\nledger_span = -1", "detector.ledger_span is -1: must be more than 0"),
        ("[detector]\nthreshold = nan", "detector.threshold is nan: must be a number"),
        ("[thresholds.beacon]\ncalls = 0", "thresholds.beacon.calls is 0"),
        ("[thresholds.horizontal_scan]\nfailed_share = 2.0", "failed_share is 2.0: must be 1 or less"),
        ("[thresholds.anomaly]\nfpr = 0.9", "thresholds.anomaly.fpr is 0.9: must be 1e-06 or more and 0.5 at most"),
        ("[thresholds.anomaly]\ncalibration_windows = 50", "must be 50 (calibration_windows) at most"),
        ("[thresholds.anomaly]\nday_begins = 20", "day_ends is 19: must be later than day_begins, 20"),
        ('[thresholds]\nlocal_networks = ["10.0.0.1/8"]', "'10.0.0.1/8': has host bits set: write 10.0.0.0/8"),
        ('[thresholds]\nlocal_networks = ["300.1.1.1/8"]', "is no network: write an address and a prefix"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_what_would_be_right(tmp_path, text, said):
    file = tmp_path / "myrmidon.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_settings(file)
    assert said in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_defaults_and_the_zeros_that_mean_something_are_allowed(tmp_path):
    file = tmp_path / "myrmidon.toml"
    file.write_text("[thresholds.anomaly]\ngrace_s = 0\nutc_offset_minutes = -300\n[detector]\nquiet_gap = 0\n")
    assert load_settings(None) == Settings()
    assert load_settings(file).thresholds.anomaly.utc_offset_minutes == -300
