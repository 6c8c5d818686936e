"""Insights from verdicts: accuracy, causes, recommendations."""

from __future__ import annotations

from projections.insights import insights


def judged(*said, kind="beacon", entity="10.0.0.5", level="high", rules=(), peers=(), correction="", confidence=1.0):
    verdicts = [{"verdict": each, "confidence": confidence, "correction": correction} for each in said]
    return {
        "kind": kind, "entity": entity, "level": level, "rules": [{"title": title} for title in rules],
        "peers": list(peers), "verdicts": verdicts,
    }  # fmt: skip


def test_the_last_verdict_on_each_threat_counts():
    found = insights([judged("incorrect", "incorrect", "correct"), judged()])
    assert (found["threats"], found["judged"], found["correct"], found["incorrect"]) == (2, 1, 1, 0)
    assert found["accuracy"] == 1.0


def test_accuracy_weighs_by_how_sure_operators_were_and_partial_is_half():
    rows = [judged("correct", confidence=0.9), judged("incorrect", confidence=0.1), judged("partial", confidence=1.0)]
    assert insights(rows)["accuracy"] == 0.7


def test_nothing_judged_has_no_accuracy_and_gives_no_advice():
    found = insights([judged()])
    assert (found["accuracy"], found["recommendations"], found["by_kind"]) == (None, [], [])


def test_accuracy_is_told_by_kind_level_and_rule():
    rows = [judged("correct"), judged("incorrect", kind="rule-match", level="medium", rules=("Odd agent",))]
    found = insights(rows)
    assert {group["name"]: group["accuracy"] for group in found["by_kind"]} == {"beacon": 1.0, "rule-match": 0.0}
    assert {group["name"]: group["accuracy"] for group in found["by_level"]} == {"high": 1.0, "medium": 0.0}
    assert {group["name"]: group["accuracy"] for group in found["by_rule"]} == {"Odd agent": 0.0}


def test_causes_of_errors_are_what_operators_wrote():
    rows = [
        judged("incorrect", correction="Backup  job"),
        judged("incorrect", correction="backup job"),
        judged("partial"),
    ]
    causes = insights(rows)["error_causes"]
    assert [(each["cause"], each["count"]) for each in causes] == [("backup job", 2), ("no cause given", 1)]


def test_an_entity_whose_threats_are_all_wrong_is_a_recommendation_with_a_command():
    rows = [judged("incorrect", peers=("example.com",))] * 4 + [judged("correct", entity="10.0.0.6")]
    (advice,) = insights(rows)["recommendations"]
    assert advice["says"].startswith("all 4 threats of kind beacon of entity 10.0.0.5 (all with example.com)")
    assert advice["command"].startswith("myrmidon suppress add --entity 10.0.0.5 --kind beacon")


def test_too_few_verdicts_recommend_nothing():
    assert insights([judged("incorrect")] * 2)["recommendations"] == []


def test_a_peer_that_several_hosts_were_wrongly_accused_over_is_a_recommendation():
    rows = [judged("incorrect", entity=f"10.0.0.{n}", peers=("198.51.100.7",)) for n in range(3)]
    (advice,) = insights(rows)["recommendations"]
    assert "198.51.100.7" in advice["command"]


def test_a_rule_that_is_wrong_about_several_hosts_is_a_recommendation():
    rows = [judged("incorrect", kind="rule-match", entity=f"10.0.0.{n}", rules=("Odd agent",)) for n in range(3)]
    (advice,) = insights(rows)["recommendations"]
    assert "--rule 'Odd agent'" in advice["command"]


def test_what_was_judged_otherwise_or_not_at_all_is_never_covered():
    wrong = [judged("incorrect", peers=("example.com",))] * 4
    assert insights([*wrong, judged("correct")])["recommendations"] == []
    assert insights([*wrong, judged("partial")])["recommendations"] == []
    assert insights([*wrong, judged()])["recommendations"] == []


def test_the_servers_of_the_house_are_no_exception_that_silences_every_anomaly():
    rows = [judged("incorrect", kind="anomaly", entity=f"10.0.0.{n % 5}", peers=("10.20.0.5",)) for n in range(16)]
    commands = [advice["command"] for advice in insights(rows)["recommendations"]]
    assert len(commands) == 5
    assert all("--entity 10.0.0." in command and "--peer" not in command for command in commands)


def test_a_wider_exception_is_recommended_only_for_what_a_narrower_one_does_not_cover():
    one = [judged("incorrect", kind="rule-match", rules=("Odd agent",))] * 3
    assert [a["threats"] for a in insights(one)["recommendations"]] == [3]
    both = [*one, judged("incorrect", kind="rule-match", entity="10.0.0.9", rules=("Odd agent",))]
    assert [("--rule" in a["command"], a["threats"]) for a in insights(both)["recommendations"]] == [
        (True, 4), (False, 3)
    ]  # fmt: skip
