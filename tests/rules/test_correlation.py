"""Correlations: what counts together, in which order, for how long, and how much is kept."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from domain.thresholds import LimitThresholds, Thresholds
from domain.values import HOUR, SECOND
from engine.behaviours.places import Places
from engine.frame import Frame
from engine.pieces import pieces
from engine.rules.correlation import MARGIN, Correlator, kept_of
from engine.rules.ruleset import RuleSet
from engine.rules.watch import RuleWatch
from tests.engine.rows import START, Rows
from tests.rules.texts import correlation, rule, rules

ASKED = rule("a: {query|startswith: x}\ncondition: a", title="Asked", name="asked")
OTHER = rule("a: {query|startswith: y}\ncondition: a", title="Other", name="other")
THIRD = rule("a: {query|startswith: z}\ncondition: a", title="Third", name="third")


def fired(ruleset: RuleSet, rows: Rows) -> list[int]:
    """Rows (from 0) at which a correlation fires."""
    return fired_in(ruleset, rows.frame())


def fired_in(ruleset: RuleSet, frame: Frame) -> list[int]:
    watch = watch_of(ruleset)
    return [match.row for match, _, firing in watch._in_row_order(frame) if firing]


def watch_of(ruleset: RuleSet, **limits: int) -> RuleWatch:
    thresholds = Thresholds(limits=LimitThresholds(**limits))
    return RuleWatch(ruleset, thresholds, Places(thresholds.local_networks))


def asked(*seconds: float, query: str = "x1", **values: Any) -> Rows:
    rows = Rows()
    for at in seconds:
        rows.ask(at, query, **values)
    return rows


def counted(
    condition: str, *, kind: str = "event_count", span: str = "10s", more: str = "", by: str = "src_ip"
) -> RuleSet:
    body = f"type: {kind}\nrules: [asked]\ngroup-by: [{by}]\ntimespan: {span}\ncondition: {condition}\n{more}"
    return rules(ASKED, correlation(body))


def test_events_are_counted_within_the_timespan_both_ends_included():
    assert fired(counted("{gte: 3}"), asked(0, 5, 10)) == [2]
    assert fired(counted("{gte: 3}"), asked(0, 5, 10.001)) == []


def test_a_window_is_anywhere_on_the_time_axis():
    assert fired(counted("{gte: 3}"), asked(0, 9, 12, 15, 40)) == [3]


@pytest.mark.parametrize(("condition", "rows"), [("{gte: 2}", [1, 2]), ("{gt: 2}", [2]), ("{eq: 2}", [1])])
def test_a_condition_compares_as_it_says(condition, rows):
    assert fired(counted(condition), asked(0, 1, 2)) == rows


def test_groups_are_counted_apart():
    rows = Rows()
    for at, host in enumerate(["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2", "10.0.0.1"]):
        rows.ask(at, "x", src_ip=host)
    assert fired(counted("{gte: 3}"), rows) == [4]


def test_a_record_without_a_group_field_does_not_count():
    rows = asked(0, 1, 2)
    assert fired(counted("{gte: 3}", by="user"), rows) == []


def test_distinct_values_are_counted():
    ruleset = counted("{gte: 3, field: query}", kind="value_count")
    rows = Rows()
    for at, query in enumerate(["xa", "xb", "xa", "xb", "xc", "xd"]):
        rows.ask(at, query)
    assert fired(ruleset, rows) == [4, 5]


def test_an_event_out_of_order_is_put_in_its_place():
    assert fired(counted("{gte: 3}"), asked(0, 100, 5, 9)) == [3]
    assert fired(counted("{gte: 3}"), asked(100, 0, 50, 105, 95)) == [4]


def test_what_is_more_than_an_hour_behind_finds_nothing_left_to_count_with():
    ruleset = counted("{gte: 2}")
    watch = watch_of(ruleset)
    watch.sense(asked(0, 2 * 3600).frame())
    (counter,) = watch._correlator._counters.values()
    events = [event.ts for group in counter.memory.entries.values() for event in group.events]
    assert events == [START + 2 * HOUR]


def temporal(kind: str, listed: str = "[asked, other, third]", condition: str = "") -> RuleSet:
    body = f"type: {kind}\nrules: {listed}\ngroup-by: [src_ip]\ntimespan: 10s\n{condition}"
    return rules(ASKED, OTHER, THIRD, correlation(body))


def sequence(*queries: str, step: float = 1) -> Rows:
    rows = Rows()
    for number, query in enumerate(queries):
        rows.ask(number * step, query)
    return rows


def test_temporal_needs_every_rule_in_any_order():
    assert fired(temporal("temporal"), sequence("z", "x", "x", "y")) == [3]
    assert fired(temporal("temporal"), sequence("z", "x", "x")) == []
    assert fired(temporal("temporal"), sequence("z", "x", "y", step=6)) == []
    assert fired(temporal("temporal", condition="condition: {gte: 2}"), sequence("z", "z", "x")) == [2]


def test_temporal_ordered_needs_the_order_of_the_list():
    assert fired(temporal("temporal_ordered"), sequence("x", "y", "z")) == [2]
    assert fired(temporal("temporal_ordered"), sequence("z", "y", "x")) == []
    assert fired(temporal("temporal_ordered"), sequence("y", "x", "z", "y", "z")) == [4]
    assert fired(temporal("temporal_ordered"), sequence("x", "y", "z", step=0)) == [2]


def test_order_is_event_time_and_not_the_order_of_rows():
    rows = Rows().ask(2, "z").ask(0, "x").ask(1, "y")
    assert fired(temporal("temporal_ordered"), rows) == [2]


def test_a_correlation_of_a_correlation_counts_what_that_one_found():
    many = correlation("type: event_count\nrules: [asked]\ngroup-by: [src_ip]\ntimespan: 10s\ncondition: {gte: 3}",
                       title="Many", name="many")  # fmt: skip
    then = correlation("type: temporal_ordered\nrules: [many, other]\ngroup-by: [src_ip]\ntimespan: 30s")
    ruleset = rules(ASKED, OTHER, many, then)
    watch = watch_of(ruleset)
    frame = sequence("y", "x", "x", "x", "y").frame()
    found = [(match.row, hit.title) for match, hit, _ in watch._in_row_order(frame)]
    assert found == [(4, "Together")]


def test_rules_that_are_counted_are_silent_unless_the_correlation_says_generate():
    rows = asked(0, 1, 2).frame()
    silent, loud = counted("{gte: 3}"), counted("{gte: 3}", more="generate: true")
    assert [hit.title for _, hit, _ in watch_of(silent)._in_row_order(rows)] == ["Together"]
    assert [hit.title for _, hit, _ in watch_of(loud)._in_row_order(rows)] == ["Asked", "Asked", "Asked", "Together"]


def test_an_alias_names_a_field_of_each_rule():
    http = rule("a: {uri: /x}\ncondition: a", title="Http", name="http", log="product: zeek, service: http")
    body = """
        type: temporal
        rules: [asked, http]
        aliases:
          name: {asked: query, http: host}
        group-by: [name]
        timespan: 10s
    """
    rows = Rows().ask(0, "x.example").ask(0, "xx.example")
    rows.add(1, log="http", detail={"uri": "/x", "host": "x.example"})
    assert fired(rules(ASKED, http, correlation(body)), rows) == [2]


def test_a_group_keeps_a_bounded_number_of_matches():
    ruleset = counted("{gte: 5}", span="1h")
    watch = watch_of(ruleset)
    watch.sense(asked(*range(1000)).frame())
    (counter,) = watch._correlator._counters.values()
    (group,) = counter.memory.entries.values()
    assert len(group.events) == kept_of(ruleset.correlations[0]) == 10 + MARGIN


def test_the_coldest_group_is_forgotten_first_and_counted():
    watch = watch_of(counted("{gte: 2}"), entities=3)
    rows = Rows()
    for at, host in enumerate([1, 2, 3, 1, 4, 2]):
        rows.ask(at * 0.1, "x", src_ip=f"10.0.0.{host}")
    assert [match.row for match, _, firing in watch._in_row_order(rows.frame()) if firing] == [3]
    assert watch.evicted == 2


def many(seed: int) -> tuple[RuleSet, Frame]:
    """Correlations of every type over a random, disordered stream."""
    dice = random.Random(seed)
    by = "group-by: [src_ip]\ntimespan:"
    ruleset = rules(
        ASKED, OTHER, THIRD,
        correlation(f"type: event_count\nrules: [asked, other]\n{by} 20s\ncondition: {{gte: 4}}", title="E", name="e"),
        correlation(f"type: value_count\nrules: [asked]\n{by} 30s\ncondition: {{gte: 3, field: query}}", title="V"),
        correlation(f"type: temporal\nrules: [asked, third]\n{by} 5s", title="T"),
        correlation(f"type: temporal_ordered\nrules: [e, third]\n{by} 60s", title="O"),
    )  # fmt: skip
    rows = Rows()
    for number in range(400):
        at = max(0.0, number * 2 + dice.choice((0, 0, 0, -15, -40)))
        rows.ask(at, f"{dice.choice('xyz')}{dice.randrange(5)}", src_ip=f"10.0.0.{dice.randrange(3)}")
    return ruleset, rows.frame()


def brute(ruleset: RuleSet, frame: Frame, title: str) -> list[int]:
    """Rows at which a correlation over single rules fires, by trying every window around every row."""
    wanted = next(one for one in ruleset.correlations if one.hit.title == title)
    names = {rule.key: rule.name[0] for rule in ruleset.rules}
    letters = {{"a": "x", "o": "y", "t": "z"}[names[key]]: key for key in wanted.rules}
    found, seen = [], []
    for row in range(len(frame)):
        query = frame.detail[row]["query"]
        if query[0] not in letters:
            continue
        seen.append((frame.ts[row], frame.src_ip[row], letters[query[0]], query))
        mine = [event for event in seen if event[1] == frame.src_ip[row]]
        best = 0
        for start in {event[0] for event in mine}:
            window = [event for event in mine if start <= event[0] <= start + wanted.span * SECOND]
            if start <= frame.ts[row] <= start + wanted.span * SECOND:
                counts = {
                    "event_count": len(window),
                    "value_count": len({e[3] for e in window}),
                    "temporal": len({e[2] for e in window}),
                }
                best = max(best, counts[wanted.kind])
        found += [row] if best >= wanted.count else []
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_disordered_stream_gives_what_trying_every_window_gives(seed):
    ruleset, frame = many(seed)
    watch = watch_of(ruleset)
    found: dict[str, list[int]] = {"E": [], "V": [], "T": []}
    for match in matches(ruleset, frame):
        for firing in watch._correlator.take(match, frame.clock[match.row]):
            if firing.correlation.hit.title in found:
                found[firing.correlation.hit.title].append(match.row)
    assert found == {title: brute(ruleset, frame, title) for title in found}


def matches(ruleset: RuleSet, frame: Frame) -> list[Any]:
    from engine.behaviours.memory import flow_at
    from engine.rules.correlation import Match
    from engine.rules.matcher import Matcher

    found = []
    for number, table, rows in Matcher(ruleset.rules).match(frame):
        for row in rows.tolist():
            key = ruleset.rules[number].key
            found.append((row, number, Match(rule=key, row=row, table=table, at=row, flow=flow_at(frame, row))))
    return [match for _, _, match in sorted(found, key=lambda one: one[:2])]


def test_groups_go_on_from_a_dump_at_any_row():
    ruleset, frame = many(4)
    limit = LimitThresholds().entities
    whole = Correlator(ruleset.rules, ruleset.correlations, limit)
    found = matches(ruleset, frame)
    expected = [(f.match.row, f.correlation.key, f.count) for m in found for f in whole.take(m, frame.clock[m.row])]
    parts, got = whole, []
    parts = Correlator(ruleset.rules, ruleset.correlations, limit)
    for number, match in enumerate(found):
        got += [(f.match.row, f.correlation.key, f.count) for f in parts.take(match, frame.clock[match.row])]
        if number % 50 == 7:
            state = msgspec.msgpack.decode(b"".join(pieces(parts.dump())))
            parts = Correlator(ruleset.rules, ruleset.correlations, limit)
            parts.load(state)
    assert got == expected
    assert expected
