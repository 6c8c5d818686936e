"""`myrmidon rules list | check | test`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.rules.texts import correlation, rule

DNS = (
    "#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype_name\n"
)
DNS += "#types\ttime\taddr\tport\taddr\tport\tenum\tstring\tstring\n"
FROM_CLIENT = "a: {query|endswith: .bad}\nb: {qtype_name: TXT}\ncondition: a and b"


def call(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stdout


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    rows = [("x.bad", "TXT"), ("y.bad", "A"), ("z.good", "TXT"), ("z.good", "A"), ("z.bad", "TXT")]
    lines = [
        f"{1700000000 + at}.0\t10.0.0.5\t4000\t10.0.0.9\t53\tudp\t{name}\t{kind}"
        for at, (name, kind) in enumerate(rows)
    ]
    path = tmp_path / "dns.log"
    path.write_text(DNS + "\n".join(lines) + "\n")
    return path


def test_list_shows_the_shipped_rules_and_those_of_the_users_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.yml").write_text(rule(FROM_CLIENT, title="Mine"))
    monkeypatch.setenv("MYRMIDON_RULES__DIR", str(tmp_path))
    code, text = call("--home", tmp_path / "home", "--json", "rules", "list")
    listed = json.loads(text)
    assert code == 0
    assert {"Mine", "Mining Pool Asked For"} <= {one["title"] for one in listed["rules"]}
    mine = next(one for one in listed["rules"] if one["title"] == "Mine")
    assert (mine["log"], mine["level"], mine["line"], mine["file"]) == ("dns", "high", 1, str(tmp_path / "mine.yml"))
    assert not (tmp_path / "home").exists()
    code, text = call("--home", tmp_path / "home", "rules", "list")
    assert code == 0
    assert "Mine" in text


def test_check_reports_every_error_with_file_and_line_and_says_no(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(rule(FROM_CLIENT))
    bad.write_text(rule("a: {query|nope: x}\ncondition: a and c", title="w", level="wrong"))
    code, text = call("--json", "rules", "check", tmp_path)
    document = json.loads(text)
    assert code == 1
    assert not document["ok"]
    assert document["files"] == 2
    assert {(error["file"], error["line"]) for error in document["errors"]} == {(str(bad), 10), (str(bad), 12)}
    assert [one["title"] for one in document["rules"]] == ["A rule"]
    code, text = call("rules", "check", tmp_path)
    assert (code, f"{bad}:10:" in text.replace("\n    ", "")) == (1, True)


def test_check_names_a_bad_tag_and_what_no_record_has_by_its_line(tmp_path):
    tagged, typo, strange = tmp_path / "tag.yml", tmp_path / "typo.yml", tmp_path / "log.yml"
    tagged.write_text(rule(FROM_CLIENT, title="x").replace("attack.command-and-control]", "\n  nonsense]"))
    typo.write_text(rule("a: {querry|endswith: .bad}\ncondition: a", title="y", log="product: zeek, service: dns"))
    strange.write_text(rule("a: {query: b}\ncondition: a", title="z", log="product: zeek, service: dnss"))
    code, text = call("--json", "rules", "check", tmp_path)
    document = json.loads(text)
    assert code == 1
    assert [(e["file"], e["line"]) for e in document["errors"]] == [(str(tagged), 8)]
    assert "'nonsense' has no namespace" in document["errors"][0]["message"]
    assert [(d["file"], d["line"]) for d in document["doubts"]] == [(str(strange), 8), (str(typo), 10)]
    assert "is dns meant?" in document["doubts"][0]["message"]
    assert "is query meant?" in document["doubts"][1]["message"]
    tagged.unlink()
    code, text = call("rules", "check", tmp_path)
    assert code == 0, "a site's own scripts may add logs and fields"
    assert "doubtful" in text


def test_check_of_right_rules_says_yes(tmp_path):
    (tmp_path / "good.yml").write_text(rule(FROM_CLIENT))
    assert call("rules", "check", tmp_path / "good.yml")[0] == 0
    assert call("rules", "check", tmp_path)[0] == 0


def test_check_of_nothing_is_not_right(tmp_path):
    assert call("rules", "check", tmp_path)[0] == 1


def test_test_shows_hits_and_near_misses_with_what_failed(tmp_path, capture):
    (tmp_path / "mine.yml").write_text(rule(FROM_CLIENT))
    code, text = call("--json", "rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    (found,) = json.loads(text)["rules"]
    assert code == 0
    assert (found["judged"], found["hits"], found["near_misses"]) == (5, 2, 2)
    assert [row["row"] for row in found["rows"]] == [1, 5]
    assert [(row["row"], row["failed"]) for row in found["near"]] == [
        (2, "qtype_name is 'TXT'"), (3, "query ends with '.bad'")
    ]  # fmt: skip
    assert found["near"][0]["found"] == "qtype_name is 'A'"
    code, text = call("rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    assert code == 0
    assert "2 hits in 5 records" in text
    assert "2 near misses" in text


def test_test_shows_what_a_correlation_finds_and_just_misses(tmp_path, capture):
    body = "type: event_count\nrules: [base]\ngroup-by: [src_ip]\ntimespan: 1m\ncondition: {gte: COUNT}"
    base = rule("a: {query|endswith: .bad}\ncondition: a", name="base", title="Base")
    for count, hits, near in ((3, 1, 1), (4, 0, 1)):
        (tmp_path / "mine.yml").write_text(base + "---\n" + correlation(body.replace("COUNT", str(count))))
        _, text = call("--json", "rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
        found = next(one for one in json.loads(text)["rules"] if one["title"] == "Together")
        assert (found["hits"], found["near_misses"]) == (hits, near)


def test_rows_more_than_an_hour_late_are_judged_and_belong_to_no_window_as_in_a_run(tmp_path, capture):
    body = "type: event_count\nrules: [base]\ngroup-by: [src_ip]\ntimespan: 6h\ncondition: {gte: 4}"
    (tmp_path / "mine.yml").write_text(rule(FROM_CLIENT, name="base", title="Base") + "---\n" + correlation(body))
    with capture.open("a") as file:
        file.write("1700009000.0\t10.0.0.5\t4000\t10.0.0.9\t53\tudp\tnew.good\tTXT\n")
        file.write("1700000005.0\t10.0.0.5\t4000\t10.0.0.9\t53\tudp\told.bad\tTXT\n")
    _, text = call("--json", "rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    document = json.loads(text)
    hits = {one["title"]: one["hits"] for one in document["rules"]}
    assert (document["received"], document["late"], hits) == (7, 1, {"Base": 3, "Together": 0})


def test_a_feed_that_cannot_be_read_is_told_and_says_no(tmp_path):
    (tmp_path / "mine.yml").write_text(rule(FROM_CLIENT))
    (tmp_path / "dns.log").write_bytes(b"\x00\x01nothing")
    assert call("rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{tmp_path / 'nowhere.log'}")[0] == 1


@pytest.mark.parametrize(("order", "needed"), [("gte: 4", 4), ("gt: 3", 4), ("gt: 2", 3)])
def test_test_says_how_much_a_correlation_needs_and_of_what_it_counts(tmp_path, capture, order, needed):
    body = f"type: event_count\nrules: [base]\ngroup-by: [src_ip]\ntimespan: 1m\ncondition: {{{order}}}"
    base = rule("a: {query|endswith: .bad}\ncondition: a", name="base", title="Base")
    (tmp_path / "mine.yml").write_text(base + "---\n" + correlation(body))
    _, text = call("--json", "rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    found = next(one for one in json.loads(text)["rules"] if one["title"] == "Together")
    assert found["judged"] == next(one for one in json.loads(text)["rules"] if one["title"] == "Base")["hits"] > 0
    assert {row["failed"] for row in found["near"]} == {f"{needed} matches within 60 s are needed"}
    assert {row["found"] for row in found["near"]} == {f"{needed - 1} are there"}
    _, text = call("rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    assert f"in {found['judged']} matches of the rules that it counts" in text


def test_one_match_alone_is_no_near_miss_of_rules_together(tmp_path, capture):
    body = "type: temporal\nrules: [base, other]\ngroup-by: [src_ip]\ntimespan: 1m"
    base = rule("a: {query|endswith: .bad}\ncondition: a", name="base", title="Base")
    other = rule("a: {query: nobody.asks}\ncondition: a", name="other", title="Other")
    (tmp_path / "mine.yml").write_text(f"{base}---\n{other}---\n{correlation(body)}")
    _, text = call("--json", "rules", "test", tmp_path / "mine.yml", "--feed", f"zeek:{capture}")
    found = next(one for one in json.loads(text)["rules"] if one["title"] == "Together")
    assert (found["hits"], found["near_misses"]) == (0, 0)


def test_check_names_only_the_key_that_is_there_twice(tmp_path):
    (tmp_path / "twice.yml").write_text(rule("s: {uri: a}\ns: {uri: b}\ncondition: s"))
    _, text = call("--json", "rules", "check", tmp_path)
    assert [error["message"] for error in json.loads(text)["errors"]] == ["key 's' is there twice"]


def test_check_says_that_correlations_count_one_another_in_a_circle(tmp_path):
    body = "type: event_count\nrules: [{}]\ngroup-by: [src_ip]\ntimespan: 1m\ncondition: {{gte: 2}}"
    texts = [
        correlation(body.format(other), title=name).replace("correlation:", f"name: {name}\ncorrelation:", 1)
        for name, other in (("one", "two"), ("two", "one"))
    ]
    (tmp_path / "circle.yml").write_text("---\n".join(texts))
    _, text = call("--json", "rules", "check", tmp_path)
    assert [error["message"].partition(",")[0] for error in json.loads(text)["errors"]] == [
        "it counts two", "it counts one"
    ]  # fmt: skip
    assert all("in a circle" in error["message"] for error in json.loads(text)["errors"])


def test_check_doubts_selections_that_no_condition_names_and_techniques_that_are_none(tmp_path):
    body = rule("a: {query: x}\nb: {query: y}\nfilter_c: {query: z}\ncondition: a and not 1 of filter_*")
    (tmp_path / "unused.yml").write_text(body.replace("attack.t1071.004", "attack.t9999999"))
    code, text = call("--json", "rules", "check", tmp_path)
    messages = [doubt["message"] for doubt in json.loads(text)["doubts"]]
    assert code == 0
    assert messages == [
        "attack.t9999999 is no id of an ATT&CK technique: write attack.t1071 or attack.t1071.004",
        "no condition names the selection b",
    ]


def test_check_says_in_words_that_a_modifier_and_an_empty_value_do_not_go_together(tmp_path):
    (tmp_path / "null.yml").write_text(rule("a: {query|contains: null}\ncondition: a"))
    _, text = call("--json", "rules", "check", tmp_path)
    [error] = json.loads(text)["errors"]
    assert "object at 0x" not in error["message"]
    assert "null" in error["message"]
