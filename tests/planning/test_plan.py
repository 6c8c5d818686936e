"""`incidents plan`: responders over the incidents of a home."""

from __future__ import annotations

from domain.facts.response import Estimate
from engine.planning.playbook_choice import State, learn
from engine.planning.proposal import BY_HAND, Open, Responder, Start, propose
from tests.cli_read.conftest import Shell, empty, shell  # noqa: F401 - fixtures

WAITING = [Open(incident=f"i{n}", kind="beacon", risk=4.0 + n) for n in range(4)]


def test_without_capacity_for_all_the_gravest_are_taken():
    made = propose(WAITING, [Responder(name="ana", hours=4.0)], State(), Start())
    assert {each.incident for each in made.assignments if each.responder == "ana"} == {"i3", "i2"}
    assert made.plan.proven


def test_nobody_takes_what_is_not_among_the_skills():
    made = propose(WAITING, [Responder(name="ana", hours=40.0, skills=("flood",))], State(), Start())
    assert [each.responder for each in made.assignments] == [None] * 4
    assert made.assignments[0].cost is None


def test_the_order_of_incidents_and_responders_decides_nothing():
    team = [Responder(name=name, hours=4.0) for name in ("bo", "ana", "cy")]
    first, other = propose(WAITING, team, State(), Start()), propose(WAITING[::-1], team[::-1], State(), Start())
    assert first == other


def test_hours_and_success_are_learned_from_what_people_ended():
    state = State()
    for _ in range(30):
        state = learn(state, "beacon", "", BY_HAND, success=False, seconds=6 * 3600.0, cost=0.0)
    (told,) = propose(WAITING[:1], [Responder(name="ana", hours=40.0, rate=2.0)], state, Start()).assignments
    assert 5.0 < told.hours.mean < 6.0
    assert told.success.mean < 0.4
    assert isinstance(told.cost, Estimate)
    assert told.cost.mean == 2 * told.hours.mean


def test_the_command_proposes_who_takes_the_open_incident(shell):  # noqa: F811 - the fixture
    (shell.home / "config.toml").write_text('[[planning.responders]]\nname = "ana"\n')
    told = shell.json("incidents", "plan")
    (assignment,) = told["assignments"]
    (incident,) = shell.json("incidents", "list")
    assert (assignment["incident"], assignment["responder"]) == (incident["id"], "ana")
    assert assignment["hours"]["low"] < assignment["hours"]["mean"] < assignment["hours"]["high"]
    assert told["proven"]
    assert "ana" in shell.run("incidents", "plan").stdout


def test_the_command_says_what_to_set_when_nobody_is_named(shell):  # noqa: F811 - the fixture
    assert "[[planning.responders]]" in shell.run("incidents", "plan").stdout


def test_a_home_without_a_log_has_an_empty_plan(empty):  # noqa: F811 - the fixture
    assert empty.json("incidents", "plan")["assignments"] == []
