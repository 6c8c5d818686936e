"""From routed to delivered: nothing lost, nothing blocked, faults said once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.log import open_log
from agents.responder.notices import Notice, NotifyError
from agents.responder.shelf import Patience
from config.alerts import AlertSettings
from domain.facts.alert import AlertDelivered, AlertEscalated, AlertFailed, AlertRetried
from domain.journal import Draft, Journal, follow
from domain.values import SECOND
from scheduler.delivery import FEW, Delivery
from tests.alerts.histories import (
    At,
    acknowledged,
    contained,
    drafts,
    escalated,
    opened,
    released,
    reopened,
    resolved,
    uid,
)

START = 1_800_000_000 * SECOND


@dataclass
class Memory:
    """A channel that keeps what it is told, and fails as long as `fails` says so."""

    name: str = "soc"
    kind: str = "memory"
    taken: list[Notice] = field(default_factory=list)
    fails: Callable[[Notice], NotifyError | None] = lambda _notice: None
    gate: threading.Event | None = None
    tries: int = 0

    def send(self, notice: Notice) -> str:
        self.tries += 1
        if self.gate is not None:
            self.gate.wait(5)
        error = self.fails(notice)
        if error is not None:
            raise error
        self.taken.append(notice)
        return "taken"

    def close(self) -> None:
        pass


@dataclass
class Stage:
    """A log with a history, and deliveries that are begun and ended on it."""

    settings: AlertSettings
    channels: dict[str, Memory]
    journal: Journal = field(default_factory=lambda: open_log("memory:", lambda: START))
    now: int = START
    said: list[str] = field(default_factory=list)
    steps: int = 0

    def happen(self, *facts: Any) -> None:
        self.steps += 1
        made = drafts([At(self.steps * 100 + n, fact) for n, fact in enumerate(facts)])
        fresh = [
            Draft(event_id=uid((self.steps, n)), stream=d.stream, fact=d.fact, occurred_at=d.occurred_at, actor=d.actor)
            for n, d in enumerate(made)
            if d.stream.startswith("incident/")
        ]
        self.journal.append(fresh)

    def begin(self) -> Delivery:
        return Delivery(self.journal, self.settings, self.channels, now=lambda: self.now, say=self.said.append)

    def facts(self, *kinds: type) -> list[Any]:
        return [each.fact for batch in follow(self.journal) for each in batch if isinstance(each.fact, kinds)]


def stage(**more: Any) -> Stage:
    names = more.pop("names", ("soc",))
    channels = {name: {"kind": "syslog", "host": "x", **more.pop(name, {})} for name in names}
    made = AlertSettings.model_validate({"channels": channels, "retry_seconds": 0.05, "retry_longest": 0.1, **more})
    return Stage(made, {name: Memory(name) for name in names})


def run(stage_: Stage, delivery: Delivery, true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Let the deciding thread go round until something holds; the clock runs as it does on the wall."""
    begun, started = time.monotonic(), stage_.now
    while not true():
        assert time.monotonic() - begun < seconds, "it did not happen in time"
        stage_.now = started + round((time.monotonic() - begun) * SECOND)
        delivery.catch_up()
        time.sleep(0.002)


def down(_notice: Notice) -> NotifyError:
    return NotifyError("soc.example: connection refused")


def test_an_alert_is_delivered_under_the_key_that_was_routed_and_recorded_once():
    made = stage()
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertDelivered))
    delivery.catch_up()
    (fact,) = made.facts(AlertDelivered)
    assert [each.key for each in made.channels["soc"].taken] == [fact.alert]
    assert (fact.attempt, fact.receipt) == (1, "taken")
    delivery.close()


def test_the_past_is_no_news_when_alerts_are_set_up():
    made = stage()
    made.happen(opened("old"))
    delivery = made.begin()
    made.happen(opened("new"))
    run(made, delivery, lambda: made.channels["soc"].taken)
    delivery.close()
    assert [each.incident for each in made.channels["soc"].taken] == [uid("new")]


