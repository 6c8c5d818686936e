"""`suppress add` says what it was told, and takes each option once."""

from __future__ import annotations

import pytest
from typer import BadParameter

from tests.responses.test_end_to_end import home, myrmidon, threaten


def test_an_option_given_twice_is_a_usage_error(tmp_path):
    place = home(tmp_path)
    with pytest.raises(BadParameter, match="given twice") as raised:
        myrmidon(place, "suppress", "add", "--kind", "scan", "--kind", "c2-beacon", "--dry-run")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(("given", "told"), [(("--for", "1d"), "--for 1d"), ((), "--for 7d")])
def test_a_dry_run_advises_the_span_that_was_given(tmp_path, given, told):
    place = home(tmp_path, mode="observe")
    threaten(place)
    answer = myrmidon(place, "suppress", "add", "--kind", "password-guessing", *given, "--dry-run", as_json=False)
    assert f"--kind password-guessing {told} --reason WHY" in answer.out
