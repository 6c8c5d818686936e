"""Whatever operators, detectors and time do in whatever order: what the gate promises holds for every action."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.facts.assessment import ThreatSuppressed
from domain.facts.incident import IncidentResolved
from domain.facts.threat import ThreatContinued
from domain.gate import ApprovalRule
from domain.journal import follow
from domain.targets import network_of
from domain.values import HOUR, MINUTE, SECOND
from tests.projections.story import totals
from tests.responses.world import ACT, BLOCK, Site, asking, uid

NEVER = ip_network("198.51.100.0/24")
PEERS = [f"203.0.113.{n}" for n in range(8)] + [
    "198.51.100.7",
    "127.0.0.1",
    "::ffff:198.51.100.9",
    "2001:db8::7",
    "ff02::1",
]
LIMIT, RATE, MOST = 4, 6, 30 * MINUTE
POLICY = replace(
    ACT,
    gate=replace(
        ACT.gate, max_targets=LIMIT, rate=RATE, max_ttl=MOST, approvals=(ApprovalRule(below="critical", verb="deny"),)
    ),
    approval_timeout=20 * MINUTE,
)


MODES = st.sampled_from(["act", "act", "act", "suggest", "observe"])
RISKS = st.sampled_from([9.5, 9.5, 9.5, 8.0, 6.0])
SELDOM = st.sampled_from([False, False, False, True])


class Swarm(RuleBasedStateMachine):
    """A responder in a world where commands come in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.peers = {}

    @initialize(mode=MODES, asks=SELDOM, ttl=st.sampled_from([MINUTE, 20 * MINUTE, 2 * HOUR, 0]))
    def begin(self, mode, asks, ttl):
        steps = tuple(replace(step, ttl=ttl) for step in BLOCK.steps)
        playbook = replace(BLOCK, steps=steps)
        self.site = Site(replace(POLICY, gate=replace(POLICY.gate, mode=mode)), asking(playbook) if asks else playbook)
        self.asks = asks
        self.modes = [mode]

    @rule(peers=st.lists(st.sampled_from(PEERS), min_size=1, max_size=6, unique=True), risk=RISKS, later=SELDOM)
    def an_incident_opens(self, peers, risk, later):
        self.count += 1
        self.peers[uid(self.count)] = tuple(peers)
        self.site.incident(self.count, entity=f"10.0.0.{self.count % 200 + 1}", peers=tuple(peers), risk=risk)
        if not later:
            self.site.work()

    @rule(which=st.integers(0, 50), said=st.sampled_from(["approve", "approve", "reject", "undo"]), later=SELDOM)
    def an_operator_speaks(self, which, said, later):
        known = self.site.responses()
        if known:
            getattr(self.site, said)(known[-1 - which % len(known)])
        if not later:
            self.site.work()

    @rule(which=st.integers(1, 50), said=st.sampled_from(["correct", "incorrect"]))
    def a_verdict_is_given(self, which, said):
        if self.count:
            self.site.verdict(which % self.count + 1, said)

    @rule(which=st.integers(1, 50), later=st.sampled_from([0, MINUTE, HOUR]))
    def a_threat_goes_on(self, which, later):
        if self.count:
            threat = uid(which % self.count + 1)
            told = {**totals(which % self.count + 1), "peers": self.peers[threat], "last_seen": self.site.now + later}
            self.site.record(f"threat/{threat}", ThreatContinued(**told), workflow=threat)

    @rule(which=st.integers(1, 50), covered=st.booleans())
    def an_incident_is_over(self, which, covered):
        if self.count:
            name = which % self.count + 1
            if covered:
                fact = ThreatSuppressed(threat=uid(name), suppression=uid("s"), reason="known")
                self.site.record(f"assessment/{uid(name)}", fact)
            incident = uid(f"incident {name}")
            self.site.record(f"incident/{incident}", IncidentResolved(incident=incident, reason="done"), "operator:x")

    @rule(which=st.integers(1, 50))
    def an_exception_covers_one_threat(self, which):
        if not self.count:
            return
        threat = uid(which % self.count + 1)
        fact = ThreatSuppressed(threat=threat, suppression=uid("s"), reason="known")
        self.site.record(f"assessment/{threat}", fact)
        self.site.work()
        for response in self.site.agent.mind.state.responses.values():
            if response.proposed.threat == threat:  # nothing waits, and what is in force is to be taken back
                assert response.begun
                assert all(held.undo or held.state in {"refused", "undone"} for held in response.actions.values())

    @rule(mode=MODES)
    def an_operator_changes_the_mode(self, mode):
        self.site.mode(mode)

    @rule(span=st.sampled_from([SECOND, 10 * MINUTE, HOUR]))
    def time_goes_by(self, span):
        self.site.now += span

    @rule(verbs=st.sampled_from([set(), set(), {"check"}, {"execute"}, {"effect"}, {"undo"}, {"execute", "undo"}]))
    def the_actuator_breaks_or_heals(self, verbs):
        self.site.wall.broken = verbs

    @rule()
    def the_responder_works(self):
        self.site.work()

    @rule()
    def the_process_dies_before_an_effect(self):
        self.site.agent._hand_out = lambda: None
        self.site.agent.catch_up()
        self.site.start()

    @invariant()
    def every_action_keeps_what_the_gate_promises(self):
        if not hasattr(self, "site"):
            return
        proposed, consented, live, started = {}, set(), {}, []
        for facts in follow(self.site.journal):
            for recorded in facts:
                fact = recorded.fact
                match fact.kind:
                    case "response-proposed":
                        proposed[fact.response] = fact
                    case "response-approved" if recorded.actor.startswith("operator:"):
                        consented.add(fact.response)
                    case "action-started":
                        self.holds(fact, recorded, proposed, consented)
                        live[fact.action] = fact.target
                        started.append(recorded.occurred_at)
                        assert len(set(live.values())) <= LIMIT
                        assert sum(recorded.occurred_at - at < HOUR for at in started) <= RATE
                    case "action-undone":
                        live.pop(fact.action, None)
        for target in self.site.wall.blocked:
            assert not network_of(target).overlaps(NEVER) if network_of(target).version == 4 else True

    def holds(self, fact, recorded, proposed, consented):
        network = network_of(fact.target)
        assert not network.is_loopback
        assert not network.is_multicast
        assert network.version == 6 or not network.overlaps(NEVER)
        span = fact.expires_at - recorded.occurred_at
        assert 0 < span <= MOST
        of = proposed[fact.response]
        assert of.mode != "observe" or fact.response in consented
        if self.asks or of.level != "critical" or of.mode == "suggest":
            assert fact.response in consented

    def teardown(self):
        if not hasattr(self, "site"):
            return
        self.site.wall.broken = set()
        for _ in range(4):
            self.site.later(2 * HOUR)
        assert self.site.wall.blocked == {}
        assert not self.site.agent.mind.state.live


Swarm.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSwarm = Swarm.TestCase
