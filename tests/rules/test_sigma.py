"""Reading rules: what is loaded, what is ignored, and where what is wrong stands."""

from __future__ import annotations

import pytest

from adapters.rulebook import SHIPPED, read_rules
from engine.rules.ruleset import RuleSet
from tests.data import shared
from tests.rules.texts import correlation, rule, rules

BOMB = "title: x\na0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
GOOD = "selection: {query: a}\ncondition: selection"


def test_all_network_rules_of_the_public_collection_load():
    ruleset = RuleSet.of(read_rules([shared("sigma-network")])[0])
    assert (len(ruleset.rules), len(ruleset.ignored), ruleset.errors) == (179, 28, ())


def test_our_own_rules_load_and_say_who_wrote_them():
    ruleset = RuleSet.of(read_rules([SHIPPED])[0])
    assert not ruleset.errors
    assert not ruleset.ignored
    assert len(ruleset.rules) >= 30
    assert len(ruleset.correlations) >= 4
    for one in ruleset.every:
        assert (one.hit.author, one.hit.licence) == ("Myrmidon", "Apache-2.0")
        assert one.hit.techniques


def test_a_rule_brings_what_must_stay_beside_its_match():
    hit = rules(rule(GOOD)).rules[0].hit
    assert (hit.title, hit.level, hit.author, hit.licence) == ("A rule", "high", "Nobody", "MIT")
    assert (hit.techniques, hit.reference) == (("T1071.004",), "https://rules.example/1")


def test_a_rule_without_a_level_is_low():
    assert rules(rule(GOOD).replace("level: high\n", "")).rules[0].hit.level == "low"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (rule(GOOD, level="hihg"), 12, "hihg"),
        (rule("selection: {query|contian: a}\ncondition: selection"), 10, "contian"),
        (rule("selection:\n  query: a\n  query|re: '(('\ncondition: selection"), 12, "regular expression"),
        (rule("selection:\n  query|cidr: 10.0.0.1/8\ncondition: selection"), 11, "CIDR"),
        (rule("selection: {query: a}\ncondition: selection and other"), 11, "other"),
        (rule("selection: {query: a}\ncondition: selection and ("), 11, ""),
        (rule("selection: {query|expand: '%x%'}\ncondition: selection"), 9, "placeholder"),
        (rule(GOOD).replace("logsource: {category: dns}\n", ""), 1, "log source"),
        (rule(GOOD).replace("title: A rule\n", ""), 1, "title"),
        (rule("selection: {query: a}\ncondition: selection", title="x").replace("id: ", "id: x"), 2, "identifier"),
        ("title: x\n  bad: [\n", 2, "YAML"),
        ("- 1\n", 1, "map"),
        (BOMB, 1, "alias"),
        ("title: x\nid: &a [*a]\nlogsource: *a\n", 1, "recursive"),
        (rule("selection:\n  query: a\n  query: b\ncondition: selection"), 12, "twice"),
    ],
)
def test_an_error_names_the_line_that_is_to_blame(text, line, says):
    ruleset = RuleSet.of({"mine.yml": text})
    assert not ruleset.every
    assert [(error.file, error.line) for error in ruleset.errors] == [("mine.yml", line)], ruleset.errors
    assert says.lower() in ruleset.errors[0].message.lower()


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("type: event_count\nrules: [nix]\ntimespan: 5m\ncondition: {gte: 3}", 6, "nix"),
        ("type: event_count\nrules: [base]\ntimespan: 5x\ncondition: {gte: 3}", 7, "5x"),
        ("type: value_sum\nrules: [base]\ntimespan: 5m\ncondition: {gte: 3, field: query}", 5, "value_sum"),
        ("type: event_count\nrules: [base]\ntimespan: 5m\ncondition: {lt: 3}", 8, "lt"),
        ("type: event_count\nrules: [base]\ntimespan: 5m\ncondition: {gte: 99999}", 8, "10000"),
        ("type: event_count\nrules: [base]\ntimespan: 9d\ncondition: {gte: 3}", 7, "timespan"),
        ("type: temporal\nrules: [base]\ntimespan: 5m\ncondition: base and not base", 8, "not supported"),
        ("type: temporal\nrules: [base, base]\ntimespan: 5m", 6, "twice"),
    ],
)
def test_an_error_of_a_correlation_names_its_line(body, line, says):
    ruleset = RuleSet.of({"a.yml": rule(GOOD, name="base"), "b.yml": correlation(body)})
    assert [(error.file, error.line) for error in ruleset.errors] == [("b.yml", line)], ruleset.errors
    assert says in ruleset.errors[0].message
    assert len(ruleset.rules) == 1


def test_every_error_of_a_file_is_told_and_its_other_rules_stand():
    wrong = rule("selection:\n  query|contian: a\n  query|re: '(('\ncondition: selection", title="w", level="hihg")
    ruleset = RuleSet.of({"x.yml": "---\n".join((wrong, rule(GOOD)))})
    assert [error.line for error in ruleset.errors] == [11, 12, 14]
    assert [one.hit.title for one in ruleset.rules] == ["A rule"]


def test_an_id_that_is_taken_is_an_error_of_the_second_rule():
    ruleset = RuleSet.of({"a.yml": rule(GOOD), "b.yml": rule(GOOD)})
    assert [(error.file, error.line) for error in ruleset.errors] == [("b.yml", 2)]
    assert "a.yml:1" in ruleset.errors[0].message


def test_a_rule_about_records_that_are_not_read_is_ignored_with_the_reason():
    ruleset = RuleSet.of({"a.yml": rule(GOOD, log="product: windows, category: dns_query")})
    assert not ruleset.errors
    assert "product windows" in ruleset.ignored[0].reason


def test_the_version_says_what_rules_say_and_not_where_they_stand():
    one, other = rule(GOOD), rule(GOOD, title="B")
    version = RuleSet.of({"a.yml": one, "b.yml": other}).version
    assert RuleSet.of({"z.yml": "# a comment\n" + other + "\n---\n" + one}).version == version
    assert RuleSet.of({"a.yml": one}).version != version
    assert RuleSet.of({"a.yml": one.replace("query: a", "query: b"), "b.yml": other}).version != version


def test_a_packed_rule_set_is_read_again_as_it_was():
    ruleset = rules(rule(GOOD), rule(GOOD, title="B"))
    again = RuleSet.unpack(ruleset.pack())
    assert again == ruleset
    assert again.version == ruleset.version


def test_reading_rules_fetches_nothing():
    import subprocess
    import sys

    code = (
        "import sys; from adapters.rulebook import Rulebook; assert 'sigma' not in sys.modules; "
        "Rulebook().load(); print(sorted(name for name in sys.modules if name.startswith('sigma.data')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