def test_a_channel_that_is_down_is_said_once_blocks_nobody_and_gets_everything_in_the_end():
    made = stage(names=("soc", "chat"), attempts=50)
    made.channels["soc"].fails = down
    delivery = made.begin()
    made.happen(*(opened(n) for n in range(200)))
    run(made, delivery, lambda: len(made.channels["chat"].taken) == 200)
    run(made, delivery, lambda: made.channels["soc"].tries >= 3)
    assert delivery.faults() == ["channel soc does not work"]
    assert made.channels["soc"].tries < 20
    made.channels["soc"].fails = lambda _notice: None
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 400)
    assert Counter(Counter(each.key for each in made.channels["soc"].taken).values()) == {1: 200}
    assert [line.split(" (")[0] for line in made.said] == [
        "alerts: channel soc does not work",
        "alerts: channel soc works again",
    ]
    assert delivery.faults() == []
    delivery.close()


def test_a_channel_that_is_down_until_alerts_are_given_up_is_one_fault_and_says_so_when_it_works_again():
    made = stage(attempts=1)
    made.channels["soc"].fails = down
    delivery = made.begin()
    made.happen(*(opened(n) for n in range(4)))
    run(made, delivery, lambda: made.facts(AlertFailed))
    assert delivery.faults() == ["channel soc does not work"]
    assert len(made.said) == 1
    made.channels["soc"].fails = lambda _notice: None
    run(made, delivery, lambda: made.facts(AlertDelivered))
    assert made.said[1].startswith("alerts: channel soc works again: some of its alerts are dead letters by now; see ")
    assert delivery.faults() == ["channel soc has dead letters"]
    delivery.close()


def test_one_alert_that_is_refused_holds_back_no_other_and_becomes_a_dead_letter():
    made = stage(attempts=3)
    poison = lambda n: NotifyError("no", of_channel=False) if n.incident == uid("bad") else None  # noqa: E731
    made.channels["soc"].fails = poison
    delivery = made.begin()
    made.happen(opened("bad"), opened("good"))
    run(made, delivery, lambda: len(made.facts(AlertFailed)) == 3)
    assert [(each.attempt, each.dead) for each in made.facts(AlertFailed)] == [(1, False), (2, False), (3, True)]
    assert [each.incident for each in made.channels["soc"].taken] == [uid("good")]
    delivery.catch_up()
    assert delivery.left() == {}
    assert delivery.faults() == ["channel soc has dead letters"]
    delivery.close()


def test_a_dead_letter_that_an_operator_retries_is_delivered():
    made = stage(attempts=1)
    made.channels["soc"].fails = down
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertFailed))
    made.channels["soc"].fails = lambda _notice: None
    alert = made.facts(AlertFailed)[0].alert
    retried = AlertRetried(alert=alert, channel="soc")
    made.journal.append(
        [Draft(event_id=uid("again"), stream=f"alert/{alert}", fact=retried, occurred_at=START, actor="operator:x")]
    )
    run(made, delivery, lambda: made.facts(AlertDelivered))
    assert made.facts(AlertDelivered)[0].attempt == 2
    delivery.close()
    again = made.begin()
    again.catch_up()
    assert again.left() == {}
    again.close()


def test_what_was_routed_and_not_delivered_goes_out_again_under_the_same_key_after_a_crash():
    made = stage()
    made.channels["soc"].gate = threading.Event()
    first = made.begin()
    made.happen(*(opened(n) for n in range(5)))
    run(made, first, lambda: made.channels["soc"].tries == 1)  # one is on its way, and nothing of it is recorded
    made.channels["soc"].gate.set()
    made.channels["soc"] = Memory()
    second = made.begin()
    run(made, second, lambda: len(made.facts(AlertDelivered)) == 5)
    assert {each.key for each in made.channels["soc"].taken} == {each.alert for each in made.facts(AlertDelivered)}
    first._outbox.close()  # a process that was killed records nothing any more
    second.close()


@pytest.mark.parametrize("restart", [False, True])
def test_what_finds_no_room_waits_in_the_log_and_is_delivered_once(restart):
    made = stage(working_set=20)
    made.channels["soc"].gate = threading.Event()
    delivery = made.begin()
    made.happen(*(opened(n) for n in range(300)))
    delivery.catch_up()
    shelf = delivery.backlog.shelves["soc"]
    assert len(shelf) == 20
    assert delivery.left() == {"soc": 300}
    if restart:
        made.channels["soc"].gate.set()
        delivery.close()
        delivery = made.begin()
        shelf = delivery.backlog.shelves["soc"]
    made.channels["soc"].gate.set()
    most = 0

    def all_there() -> bool:
        nonlocal most
        most = max(most, len(shelf))
        return len(made.facts(AlertDelivered)) == 300

    run(made, delivery, all_there)
    assert most <= 20
    assert Counter(Counter(each.key for each in made.channels["soc"].taken).values()) == {1: 300}
    delivery.catch_up()
    assert delivery.left() == {}
    delivery.close()


