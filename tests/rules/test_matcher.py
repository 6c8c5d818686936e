"""What a rule's tests mean for a row."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engine.frame import Frame
from engine.rules.matcher import Matcher
from engine.rules.ruleset import RuleSet
from engine.rules.values import KEPT, Classes
from tests.engine.rows import Rows
from tests.rules.forge import forged
from tests.rules.texts import rule, rules


def hits(ruleset: RuleSet, frame: Frame) -> dict[int, list[int]]:
    """Rows of each rule, by its number."""
    found: dict[int, list[int]] = {}
    for number, table, rows in Matcher(ruleset.rules).match(frame):
        found[number] = (rows if table.rows is None else table.rows[rows]).tolist()
    return found


def http(**detail: object) -> Rows:
    return Rows().add(
        0, log="http", dst_port=80, detail={"host": "a.example", "uri": "/x?y=1", "status_code": 200, **detail}
    )


def matches(selection: str, rows: Rows, log: str = "product: zeek, service: http") -> bool:
    """Whether a rule of one selection matches the first row."""
    ruleset = rules(
        rule(
            "selection:\n" + "\n".join(f"  {line}" for line in selection.split("\n")) + "\ncondition: selection",
            log=log,
        )
    )
    return hits(ruleset, rows.frame()) == {0: [0]}


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        ("user_agent: CURL/8", True),
        ("user_agent: curl", False),
        ("user_agent: cur?/8", True),
        ("user_agent: c*8", True),
        ("user_agent: 'curl/8\\*'", False),
        ("user_agent|contains: 'l/'", True),
        ("user_agent|contains: 'rl/8'", True),
        ("user_agent|startswith: Curl", True),
        ("user_agent|startswith: url", False),
        ("user_agent|endswith: L/8", True),
        ("user_agent|endswith: l", False),
        ("user_agent|contains|all: [cur, '/8']", True),
        ("user_agent|contains|all: [cur, '/9']", False),
        ("user_agent|cased: Curl/8", False),
        ("user_agent|cased: curl/8", True),
        ("user_agent|contains|cased: URL", False),
        ("user_agent|re: '^curl/\\d$'", True),
        ("user_agent|re: 'CURL'", False),
        ("user_agent|re|i: 'CURL'", True),
        ("user_agent|neq: wget", True),
        ("user_agent|exists: true", True),
        ("referrer|exists: true", False),
        ("referrer|exists: false", True),
        ("referrer: null", True),
        ("referrer: ''", False),
        ("user_agent: null", False),
        ("user_agent: '*'", True),
        ("referrer: '*'", False),
        ("empty: ''", True),
        ("empty: null", False),
        ("status_code: 200", True),
        ("status_code: '200'", True),
        ("status_code|gte: 200", True),
        ("status_code|lt: 200", False),
        ("host|gt: 5", False),
        ("seen: true", True),
        ("seen: false", False),
        ("tags: second", True),
        ("tags|contains|all: [first, second]", True),
        ("tags: third", False),
        ("none: null", True),
        ("id.orig_h|cidr: 10.0.0.0/8", True),
        ("id.orig_h|cidr: fd00::/8", False),
        ("id.resp_p: 80", True),
        ("id.resp_p: [22, 80]", True),
        ("id.resp_p|gt: 80", False),
        ("id.resp_p|startswith: '8'", True),
        ("ts|hour: 22", True),
        ("ts|hour: 21", False),
        ("host|fieldref: alias", True),
        ("host|fieldref|startswith: user_agent", False),
        ("command|windash|contains: ' -enc'", True),
        ("body|base64offset|contains: secret", True),
        ("body|wide|base64offset|contains: secret", False),
    ],
)
def test_a_modifier_means_what_sigma_says(selection, fits):
    row = http(
        user_agent="curl/8", empty="", seen=True, tags=["first", "second"], none=None, alias="A.EXAMPLE",
        command="x.exe /enc", body="eHh4c2VjcmV0eHh4",
    )  # fmt: skip
    assert matches(selection, row) is fits


@pytest.mark.parametrize(
    ("log", "selection", "fits"),
    [
        ("category: proxy", "c-uri: 'http://a.example/x?y=1'", True),
        ("category: proxy", "c-uri: '/x?y=1'", True),
        ("category: proxy", "c-uri|contains: 'example/x'", True),
        ("category: proxy", "c-uri-query: y=1", True),
        ("category: proxy", "cs-host|endswith: .example", True),
        ("category: webserver", "cs-uri-query|startswith: /x", True),
        ("category: webserver", "cs-uri-query: null", False),
        ("category: webserver", "cs-uri-stem: /x", True),
        ("category: webserver", "sc-status: 200", True),
    ],
)
def test_names_of_proxies_and_web_servers_mean_fields_of_http_records(log, selection, fits):
    assert matches(selection, http(), log) is fits


@pytest.mark.parametrize(
    ("detail", "address"),
    [
        ({"hostname": "b.example", "url": "/q", "http_user_agent": "ua"}, "c-uri|endswith: e/q"),
        ({"host": "b.example", "uri": "http://b.example/q", "user_agent": "ua"}, "c-uri: /q"),
    ],
)
def test_a_rule_reads_suricatas_names_as_well_as_zeeks(detail, address):
    selection = f"cs-host: b.example\nc-useragent: ua\n{address}"
    assert matches(selection, Rows().add(0, log="http", detail=detail), "category: proxy")


def test_a_nested_object_of_suricata_is_a_dotted_name_of_zeek():
    row = Rows().add(0, log="ssl", detail={"ja3": {"hash": "abc"}})
    assert matches("ja3: abc", row, "product: zeek, service: ssl")


def test_a_firewalls_action_is_told_from_the_state_of_the_connection():
    rows = Rows().add(0, dst_port=23).fail(1, dst_port=23).add(2, dst_port=23, conn_state="OTH")
    ruleset = rules(
        rule("selection: {dst_port: 23, action: accept}\ncondition: selection", log="category: firewall"),
        rule("selection: {dst_port: 23, blocked: 'true'}\ncondition: selection", title="B", log="category: firewall"),
    )
    by_title = {ruleset.rules[number].hit.title: rows for number, rows in hits(ruleset, rows.frame()).items()}
    assert by_title == {"A rule": [0], "B": [1]}


def test_a_keyword_is_looked_for_in_every_text_of_a_record():
    ruleset = rules(rule("words: ['jndi', 'EVIL']\ncondition: words", log="category: webserver"))
    rows = (
        http(user_agent="${jndi:x}").add(1, log="http", detail={"uri": "/evil"}).add(2, log="http", detail={"uri": "/"})
    )
    assert hits(ruleset, rows.frame()) == {0: [0, 1]}


def test_not_over_an_absent_field_holds():
    ruleset = rules(rule("a: {query|contains: '.'}\nb: {Z: 0}\ncondition: a and not b"))
    rows = Rows().ask(0, "a.example")
    assert hits(ruleset, rows.frame()) == {0: [0]}


def test_rows_of_other_logs_are_not_looked_at():
    ruleset = rules(rule("a: {query|contains: '.'}\ncondition: not a"))
    assert hits(ruleset, Rows().add(0).ask(1, "a.example").ask(2, "plain").frame()) == {0: [2]}


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_how_rows_are_cut_into_frames_changes_no_match(size):
    from adapters.rulebook import SHIPPED, read_rules

    ruleset = RuleSet.of(read_rules([SHIPPED])[0])
    frame = forged(list(ruleset.rules), each=8, seed=5)
    matcher, found = Matcher(ruleset.rules), set()
    for begin in range(0, len(frame), size):
        for number, table, rows in matcher.match(frame.slice(begin, begin + size)):
            there = rows if table.rows is None else table.rows[rows]
            found |= {(number, begin + row) for row in there.tolist()}
    assert found == {(number, row) for number, rows in hits(ruleset, frame).items() for row in rows}
    assert found


def test_what_is_remembered_of_values_is_bounded_and_changes_nothing():
    ruleset = rules(rule("a: {query|endswith: '7'}\ncondition: a"))
    test = next(iter({ruleset.rules[0].condition}))
    classes = Classes([test])
    for begin in range(0, 3 * KEPT, KEPT // 2):
        values = [f"name{number}" for number in range(begin, begin + KEPT // 2)]
        codes = classes.of(values)
        ends = np.array([classes.tests[code] == {0} for code in codes.tolist()])
        assert ends.tolist() == [value.endswith("7") for value in values]
        assert len(classes._known) < 2 * KEPT


def test_hostile_values_are_matched_like_any_other():
    dice = random.Random(1)
    ruleset = rules(rule("a: {query|contains: 'evil'}\nb: {query|re: 'ev.l'}\ncondition: a and b"))
    texts = ["\ud800evil", "ev\x00il", "EVİL", "x" * 100_000 + "evil", "evil\nevil", ""]
    texts += ["".join(chr(dice.randrange(1, 0xFFF)) for _ in range(50)) for _ in range(200)]
    rows = Rows()
    for at, text in enumerate(texts):
        rows.ask(at, text)
    assert hits(ruleset, rows.frame()) == {0: [0, 3, 4]}
