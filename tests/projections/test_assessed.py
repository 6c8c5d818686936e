"""Assessments, duplicates and exceptions in the views; incidents of very many threats."""

from __future__ import annotations

import pytest

from adapters.log import open_log
from domain.journal import follow
from projections import catalog, incidents, threats
from projections.view import digest_of, told
from tests.projections.story import (
    NOON,
    assessed,
    continued,
    detected,
    drafts,
    excepted,
    linked,
    merged,
    opened,
    repeated,
    silenced,
    uid,
    unexcepted,
    verdict,
)


def rows(view, *facts):
    log = open_log("memory:", lambda: NOON)
    log.append(drafts(*facts))
    memories = catalog.replay(follow(log))
    assert not any(memory.parked for memory in memories.values())
    return memories[view].rows


def test_a_threat_has_the_risk_of_its_last_assessment_and_before_one_the_detectors():
    before = rows("threats", detected("a", risk=7.1), continued("a", risk=7.5))[str(uid("a"))]
    after = rows("threats", detected("a", risk=7.1), assessed("a", 8.2), continued("a", risk=7.5))[str(uid("a"))]
    assert (before["risk"], after["risk"]) == (7.5, 8.2)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([repeated("a", "b")], "merged"),
        ([excepted("X"), silenced("a", "X")], "suppressed"),
        ([repeated("a", "b"), excepted("X"), silenced("a", "X")], "suppressed"),
        ([excepted("X"), silenced("a", "X"), opened("A", "a")], "open"),
        ([excepted("X"), silenced("a", "X"), verdict("a", "correct"), opened("A", "a")], "confirmed"),
        ([verdict("a", "incorrect"), excepted("X"), silenced("a", "X")], "dismissed"),
    ],
)
def test_the_status_of_a_threat_says_why_nobody_works_on_it(facts, status):
    assert rows("threats", detected("a"), detected("b"), *facts)[str(uid("a"))]["status"] == status


def test_a_threat_counts_those_that_repeat_it_and_they_point_to_it():
    found = rows("threats", detected("a"), detected("b"), detected("c"), repeated("b", "a"), repeated("c", "a", 2))
    assert found[str(uid("a"))]["duplicates"] == 2
    assert {found[str(uid(name))]["merged_into"] for name in "bc"} == {str(uid("a"))}


def test_an_exception_tells_what_it_has_silenced_and_how_it_ended():
    facts = (detected("a"), detected("b"), excepted("X"), silenced("a", "X"), silenced("b", "X"), unexcepted("X"))
    row = rows("suppressions", *facts)[str(uid("X"))]
    assert (row["silenced"], row["threats"]) == (2, [str(uid("a")), str(uid("b"))])
    assert (row["removed_because"], row["removed_at"]) == ("over", NOON + 5_000_000)


def test_of_a_very_large_incident_the_first_threats_are_listed_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(incidents, "LISTED", 3)
    names = "abcdefg"
    facts = [detected(name) for name in names] + [opened("A", "a")] + [linked("A", name) for name in names[1:]]
    row = rows("incidents", *facts)[str(uid("A"))]
    assert (row["threats"], row["more_threats"]) == ([str(uid(name)) for name in "abc"], 4)
    assert (row["entities"], row["more_entities"]) == (["10.0.0.5", "10.0.0.6"], 0)
    taken = rows("incidents", *facts, detected("z"), opened("B", "z"), merged("A", "B"))[str(uid("B"))]
    assert len(taken["threats"]) == 3


def test_later_columns_that_say_nothing_are_no_part_of_the_digest():
    plain = rows("threats", detected("a"))[str(uid("a"))]
    assert set(plain) - set(told(threats.VIEW, {**plain, "contributions": "[]"})) == set(threats.VIEW.later)
    log = open_log("memory:", lambda: NOON)
    log.append(drafts(detected("a")))
    before = digest_of(threats.VIEW, catalog.replay(follow(log))["threats"])
    log.append(drafts(assessed("a", 7.1), start=NOON + 99))
    assert digest_of(threats.VIEW, catalog.replay(follow(log))["threats"]) != before