def test_a_critical_alert_takes_the_room_of_a_lesser_one_and_goes_first():
    made = stage(working_set=100)
    made.channels["soc"].gate = threading.Event()
    delivery = made.begin()
    made.happen(*(opened(n, 5.0) for n in range(150)))
    run(made, delivery, lambda: made.channels["soc"].tries == 1)
    made.happen(opened("worst", 9.7))
    delivery.catch_up()
    made.channels["soc"].gate.set()
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 151)
    place = [each.incident for each in made.channels["soc"].taken].index(uid("worst"))
    assert place <= 2  # behind what was being sent
    delivery.close()


def test_what_is_routed_while_others_are_put_off_comes_after_them():
    made = stage(working_set=10)
    gate = made.channels["soc"].gate = threading.Event()
    delivery = made.begin()
    made.happen(*(opened(n) for n in range(16)))
    delivery.catch_up()
    assert delivery.backlog.shelves["soc"].put_off == 6
    for number in range(16, 40):
        made.happen(opened(number))
        gate.set()
        delivery.catch_up()
        time.sleep(0.002)
    run(made, delivery, lambda: len(made.channels["soc"].taken) == 40)
    assert [each.incident for each in made.channels["soc"].taken] == [uid(n) for n in range(40)]
    delivery.close()


def test_while_much_comes_in_critical_alerts_go_out_and_few_of_the_others():
    made = stage()
    gate = made.channels["soc"].gate = threading.Event()
    delivery = made.begin()
    made.happen(*(opened(n, risk=9.5 if n % 10 == 9 else 5.0) for n in range(600)))
    delivery.catch_up()
    shelf = delivery.backlog.shelves["soc"]
    waiting = {key: shelf.get(key) for key in shelf.out}
    assert sum(each.alert.level == "critical" for each in waiting.values()) == 60
    assert sum(each.alert.level != "critical" for each in waiting.values()) <= FEW
    gate.set()
    run(made, delivery, lambda: len(made.channels["soc"].taken) == 600)
    levels = [each.level for each in made.channels["soc"].taken]
    assert levels[1:60].count("critical") >= 59 - 1
    delivery.close()


def test_the_end_of_an_incident_is_told_after_its_beginning():
    made = stage(attempts=5)
    failed: list[Notice] = []

    def once(notice: Notice) -> NotifyError | None:
        if notice.trigger == "opened" and not failed:
            failed.append(notice)
            return NotifyError("not now", of_channel=False)
        return None

    made.channels["soc"].fails = once
    delivery = made.begin()
    made.happen(opened("A"), acknowledged("A"), resolved("A"))
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 3)
    assert [each.trigger for each in made.channels["soc"].taken] == ["opened", "acknowledged", "resolved"]
    delivery.close()


ESCALATION = {"name": "all", "channels": ["soc"], "escalate_after": 10, "escalate_to": ["boss"]}


def waits(made: Stage, delivery: Delivery, seconds: int) -> None:
    made.now += seconds * SECOND
    delivery.catch_up()


def test_what_nobody_acknowledges_in_time_goes_to_the_next_channel_once():
    made = stage(names=("soc", "boss"), routes=[ESCALATION])
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertDelivered))
    waits(made, delivery, 590)
    assert made.facts(AlertEscalated) == []
    waits(made, delivery, 20)
    run(made, delivery, lambda: made.channels["boss"].taken)
    delivery.close()
    again = made.begin()  # a restart remembers that it was escalated
    waits(made, again, 10_000)
    again.close()
    (fact,) = made.facts(AlertEscalated)
    assert (fact.channel, fact.after) == ("boss", made.channels["soc"].taken[0].key)
    assert 600 <= fact.waited_seconds <= 615
    assert made.channels["boss"].taken[0].trigger == "unacknowledged"


