"""The detector at work on a feed: it goes on from its dump, and closes entries where the log says they closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.artifacts import Artifacts
from adapters.feeds import open_telemetry, parse_spec
from agents.detector.policy import Policy
from config.settings import Settings
from domain.facts.telemetry import BatchScored
from engine.frame import Frame
from engine.rules.ruleset import RuleSet
from scheduler.hunt import Hunt
from scheduler.recovery import History
from scheduler.rules_in_force import RulesInForce
from tests.e2e.rows import HEADER, scan
from tests.rules.texts import rule

SETTINGS = Settings(detector=Policy(ledger_rows=10))


@pytest.fixture
def frame(tmp_path) -> Frame:
    log = tmp_path / "conn.log"
    log.write_text(HEADER + scan(0, 47))
    telemetry = open_telemetry([parse_spec(f"zeek:{log}")], follow=False, batch_rows=1000)
    (pulse,) = telemetry.pulses()
    telemetry.close()
    return pulse.frames["zeek"]


@pytest.fixture
def hunt(tmp_path):
    made: list[Hunt] = []

    def make() -> Hunt:
        made.append(Hunt("zeek", "zeek", SETTINGS, Artifacts(Path(tmp_path) / "artifacts")))
        return made[-1]

    yield make
    for each in made:
        each.close_pipeline()


def entries(steps) -> list[BatchScored]:
    return [step.draft.fact for step in steps if isinstance(step.draft.fact, BatchScored)]


@pytest.mark.parametrize("at", [5, 10, 13, 20, 29, 40])
def test_rows_read_again_from_a_snapshot_leave_the_open_entry_as_it_was(frame, hunt, at):
    calm = hunt()
    expected = entries(calm.take(frame.slice(0, 43), lambda: 0))
    tail = entries(calm.close_entry(0))

    before = hunt()
    before.take(frame.slice(0, at), lambda: 0)
    again = hunt()
    again.expect(History(closings=[10, 20, 30, 40], number=5, rows=40))
    assert again.load(b"".join(before.dump()))
    again.take(frame.slice(at, 43), lambda: 0)
    assert again.rows == 43
    assert again.ledger.number == 5
    assert entries(again.close_entry(0)) == tail
    assert [entry.received for entry in expected] == [10, 10, 10, 10]


def test_a_dump_of_other_rules_is_refused(hunt, tmp_path):
    other = Hunt("zeek", "zeek", Settings(detector=Policy(ledger_rows=11)), Artifacts(tmp_path / "others"))
    try:
        assert not hunt().load(b"".join(other.dump()))
    finally:
        other.close_pipeline()


def test_rules_that_came_twice_within_an_entry_are_the_last_ones_when_its_rows_are_read_again(tmp_path):
    texts = [{"a.yml": rule("a: {dst_port: 1}\ncondition: a")}, {"a.yml": rule("a: {dst_port: 2}\ncondition: a")}]
    first, last = (RuleSet.of(text) for text in texts)
    store = Artifacts(tmp_path)
    in_force = RulesInForce("zeek", first, store, lambda _line: None)
    in_force.expect([(0, store.put(first.pack())), (50, store.put(first.pack())), (100, store.put(last.pack()))])
    assert in_force.next_recorded(40, first.version) is None
    assert in_force.next_recorded(100, first.version).version == last.version
