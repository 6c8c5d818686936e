"""What every actuator must do, whoever it is: one suite over all of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.act.dry_run import DryRun, wall_clock
from adapters.act.nftables import Nftables
from adapters.act.openc2 import OpenC2
from adapters.act.ticket import Tickets
from agents.responder.ports import Actuator, ActuatorError
from config.actuators import NftablesSettings, OpenC2Settings, TicketSettings
from domain.facts.response import Action
from domain.values import HOUR, MINUTE, SECOND
from tests.act.acting import Clock, action
from tests.act.servers import Consumer, Desk, certificate, running
from tests.act.world import needs_kernel, wired


@dataclass
class Case:
    """An actuator, what it does, its clock, and a look at the world that does not go through it."""

    actuator: Actuator
    clock: Clock
    does: Action
    again: Callable[[], Actuator]
    """Another one on the same world, as after a restart."""
    in_world: Callable[[], int]
    """How many things are in force in the world."""
    ends_by_itself: bool = True


def dry_run(stack: ExitStack, folder: Path) -> Case:
    clock = Clock()

    def made() -> DryRun:
        return DryRun("firewall", folder / "firewall.json", clock)

    held = folder / "firewall.json"
    return Case(made(), clock, action(), made, lambda: held.read_text().count('"what"') if held.exists() else 0)


def nftables(stack: ExitStack, folder: Path) -> Case:
    needs_kernel()
    import subprocess

    wire = stack.enter_context(wired())
    clock = Clock(wall_clock())

    def made() -> Nftables:
        return Nftables("firewall", NftablesSettings(netns=wire.inside), clock)

    def in_world() -> int:
        words = ["ip", "netns", "exec", wire.inside, "nft", "list", "ruleset"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.count("203.0.113.7")

    return Case(made(), clock, action(), made, in_world)


def openc2(stack: ExitStack, folder: Path) -> Case:
    clock, pem = Clock(), certificate(folder)
    server = stack.enter_context(running(Consumer(pem, clock)))
    assert isinstance(server, Consumer)

    def made() -> OpenC2:
        return OpenC2("firewall", OpenC2Settings(url=server.url, ca_file=str(pem)))

    return Case(made(), clock, action(), made, lambda: len(server.force))


def ticket(stack: ExitStack, folder: Path) -> Case:
    clock, pem = Clock(), certificate(folder)
    server = stack.enter_context(running(Desk(pem)))
    assert isinstance(server, Desk)

    def made() -> Tickets:
        status = server.url + "/{ticket}"
        options = TicketSettings(url=server.url, ca_file=str(pem), status_url=status)
        return Tickets("ticketing", options, folder / "tickets.json", clock=clock)

    does = action("10.1.2.3", verb="create", target_type="x-myrmidon:ticket", undo="delete")

    def in_world() -> int:
        return sum(status == "open" for status in server.tickets.values())

    # no ticket system closes a ticket by itself: the responder does, by its undo at the end of the time
    return Case(made(), clock, does, made, in_world, ends_by_itself=False)


CASES = (dry_run, nftables, openc2, ticket)


@pytest.fixture(params=CASES, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    with ExitStack() as stack:
        yield request.param(stack, tmp_path)


def test_checking_has_no_effect(case):
    case.actuator.check(case.does)
    assert case.in_world() == 0
    assert not case.actuator.effect(case.does).in_force


def test_what_was_executed_is_in_force_and_what_was_undone_is_not(case):
    assert case.actuator.execute(case.does, case.clock() + HOUR)
    assert case.in_world() == 1
    assert case.actuator.effect(case.does).in_force
    assert case.actuator.undo(case.does)
    assert case.in_world() == 0
    assert not case.actuator.effect(case.does).in_force


def test_executing_twice_is_executing_once(case):
    until = case.clock() + HOUR
    case.actuator.execute(case.does, until)
    case.actuator.execute(case.does, until)
    assert case.in_world() == 1
    case.actuator.undo(case.does)
    assert case.in_world() == 0


def test_undoing_twice_or_what_never_was_is_no_error(case):
    case.actuator.undo(case.does)
    case.actuator.execute(case.does, case.clock() + HOUR)
    case.actuator.undo(case.does)
    case.actuator.undo(case.does)
    assert case.in_world() == 0


def test_the_effect_tells_the_truth_however_often_it_is_done_and_undone(case):
    for _ in range(2):
        case.actuator.execute(case.does, case.clock() + HOUR)
        assert case.actuator.effect(case.does).in_force == (case.in_world() == 1)
        case.actuator.undo(case.does)
        assert not case.actuator.effect(case.does).in_force
        assert case.in_world() == 0


def test_another_one_on_the_same_world_sees_and_undoes_it(case):
    case.actuator.execute(case.does, case.clock() + HOUR)
    other = case.again()
    assert other.effect(case.does).in_force
    other.undo(case.does)
    assert case.in_world() == 0
    assert not case.actuator.effect(case.does).in_force


def test_it_is_over_when_its_time_is_over(case):
    case.actuator.execute(case.does, case.clock() + MINUTE)
    assert case.actuator.effect(case.does).in_force
    case.clock.now += MINUTE + SECOND
    assert case.actuator.effect(case.does).in_force != case.ends_by_itself
    case.actuator.undo(case.does)
    assert case.in_world() == 0


def test_what_it_cannot_do_is_refused_with_a_reason(case):
    stranger = action("10.1.2.3/32", verb="detonate", undo="restore")
    for attempt in (case.actuator.check, lambda one: case.actuator.execute(one, case.clock() + HOUR)):
        with pytest.raises(ActuatorError, match=r"cannot detonate"):
            attempt(stranger)
    assert case.in_world() == 0


def test_every_pair_that_it_can_do_has_an_undo(case):
    assert case.actuator.undoes
    assert all(case.actuator.undoes.values())