@pytest.mark.parametrize("restart", [False, True])
def test_a_channel_is_told_once_that_nobody_answers_an_incident_however_many_alerts_it_had(restart):
    route = ESCALATION | {"channels": ["soc", "chat"]}
    made = stage(names=("soc", "chat", "boss"), routes=[route])
    delivery = made.begin()
    made.happen(opened("A", 5.0))
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 2)
    waits(made, delivery, 700)
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 3)
    if restart:
        delivery.close()
        delivery = made.begin()
    made.happen(escalated("A", 9.5))
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 5)
    waits(made, delivery, 700)
    delivery.drain(1.0)
    delivery.close()
    assert [each.incident for each in made.channels["boss"].taken] == [uid("A")]
    assert len(made.facts(AlertEscalated)) == 1


def test_an_incident_that_is_opened_again_and_not_answered_is_escalated_again():
    made = stage(names=("soc", "boss"), routes=[ESCALATION])
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertDelivered))
    waits(made, delivery, 700)
    made.happen(resolved("A"), reopened("A"))
    run(made, delivery, lambda: [each.trigger for each in made.channels["soc"].taken[1:]] == ["resolved", "reopened"])
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 4)
    waits(made, delivery, 700)
    run(made, delivery, lambda: len(made.channels["boss"].taken) == 2)
    delivery.close()


def test_an_incident_that_is_held_back_no_more_and_not_answered_is_escalated():
    made = stage(names=("soc", "boss"), routes=[ESCALATION])
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertDelivered))
    made.happen(contained("A"))
    waits(made, delivery, 700)
    assert made.channels["boss"].taken == []
    made.happen(released("A"))
    run(made, delivery, lambda: [each.trigger for each in made.channels["soc"].taken] == ["opened", "released"])
    run(made, delivery, lambda: len(made.facts(AlertDelivered)) == 2)
    waits(made, delivery, 700)
    run(made, delivery, lambda: len(made.channels["boss"].taken) == 1)
    delivery.close()


@pytest.mark.parametrize("answer", [acknowledged, resolved])
@pytest.mark.parametrize("restart", [False, True])
def test_what_was_acknowledged_goes_nowhere_else(answer, restart):
    made = stage(names=("soc", "boss"), routes=[ESCALATION])
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.facts(AlertDelivered))
    made.happen(answer("A"))
    if restart:
        delivery.close()
        delivery = made.begin()
    waits(made, delivery, 1000)
    assert made.facts(AlertEscalated) == []
    delivery.close()


def test_a_dead_letter_is_escalated_at_once():
    made = stage(names=("soc", "boss"), routes=[ESCALATION], attempts=1)
    made.channels["soc"].fails = down
    delivery = made.begin()
    made.happen(opened("A"))
    run(made, delivery, lambda: made.channels["boss"].taken)
    assert made.facts(AlertEscalated)[0].waited_seconds == 0
    delivery.close()


def test_a_run_that_ends_waits_a_while_and_says_how_much_is_left():
    made = stage(names=("soc", "chat"), retry_seconds=60, retry_longest=60)
    made.channels["soc"].fails = down
    delivery = made.begin()
    made.happen(*(opened(n) for n in range(30)))
    begun = time.monotonic()
    delivery.drain(5.0)
    assert time.monotonic() - begun < 4.0  # nothing can be done before a minute has gone by
    assert len(made.channels["chat"].taken) == 30
    assert [line.partition(" (")[0] for line in made.said] == [
        "alerts: channel soc does not work", "alerts: 30 of channel soc are left for the next run",
    ]  # fmt: skip
    delivery.close()


def test_an_alert_that_waits_for_the_morning_goes_out_then():
    made = stage(soc={"quiet_hours": ["00:00-24:00"]})
    delivery = made.begin()
    made.now = 0
    made.happen(opened("A"))
    delivery.catch_up()
    time.sleep(0.02)
    assert made.channels["soc"].taken == []
    made.now = START
    run(made, delivery, lambda: made.channels["soc"].taken)
    delivery.close()


def test_waits_grow_up_to_a_limit_and_are_the_same_for_the_same_alert():
    patience = Patience(first=SECOND, longest=60 * SECOND)
    waits_ = [patience.wait(n, uid("A")) / SECOND for n in range(1, 12)]
    assert waits_ == [patience.wait(n, uid("A")) / SECOND for n in range(1, 12)]
    assert all(0.75 * min(60, 2 ** (n - 1)) <= wait <= 1.25 * min(60, 2 ** (n - 1)) for n, wait in enumerate(waits_, 1))
    assert waits_ != [patience.wait(n, uid("B")) / SECOND for n in range(1, 12)]
