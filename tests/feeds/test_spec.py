from __future__ import annotations

import pytest

from adapters.feeds import FeedSpec, UsageError, check_names, open_telemetry, parse_spec


def test_a_name_defaults_to_the_kind_and_the_path_may_hold_anything() -> None:
    assert parse_spec("zeek:/a=b:c") == FeedSpec(name="zeek", kind="zeek", path="/a=b:c")
    assert parse_spec("lab=eve:x.json") == FeedSpec(name="lab", kind="eve", path="x.json")
    assert parse_spec("csv:f.csv?mapping=argus").mapping == "argus"


@pytest.mark.parametrize(
    "text", ["", "zeek", "zeek:", "pcap:x", "=zeek:x", "a b=zeek:x", "zeek:x?mapping=argus", "csv:x?mapping="]
)
def test_what_is_no_feed_is_a_usage_error_with_exit_code_2(text: str) -> None:
    with pytest.raises(UsageError, match="feed") as caught:
        parse_spec(text)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_two_feeds_of_one_name_are_refused() -> None:
    specs = [parse_spec("zeek:a"), parse_spec("zeek:b")]
    with pytest.raises(UsageError, match="NAME="):
        check_names(specs)
    with pytest.raises(UsageError):
        open_telemetry(specs, follow=False)
