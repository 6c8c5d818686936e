"""Beside the responder: stalled workflows, what this machine needs, which playbook is chosen and learned."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from uuid import UUID

import pytest

from adapters.log import open_log
from adapters.own import own_infrastructure
from adapters.playbooks import load_playbooks
from adapters.views import Views
from agents.region.decide import Observe, decide
from agents.responder.ports import ActuatorError
from agents.responder.respond_state import Suspect
from config.actuators import PlaybookSettings
from config.home import Home
from config.response import ResponseSettings
from config.settings import Settings
from domain.facts.assessment import ThreatSuppressed
from domain.facts.incident import IncidentContained, IncidentResolved
from domain.facts.response import ActionStarted, ActionUndone, ActionVerified, ResponseExpired, ResponseProposed
from domain.facts.threat import ThreatContinued, VerdictGiven
from domain.gate import GatePolicy, admit
from domain.values import HOUR, MINUTE, SECOND
from scheduler.choosing import Selector
from scheduler.crew import crew
from scheduler.probes import Probes
from scheduler.stalls import StallWatch
from tests.projections.story import assessed, continued, proposed, uid
from tests.responses.chosen import BLOCK
from tests.responses.test_gate import action, request
from tests.responses.world import T0, Site, asking


def watched(site: Site, folder) -> tuple[Views, StallWatch]:
    views = Views.open(str(folder), site.journal)
    return views, StallWatch(site.journal, views, lambda: site.now, 900.0)


def test_a_workflow_that_waits_too_long_is_said_once_with_what_it_waits_for(tmp_path):
    site = Site(playbook=asking())
    views, watch = watched(site, tmp_path)
    with closing(views):
        site.incident("a")
        site.work()
        site.now += 10 * MINUTE
        views.catch_up(site.journal)
        assert watch.look() is None
        site.now += 10 * MINUTE
        assert watch.look() == "1 workflow is stalled"
        views.catch_up(site.journal)
        assert watch.look() is None
        [stalled] = site.all("workflow-stalled")
        assert (stalled.workflow, stalled.waiting_for) == (uid("a"), "an answer to the proposed response")
        assert watch.faults()
        site.approve(site.responses()[0])
        site.work()
        views.catch_up(site.journal)
        assert watch.faults() == []


def test_a_workflow_whose_actions_are_in_force_waits_for_nothing(tmp_path):
    site = Site()
    views, watch = watched(site, tmp_path)
    with closing(views):
        site.incident("a")
        site.work()
        site.now += HOUR // 10
        views.catch_up(site.journal)
        [workflow] = views.list_workflows()
        assert (workflow["status"], workflow["waiting"], workflow["errors"]) == ("open", [], 0)
        site.later(HOUR)
        views.catch_up(site.journal)
        assert watch.look() is None


@pytest.mark.parametrize("ends", ["stop", "exception"])
def test_a_workflow_waits_no_more_for_a_response_that_a_stop_or_an_exception_withdrew(tmp_path, ends):
    site = Site(playbook=asking())
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        site.incident("a")
        site.work()
        if ends == "stop":
            site.mode("observe")
        else:
            covered = ThreatSuppressed(threat=uid("a"), suppression=uid("s"), reason="known")
            site.record(f"assessment/{uid('a')}", covered, workflow=uid("s"))
        assert [fact.kind for fact in site.work()] == ["response-rejected"]
        views.catch_up(site.journal)
        [workflow] = [each for each in views.list_workflows() if each["id"] == str(uid("a"))]
        assert (workflow["waiting"], workflow["steps"][-1]["what"]) == ([], "response-rejected")


def test_a_workflow_is_done_when_its_threat_is_too_slight_for_an_incident_and_opens_when_it_grows(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:

        def status() -> str:
            views.catch_up(site.journal)
            [workflow] = views.list_workflows()
            return workflow["status"]

        site.threat("a")
        assert status() == "open"
        stream, fact = assessed("a", 3.0)
        site.record(stream, fact, "responder", uid("a"))
        assert status() == "done"
        site.link(uid("incident b"), "a")
        assert status() == "open"


def test_the_end_of_an_incident_ends_the_workflows_of_all_its_threats(tmp_path):
    site = Site(playbook=replace(BLOCK, kinds=("exfiltration",)))
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        incident = site.incident("a")
        site.threat("b")
        site.link(incident, "b")
        site.record(f"incident/{incident}", IncidentResolved(incident=incident, reason="x"), "operator:x", uid("a"))
        views.catch_up(site.journal)
        assert {each["status"] for each in views.list_workflows()} == {"done"}
        assert len(views.list_workflows(status="done")) == 2
        assert views.list_workflows(status="open") == []


def test_an_undo_that_fails_is_waited_for_and_degrades_health(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        site.incident("a")
        site.work()
        site.wall.broken = {"undo"}
        site.later(10 * MINUTE)
        views.catch_up(site.journal)
        [workflow] = views.list_workflows()
        assert (workflow["status"], workflow["waiting"]) == ("waiting", ["an action to be taken back"])
        [response] = views.list_responses()
        assert (response["status"], response["actions"][0]["state"]) == ("undoing", "undoing")
        [report] = decide(Observe(region="r", feeds=1, silent_feeds=(), faults=tuple(site.agent.faults())), None)
        assert report.health == "degraded"
        site.wall.broken = set()
        site.now += HOUR
        site.work()
        views.catch_up(site.journal)
        assert views.list_responses()[0]["status"] == "undone"
        assert views.list_workflows()[0]["waiting"] == []


@pytest.mark.parametrize(("broken", "state"), [("check", "failed"), ("execute", "undone")])
def test_a_response_that_was_given_up_failed_whether_it_was_sent_or_not(tmp_path, broken, state):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        site.wall.broken = {broken}
        site.incident("a")
        site.work()
        views.catch_up(site.journal)
        assert views.list_responses()[0]["status"] == "failing"
        for _ in range(6):
            site.later(10 * SECOND)
        views.catch_up(site.journal)
        [response] = views.list_responses()
        assert (response["status"], response["actions"][0]["state"]) == ("failed", state)
        assert response["actions"][0]["error"].startswith(f"{broken}: {broken} does not work")


def test_rates_count_what_was_contained_and_leave_false_alarms_out(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        site.incident("a")
        site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
        site.work()
        site.verdict("b", "incorrect")
        site.wall.broken = {"execute"}
        site.incident("c", entity="10.0.0.7", peers=("203.0.113.30",))
        for _ in range(4):
            site.later(10 * SECOND)
        site.wall.broken = set()
        site.later(HOUR)
        views.catch_up(site.journal)
        [rate] = views.playbook_rates()
        assert {name: rate[name] for name in ("proposed", "begun", "contained", "failed", "wrong", "success_rate")} == {
            "proposed": 3, "begun": 3, "contained": 1, "failed": 1, "wrong": 1, "success_rate": 0.5,
        }  # fmt: skip


def test_what_operators_took_back_early_is_neither_a_success_nor_a_failure_unless_they_resolved_the_incident(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        site.incident("a")
        resolved = site.incident("b", entity="10.0.0.6", peers=("203.0.113.20",))
        site.work()
        site.record(f"incident/{resolved}", IncidentResolved(incident=resolved, reason="cleaned"), "operator:x")
        for response in site.responses():
            site.undo(response)
        site.work()
        views.catch_up(site.journal)
        [rate] = views.playbook_rates()
        assert (rate["contained"], rate["succeeded"], rate["failed"], rate["success_rate"]) == (2, 1, 0, 1.0)


def test_this_machine_its_gateways_and_resolvers_and_the_hosts_of_the_settings_are_never_blocked(tmp_path):
    (tmp_path / "route").write_text("Iface Destination Gateway\neth0 00000000 010200C0 0003\n")
    (tmp_path / "ipv6_route").write_text(f"{'0' * 32} 00 {'0' * 32} 00 20010db8{'0' * 23}1 0 0 0 0 eth0\n")
    (tmp_path / "if_inet6").write_text(f"20010db8{'0' * 23}2 02 40 00 80 eth0\n")
    (tmp_path / "fib_trie").write_text(
        "  |-- 192.0.2.2\n     /32 host LOCAL\n  |-- 192.0.2.255\n     /32 link BROADCAST\n"
    )
    (tmp_path / "resolv.conf").write_text("# x\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n")
    settings = {"log": {"dsn": "postgresql://u@192.0.2.5:5432/x"}, "list": ["https://192.0.2.6/hook", "plain"]}
    settings |= {
        "channels": {"arch": {"kind": "syslog", "host": "192.0.2.7", "port": 6514}, "mail": {"host": "[2001:db8::7]"}}
    }
    own = own_infrastructure(settings, proc=tmp_path, resolvers=tmp_path / "resolv.conf")
    wanted = {"192.0.2.1", "192.0.2.2", "192.0.2.53", "192.0.2.5", "192.0.2.6", "192.0.2.7"}
    wanted |= {"2001:db8::1", "2001:db8::2", "2001:db8::7", "fe80::1"}
    assert wanted <= set(own)
    assert "192.0.2.255" not in own
    policy = GatePolicy(mode="act", never_block=own)
    for address in wanted:
        assert admit(policy, request(action(address)), _nothing()).check == "never-block"


def test_what_cannot_be_read_is_left_out(tmp_path):
    assert isinstance(own_infrastructure({}, proc=tmp_path, resolvers=tmp_path / "no"), tuple)


def _nothing():
    from domain.gate import Standing

    return Standing()


BEACON = Suspect(
    threat=uid("t"), entity="10.0.0.5", kind="beacon", level="high", risk=8.0, peers=("203.0.113.9", "c2.example")
)


def selector(kinds_of=lambda playbook: True) -> Selector:
    return Selector(load_playbooks(PlaybookSettings()), kinds_of, ("10.0.0.0/8",))


def test_a_choice_names_its_candidates_and_how_probable_it_was():
    choice = selector().choose(BEACON, "inside", "high", UUID(int=7))
    assert choice is not None
    assert choice.playbook.name in choice.candidates
    assert 0 < choice.propensity <= 1
    assert "beacon" in choice.playbook.kinds
    again = selector().choose(BEACON, "inside", "high", UUID(int=7))
    assert again == choice


def test_a_playbook_without_a_target_here_or_without_an_actuator_is_no_candidate():
    tunnel = replace(BEACON, kind="dns-tunnel", peers=("203.0.113.9",))
    names = replace(tunnel, peers=("tunnel.example",))
    all_of = selector()
    assert "deny-tunnel-domain" in all_of.choose(names, "", "high", UUID(int=1)).candidates
    assert "deny-tunnel-domain" not in all_of.choose(tunnel, "", "high", UUID(int=1)).candidates
    assert selector(lambda playbook: False).choose(BEACON, "", "high", UUID(int=1)) is None


def test_a_playbook_against_the_other_side_is_no_candidate_where_the_other_side_is_ours():
    attacked = replace(BEACON, kind="rule-match", entity="203.0.113.9", peers=("10.20.0.41", "::ffff:10.20.0.42"))
    calling = replace(attacked, entity="10.20.0.41", peers=("203.0.113.9",))
    known = selector()
    candidates = known.choose(attacked, "outside", "high", UUID(int=1)).candidates
    assert "block-command-server" not in candidates
    assert "block-command-server" in known.choose(calling, "inside", "high", UUID(int=1)).candidates


def test_why_no_playbook_fits_is_told_with_what_to_do():
    ours = replace(BEACON, kind="rule-match", entity="203.0.113.9", peers=("10.20.0.41",))
    of_dns = PlaybookSettings()
    known = {name: each for name, each in load_playbooks(of_dns).items() if name == "block-command-server"}
    networks = ("10.0.0.0/8",)
    aimless, unfit, none = Selector(known, lambda _: True, networks), selector(lambda _: False), Selector({}, bool)
    assert "block-command-server would have no target here" in aimless.lacking(ours)
    assert "no actuator here can carry out block-command-server" in unfit.lacking(BEACON)
    assert "beacon of 10.0.0.5: none answers that kind: put one into [playbooks] dir" in none.lacking(BEACON)


class Probed:
    """An actuator as far as a probe sees it."""

    def __init__(self) -> None:
        self.asked, self.works = 0, False

    def probe(self) -> None:
        self.asked += 1
        if not self.works:
            raise ActuatorError("the namespace is\nnot there")


def test_an_actuator_that_cannot_work_is_told_at_the_start_and_no_more_when_it_works():
    broken, said = Probed(), []
    probes = Probes({"firewall": broken, "dns": object()}, said.append)
    probes.begin(5.0)
    assert said == [
        "actuator firewall does not work: the namespace is not there; until then every response that needs it fails"
    ]
    broken.works = True
    assert probes.faults() == ["actuator firewall does not work: the namespace is not there"]
    until = time.monotonic() + 5
    while probes.faults() and time.monotonic() < until:
        time.sleep(0.01)
    assert (probes.faults(), len(said)) == ([], 1)


@pytest.mark.parametrize(("mode", "live", "told"), [("act", True, 1), ("observe", True, 0), ("act", False, 0)])
def test_a_run_asks_the_actuators_and_a_command_or_who_only_observes_does_not(tmp_path, mode, live, told):
    gone = {"firewall": {"type": "nftables", "program": "nft-that-is-not-there"}}
    settings = Settings(response=ResponseSettings(mode=mode), actuators=gone)
    said: list[str] = []
    with ExitStack() as stack:
        log = open_log("memory:", lambda: T0)
        stack.callback(log.close)
        agents = crew(log, settings, Home(tmp_path, environ={}), stack, lambda: T0, warn=said.append, live=live)
        faults = [fault for agent in agents for fault in agent.faults()]
    assert len(said) == len(faults) == told
    assert all("actuator firewall does not work: firewall: nft-that-is-not-there is not there" in line for line in said)


def outcome(
    of: Selector, name: str, playbook: str, *, goes_on: bool = False, dry: bool = False, end: str = "ttl"
) -> None:
    """A response with that playbook that was contained (or only rehearsed) and came to its end."""
    _, fact = proposed(name, name)
    of.learn(replace(fact, playbook=playbook, incident=uid(f"incident {name}")), T0)
    if not dry:
        of.learn(IncidentContained(incident=uid(f"incident {name}"), response=uid(name)), T0 + SECOND)
    if goes_on:
        more = continued(name)[1]
        assert isinstance(more, ThreatContinued)
        of.learn(replace(more, last_seen=T0 + HOUR), T0 + HOUR)
    before = {
        "verdict": VerdictGiven(threat=uid(name), verdict="incorrect", confidence=1.0, correction=""),
        "exception": ThreatSuppressed(threat=uid(name), suppression=uid("X"), reason="known"),
        "expired": ResponseExpired(response=uid(name)),
        "resolved": IncidentResolved(incident=uid(f"incident {name}"), reason="cleaned"),
    }.get(end)
    if before is not None:
        of.learn(before, T0 + HOUR)
    reason = end if end in {"verdict", "operator", "stop", "failure"} else "ttl"
    of.learn(ActionUndone(response=uid(name), action=uid("act"), reason=reason, evidence=""), T0 + 2 * HOUR)


def lesser(
    of: Selector, name: str, playbook: str, *, goes_on: bool = False, lost: bool = False, by: str = "nftables"
) -> None:
    """A response with that playbook to a threat that is not the gravest of its incident: its time runs out."""
    _, fact = proposed(name, name)
    assert isinstance(fact, ResponseProposed)
    of.learn(replace(fact, playbook=playbook), T0)
    both = {"response": uid(name), "action": uid("act")}
    of.learn(ActionStarted(**both, target="203.0.113.9/32", expires_at=T0 + 2 * HOUR, by=by), T0)
    of.learn(ActionVerified(**both, in_force=True, evidence=""), T0 + SECOND)
    if lost:
        of.learn(ActionVerified(**both, in_force=False, evidence=""), T0 + MINUTE)
    if goes_on:
        more = continued(name)[1]
        assert isinstance(more, ThreatContinued)
        of.learn(replace(more, last_seen=T0 + HOUR), T0 + HOUR)
    of.learn(ActionUndone(**both, reason="ttl", evidence=""), T0 + 2 * HOUR)


@pytest.mark.parametrize(
    ("how", "better"),
    [
        ({}, True), ({"goes_on": True}, False), ({"lost": True}, None), ({"lost": True, "goes_on": True}, None),
        ({"by": "dry-run"}, None), ({"by": ""}, None),
    ],
    ids=str,
)  # fmt: skip
def test_a_response_to_a_lesser_threat_has_an_outcome_of_its_own(how, better):
    known, taught = selector(), selector()
    before = known.choose(BEACON, "inside", "high", UUID(int=3))
    for n in range(20):
        lesser(taught, f"r{n}", before.playbook.name, **how)
    chosen = (taught.choose(BEACON, "inside", "high", UUID(int=n)) for n in range(2000))
    after = next(choice for choice in chosen if choice.playbook.name == before.playbook.name)
    assert (after.success.mean > before.success.mean, after.success == before.success) == (
        better or False,
        better is None,
    )


def test_what_did_not_stop_the_threat_is_chosen_less():
    known = selector()
    before = known.choose(BEACON, "inside", "high", UUID(int=3))
    for n in range(40):
        outcome(known, f"r{n}", before.playbook.name, goes_on=True)
    after = [known.choose(BEACON, "inside", "high", UUID(int=n)).playbook.name for n in range(50)]
    assert after.count(before.playbook.name) < 10


@pytest.mark.parametrize(
    "how",
    [
        {"end": "verdict"}, {"end": "verdict", "goes_on": True}, {"end": "exception"}, {"end": "expired"},
        {"end": "operator"}, {"end": "stop"}, {"dry": True}, {"end": "resolved", "dry": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_observed_teaches_nothing(how):
    known, taught = selector(), selector()
    for n in range(20):
        outcome(taught, f"r{n}", "block-command-server", **how)
    assert taught.choose(BEACON, "inside", "high", UUID(int=3)) == known.choose(BEACON, "inside", "high", UUID(int=3))


@pytest.mark.parametrize(
    ("how", "better"),
    [
        ({"end": "resolved"}, True), ({"end": "resolved", "goes_on": True}, False), ({"end": "ttl"}, True),
        ({"end": "operator", "goes_on": True}, False), ({"end": "stop", "goes_on": True}, False),
        ({"end": "failure", "dry": True}, False),
    ],
    ids=str,
)  # fmt: skip
def test_an_end_that_shows_how_well_it_worked_is_learned(how, better):
    known, taught = selector(), selector()
    before = known.choose(BEACON, "inside", "high", UUID(int=3))
    for n in range(20):
        outcome(taught, f"r{n}", before.playbook.name, **how)
    chosen = (taught.choose(BEACON, "inside", "high", UUID(int=n)) for n in range(2000))
    after = next(choice for choice in chosen if choice.playbook.name == before.playbook.name)
    assert (after.success.mean > before.success.mean) is better
