"""An exception that covers one of several threats of an incident: what is done against that one ends."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from adapters.log import open_log
from domain.facts.assessment import ThreatAssessed, ThreatSuppressed
from domain.facts.incident import ThreatLinked
from domain.facts.threat import ThreatContinued
from domain.journal import Draft
from tests.projections.story import detected, totals, uid
from tests.responses.test_end_to_end import ATTACKER, home, myrmidon
from tests.responses.world import HOUR, MINUTE, Site, asking, kinds


def two(site: Site, *, peer: str = "203.0.113.20") -> UUID:
    """An incident of two threats, a response to each; returns its id."""
    incident = site.incident("a")
    site.threat("b", peers=(peer,))
    site.link(incident, "b")
    site.work()
    return incident


def cover(site: Site, name: str) -> None:
    site.record(f"assessment/{uid(name)}", ThreatSuppressed(threat=uid(name), suppression=uid("s"), reason="known"))


def goes_on(site: Site, name: str) -> None:
    seen = {**totals(name), "last_seen": site.now, "peers": ("203.0.113.20",)}
    site.record(f"threat/{uid(name)}", ThreatContinued(**seen), workflow=uid(name))


def link(site: Site, incident: UUID, name: str, reason: str) -> None:
    site.record(
        f"incident/{incident}",
        ThreatLinked(
            incident=incident, threat=uid(name), reason=reason, title="t", level="high", risk=8.0, entity="10.0.0.5"
        ),
        "responder",
        uid(name),
    )


def test_only_what_is_in_force_against_the_covered_threat_is_taken_back():
    site = Site()
    two(site)
    cover(site, "b")
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    assert [fact.reason for fact in site.all("action-undone")] == ["exception"]


def test_a_target_that_an_uncovered_threat_wants_too_stays_blocked():
    site = Site()
    two(site, peer="203.0.113.9")
    cover(site, "b")
    site.work()
    assert set(site.wall.blocked) == {"203.0.113.9/32"}
    site.later(10 * MINUTE)
    assert site.wall.blocked == {}


def test_an_incident_whose_gravest_threat_is_covered_is_contained_by_what_holds_the_next_one_back():
    site = Site()
    incident = site.incident("a", peers=())
    weighed = ThreatAssessed(threat=uid("a"), risk=9.0, level="critical", contributions=())
    site.record(f"assessment/{uid('a')}", weighed)
    site.record("threat/b", replace(detected("b", entity="10.0.0.5", risk=7.2)[1], peers=("203.0.113.20",)))
    site.link(incident, "b")
    site.work()
    assert site.all("incident-contained") == []
    cover(site, "a")
    assert "incident-contained" in kinds(site.work())


def test_when_the_exception_is_over_what_goes_on_is_answered_again():
    site = Site()
    incident = two(site)
    cover(site, "b")
    site.work()
    site.now += MINUTE
    goes_on(site, "b")
    assert site.work() == []
    link(site, incident, "b", "merged")
    assert site.work() == []
    link(site, incident, "b", "uncovered")
    assert "action-verified" in kinds(site.work())
    assert set(site.wall.blocked) == {"203.0.113.9/32", "203.0.113.20/32"}


def test_what_waits_for_an_answer_to_the_covered_threat_is_withdrawn_with_the_name_of_the_exception():
    site = Site(playbook=asking())
    two(site)
    cover(site, "b")
    [rejected] = site.work()
    assert rejected.response == site.responses()[1]
    assert rejected.reason == f"an exception covers its threat ({str(uid('s'))[:8]}: known)"


def threaten(place: Path, name: str, *, kind: str = "password-guessing", last_seen: int | None = None) -> str:
    """A grave threat of one attacker, or that it goes on; returns its id."""
    now = time.time_ns() // 1000
    fact = detected(name, entity=ATTACKER, risk=8.0)[1]
    about = {"threat_kind": kind, "peers": ("192.168.7.7",), "title": f"{kind} by {ATTACKER}"}
    fact = replace(fact, **about, first_seen=now, last_seen=now)
    if last_seen is not None:
        fact = ThreatContinued(**{**totals(name), **about, "entity": ATTACKER, "risk": 8.0, "last_seen": last_seen})
    with closing(open_log(place / "log.db", lambda: now)) as log:
        log.append(
            [
                Draft(
                    event_id=uid((name, last_seen)), stream=f"threat/{fact.threat}", fact=fact, occurred_at=now,
                    actor="detector", correlation=fact.threat,
                )
            ]
        )  # fmt: skip
    return str(fact.threat)


def test_operators_see_what_an_exception_to_one_of_two_threats_ends_and_cannot_approve_it(tmp_path):
    place = home(tmp_path, mode="suggest")
    first, second = threaten(place, "t"), threaten(place, "u", kind="horizontal-scan")
    assert myrmidon(place, "responses", "mode", "suggest").code == 0
    of = {each["threat"]: each["id"][:8] for each in myrmidon(place, "responses", "list").json}
    assert set(of) == {first, second}
    assert myrmidon(place, "responses", "approve", of[first]).code == 0

    scope = ("--kind", "horizontal-scan")
    told = myrmidon(place, "suppress", "add", *scope, "--dry-run", as_json=False).out
    assert "1 threat stays in an open incident with others" in told
    assert "1 waiting response would be withdrawn: `myrmidon responses list`" in told
    made = myrmidon(place, "suppress", "add", *scope, "--for", "1h", "--reason", "our scanner").json
    assert (made["preview"]["waiting"], made["preview"]["running"], made["preview"]["stay"]) == (1, 0, 1)
    late = myrmidon(place, "responses", "approve", of[second])
    assert (late.code, late.out) == (1, "")
    assert f"response {of[second]} was rejected (an exception covers its threat ({made['id'][:8]}: our" in late.err
    assert [each["id"] for each in myrmidon(place, "threats", "list", "--status", "suppressed").json] == [second]
    assert [each["title"] for each in myrmidon(place, "incidents", "list").json] == [f"password-guessing by {ATTACKER}"]

    again = myrmidon(place, "suppress", "add", *scope, "--dry-run").json["preview"]
    assert (again["covered"], again["stay"], again["waiting"]) == (1, 0, 0)
    made = myrmidon(place, "suppress", "add", "--kind", "password-guessing", "--for", "1h", "--reason", "a test").json
    assert (made["preview"]["waiting"], made["preview"]["running"]) == (0, 1)
    [undone] = myrmidon(place, "responses", "list", "--status", "undone").json
    assert (undone["id"][:8], undone["undone_because"]) == (of[first], "exception")


def test_a_removed_exception_brings_the_proposal_back_when_the_threat_goes_on(tmp_path):
    place = home(tmp_path, mode="suggest")
    threaten(place, "t")
    second = threaten(place, "u", kind="horizontal-scan")
    made = myrmidon(place, "suppress", "add", "--kind", "horizontal-scan", "--for", "1h", "--reason", "ours").json
    threaten(place, "u", kind="horizontal-scan", last_seen=time.time_ns() // 1000)
    myrmidon(place, "responses", "mode", "suggest")
    waiting = myrmidon(place, "responses", "list", "--status", "proposed").json
    assert second not in {each["threat"] for each in waiting}
    assert myrmidon(place, "suppress", "remove", made["id"][:8]).code == 0
    threaten(place, "u", kind="horizontal-scan", last_seen=time.time_ns() // 1000 + HOUR // 60)
    myrmidon(place, "responses", "mode", "suggest")
    waiting = myrmidon(place, "responses", "list", "--status", "proposed").json
    assert second in {each["threat"] for each in waiting}
    assert myrmidon(place, "audit", "replay").code == 0
