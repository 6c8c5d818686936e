"""The measurement of rules counts what it says it counts."""

from __future__ import annotations

from adapters.rulebook import SHIPPED
from bench.rules import measure, records


def test_pairs_are_the_rules_of_each_records_log():
    document = measure(SHIPPED, rows=600, seed=4, frame_rows=200, rounds=1)
    logs = [row[3] for row in records(600, 4)]
    figures = document["figures"]
    by_log = {name: figures[f"{name}_rules"] for name in ("dns", "http")}
    assert figures["dns_rule_rows"] == by_log["dns"] * logs.count("dns")
    assert figures["http_rule_rows"] == by_log["http"] * logs.count("http")
    assert figures["all_rule_rows"] == figures["dns_rule_rows"] + figures["http_rule_rows"]
    assert figures["all_hits"] == figures["dns_hits"] + figures["http_hits"] > 0
    assert figures["all_rule_rows_per_second"] > 0


def test_the_same_seed_gives_the_same_records():
    assert records(50, 1) == records(50, 1) != records(50, 2)
