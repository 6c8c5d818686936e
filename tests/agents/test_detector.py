"""The detector's decider and its ledger."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from agents.detector.cuts import Cuts
from agents.detector.decide import MOST_SCANS, Sight, State, Versions, decide, evolve, forget
from agents.detector.ledger import Ledger, Rows
from agents.detector.policy import Policy
from domain.facts.telemetry import BatchScored, FeedFault
from domain.facts.threat import ThreatContinued, ThreatDetected
from domain.sighting import MOST_PEERS, OTHERS, Feature, Flow, RuleHit, Sighting
from domain.values import DAY, HOUR, MINUTE, SECOND

VERSIONS = Versions(model="m1", rules="r1", settings="s1")
T0 = 1_700_000_000 * SECOND


def sighting(score: float = 1.0, *, at: int = T0, entity: str = "10.0.0.1", evidence: str = "ab") -> Sighting:
    return Sighting(
        row=7,
        at=at,
        kind="horizontal-scan",
        entity=entity,
        score=score,
        first_seen=at,
        last_seen=at,
        peers=("10.0.0.2", "10.0.0.3"),
        flow_count=30,
        flows=(Flow(ts=at, src_ip=entity, src_port=4, dst_ip="10.0.0.2", dst_port=445, proto="tcp"),),
        features=(),
        votes=(),
        evidence=evidence,
    )


def run(*sightings: Sighting, policy: Policy = Policy()) -> list[object]:  # noqa: B008 - a frozen default
    state, facts = State(), []
    for seen in sightings:
        for fact in decide(policy, Sight(feed="f", sighting=seen, versions=VERSIONS), state):
            state = evolve(state, fact)
            facts.append(fact)
    return facts


def test_a_sighting_below_the_threshold_decides_nothing():
    assert run(sighting(0.99)) == []


def test_a_sighting_at_the_threshold_is_a_threat_that_names_the_versions():
    (fact,) = run(sighting(1.0))
    assert isinstance(fact, ThreatDetected)
    assert (fact.model_version, fact.rules_version, fact.settings_version) == ("m1", "r1", "s1")
    assert fact.title == "10.0.0.1 looked for one service on many hosts: 30 connections to 445/tcp, 2 hosts"
    assert fact.techniques == ("T1046", "T1595.001")


def test_what_follows_within_the_quiet_gap_continues_the_threat():
    first, second = run(sighting(1.0), sighting(4.0, at=T0 + 59 * MINUTE, evidence="cd"))
    assert isinstance(second, ThreatContinued)
    assert second.threat == first.threat
    assert second.risk > first.risk


def test_after_the_quiet_gap_it_is_another_threat():
    first, second = run(sighting(1.0), sighting(1.0, at=T0 + HOUR + SECOND, evidence="cd"))
    assert isinstance(second, ThreatDetected)
    assert second.threat != first.threat


def test_evidence_that_goes_on_after_a_pause_goes_on_under_the_same_threat():
    late = replace(sighting(2.0, at=T0 + 20 * HOUR), first_seen=T0)
    first, second = run(sighting(1.0), late)
    assert isinstance(second, ThreatContinued)
    assert second.threat == first.threat


def test_a_second_peer_is_a_threat_of_its_own_and_each_goes_on_by_itself():
    vendor = replace(sighting(4.0), kind="beacon", about="198.51.100.1")
    command = replace(vendor, about="203.0.113.9", score=2.0)
    facts = run(vendor, command, replace(vendor, at=T0 + MINUTE), replace(command, at=T0 + MINUTE))
    assert [type(fact) for fact in facts] == [ThreatDetected, ThreatDetected, ThreatContinued, ThreatContinued]
    assert [fact.about for fact in facts] == ["198.51.100.1", "203.0.113.9"] * 2
    assert facts[0].threat != facts[1].threat
    assert [fact.threat for fact in facts[2:]] == [fact.threat for fact in facts[:2]]


def test_a_scan_of_all_ports_is_a_bounded_number_of_threats():
    facts = run(*(replace(sighting(at=T0 + n), about=f"{n}/tcp") for n in range(500)))
    told = [fact for fact in facts if isinstance(fact, ThreatDetected)]
    assert len(told) == MOST_SCANS + 1
    assert (told[-1].about, len(facts)) == (OTHERS, 500)
    assert told[-1].title.endswith(", the gravest of the others")


def test_when_the_scans_of_an_hour_are_over_there_is_room_for_others():
    first = [replace(sighting(at=T0 + n), about=f"{n}/tcp") for n in range(20)]
    facts = run(*first, replace(sighting(at=T0 + 2 * HOUR, evidence="cd"), about="22/tcp"))
    assert (type(facts[-1]), facts[-1].about) == (ThreatDetected, "22/tcp")


def test_a_threat_that_began_earlier_than_was_known_says_so():
    first, second = run(sighting(1.0), replace(sighting(2.0, at=T0 + MINUTE), first_seen=T0 - MINUTE))
    assert (first.first_seen, second.first_seen) == (T0, T0 - MINUTE)


def test_less_grave_evidence_leaves_the_gravest_as_it_was():
    grave = replace(sighting(8.0, evidence="cd"), flow_count=160, peers=("10.0.0.9",))
    _, second, third = run(sighting(1.0), grave, sighting(2.0, at=T0 + MINUTE, evidence="ef"))
    assert (third.score, third.risk, third.title) == (second.score, second.risk, second.title)
    assert (third.flow_count, third.last_seen) == (160, T0 + MINUTE)


def test_a_threat_begins_no_later_than_its_first_flow():
    seen = sighting(1.0)
    earlier = replace(seen, flows=(replace(seen.flows[0], ts=T0 - HOUR),))
    assert run(earlier)[0].first_seen == T0 - HOUR


def measured(kind: str, count: int = 12_345, **features: tuple[float, str, float | None]) -> str:
    """The title of a sighting with these measurements, beginning behind its entity."""
    made = tuple(
        Feature(name=name.replace("_", " "), value=value, unit=unit, baseline=baseline)
        for name, (value, unit, baseline) in features.items()
    )
    seen = replace(sighting(), kind=kind, flow_count=count, peers=("evil.example",), features=made)
    return run(seen)[0].title.partition(": ")[2]


def test_a_title_says_what_was_measured():
    hosts = measured("horizontal-scan", hosts_that_did_not_answer=(243.0, "hosts", 10.0))
    assert hosts == "12,345 connections to 445/tcp, 243 hosts did not answer"
    assert measured("beacon") == "12,345 calls to evil.example, 445/tcp"
    assert measured("dns-tunnel", 1) == "1 query below evil.example"
    sent = measured("exfiltration", bytes_sent_to_the_peer=(3_600_000_000.0, "B", 1.0))
    assert sent == "3.6 GB to evil.example, 445/tcp"
    rates = {
        "connections_that_asked_for_nothing": (9000.4, "in 60 s", 6000.0),
        "share_of_such_connections": (1.0, "", 0.1),
        "unanswered_packets": (5000.0, "1/s", 2500.0),
    }
    assert measured("flood", **rates) == "5,000 unanswered packets a second at 445/tcp, 1 host on the other side"


def test_a_title_says_that_there_may_be_more_peers_than_are_kept():
    seen = replace(sighting(), kind="password-guessing", peers=tuple(f"10.0.1.{n}" for n in range(MOST_PEERS)))
    assert run(seen)[0].title.endswith("of 10.0.1.0 and at least 49 others")


def test_the_records_of_an_anomaly_are_those_of_the_window_whose_evidence_is_told():
    window = replace(sighting(4.0), kind="anomaly", flow_count=7)
    _, second = run(window, replace(window, score=2.0, flow_count=23, evidence="cd"))
    assert (second.flow_count, second.title.endswith("7 records in the window")) == (7, True)


def test_ended_threats_are_forgotten():
    state = State()
    for fact in decide(Policy(), Sight(feed="f", sighting=sighting(), versions=VERSIONS), state):
        state = evolve(state, fact)
    assert forget(Policy(), state, T0 + HOUR).active
    assert not forget(Policy(), state, T0 + 4 * DAY).active


def rows(clocks: list[int], status: list[str] | None = None) -> Rows:
    size = len(clocks)
    return Rows(
        clock=clocks,
        status=status or [""] * size,
        source=["conn:aa"] * size,
        size=[10] * size,
        late=[False] * size,
        log=["conn"] * size,
        row=list(range(1, size + 1)),
        raw=[b"row"] * size,
    )


def entries(cuts: list[int], clocks: list[int]) -> list[tuple[int, int]]:
    """(received, watermark) of the entries, the rows coming in pieces that end at `cuts`."""
    policy = Policy(ledger_rows=5, ledger_span=MINUTE)
    ledger, where, found, begin = Ledger(feed="f"), Cuts(policy=policy), [], 0
    for cut in [*cuts, len(clocks)]:
        piece = clocks[begin:cut]
        for at, end, closes in where.parts(piece):
            ledger.take(rows(piece[at:end]))
            if closes:
                (entry,) = ledger.close(policy, VERSIONS, 0)
                found.append((entry.received, entry.watermark))
        begin = cut
    return found + [(e.received, e.watermark) for e in ledger.close(policy, VERSIONS, 0)]


@pytest.mark.parametrize("cuts", [[], [1], [2, 3, 4], list(range(1, 17))])
def test_the_ledger_closes_at_the_same_rows_however_they_come_in(cuts):
    clocks = [T0 + s * SECOND for s in (0, 1, 2, 3, 4, 5, 6, 70, 71, 140, 141, 142, 143, 144, 145, 146, 300)]
    assert entries(cuts, clocks) == entries([], clocks)
    assert entries([], clocks)[0] == (5, T0 + 4 * SECOND)


def test_the_ledger_adds_up_and_samples_what_could_not_be_parsed():
    ledger, policy = Ledger(feed="f"), Policy()
    status = [
        "",
        "malformed: ts is not a number",
        "skipped: no detection reads weird",
        "",
        "malformed: ts is not a number",
    ]
    ledger.take(rows([T0] * 5, status))
    entry, fault = ledger.close(policy, VERSIONS, 3)
    assert isinstance(entry, BatchScored)
    assert isinstance(fault, FeedFault)
    assert entry.received == entry.scored + entry.skipped + entry.malformed == 5
    assert (entry.scored, entry.malformed, entry.skipped_by) == (2, 2, {"no detection reads weird": 1})
    assert entry.rows_sha256 == sha256(b"row\n" * 5).hexdigest()
    assert (entry.cursor[0].rows, entry.cursor[0].size, entry.folded) == (5, 50, 3)
    assert (fault.reason, fault.row, fault.count) == ("ts is not a number", 2, 2)
    assert ledger.close(policy, VERSIONS, 3) == []


def rule_match(ident: str = "r-1", level: str = "high", *, score: float = 1.0, at: int = T0) -> Sighting:
    hit = RuleHit(
        id=ident, version="v", title=f"Title of {ident}", level=level, author="A", techniques=("T1190",), licence="MIT",
        reference="",
    )  # fmt: skip
    return replace(sighting(score, at=at), kind="rule-match", rules=(hit,), flow_count=1)


def test_the_match_of_a_rule_has_the_title_techniques_and_level_of_the_rule():
    (fact,) = run(rule_match(level="critical"))
    assert (fact.level, fact.risk, fact.techniques) == ("critical", 9.0, ("T1190",))
    assert fact.title == "10.0.0.1 matches a rule: “Title of r-1” (critical), 1 record, 2 hosts on the other side"
    assert fact.rules[0].author == "A"


def test_matches_of_two_rules_are_two_threats_and_each_goes_on_by_itself():
    facts = run(rule_match("r-1"), rule_match("r-2"), rule_match("r-1", score=2.0), rule_match("r-2", score=2.0))
    assert [type(fact) for fact in facts] == [ThreatDetected, ThreatDetected, ThreatContinued, ThreatContinued]
    assert [fact.threat for fact in facts[:2]] == [fact.threat for fact in facts[2:]]
    assert facts[0].threat != facts[1].threat
    assert [fact.rules[0].id for fact in facts] == ["r-1", "r-2", "r-1", "r-2"]


def test_a_continuation_of_lesser_evidence_keeps_its_rule():
    facts = run(rule_match(score=4.0), rule_match(score=2.0, at=T0 + MINUTE))
    assert facts[1].rules == facts[0].rules
