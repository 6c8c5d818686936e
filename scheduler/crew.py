"""The agents that follow the log in one process, in the order in which they work: what one records the next one reads.

Add one: a class that fits `Agent` (`Following` is most of it), and a line in `crew`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Protocol

from adapters.act import build_actuators
from adapters.log.base import ChainedLog
from adapters.notify import doubts, make_channel
from adapters.own import addresses_of, own_infrastructure
from adapters.playbooks import load_playbooks, only_rehearsed, unfit, unused
from agents.responder.assets import Assets
from agents.responder.ports import absence_of
from agents.responder.respond_policy import Circumstances, ResponsePolicy
from config.actuators import bound
from config.home import Home
from config.settings import Settings
from domain.facts.response import DRY_RUN
from domain.values import Micros
from scheduler.choosing import Selector
from scheduler.delivery import Delivery
from scheduler.intake import intake
from scheduler.probes import Probes
from scheduler.respond import Responses
from scheduler.response_mind import World

RESPONDER = "responder"


class Agent(Protocol):
    """A follower that appends and keeps its position in the log."""

    @property
    def position(self) -> int:
        """How far it has read."""

    def catch_up(self) -> int:
        """Handle what is new; returns how many facts were appended."""

    def settle(self) -> None:
        """Record the position even though nothing was decided since."""

    def nudged(self) -> bool:
        """Whether effects in the world have come to an end that it is to record."""

    def finish(self, patience: float) -> None:
        """Wait at most so many seconds for what is under way in the world, and record what came of it."""

    def faults(self) -> list[str]:
        """What is the matter with what it does in the world, for the health report."""


def crew(
    journal: ChainedLog,
    settings: Settings,
    home: Home,
    stack: ExitStack,
    now: Callable[[], Micros],
    *,
    alerts: Callable[[str], None] | None = None,
    warn: Callable[[str], None] = lambda _line: None,
    live: bool = False,
) -> list[Agent]:
    """The responder's followers: intake, responses, and the router of alerts.

    Args:
        journal: the log.
        settings: of the home.
        home: where actuators keep their records.
        stack: what closes them.
        now: the clock.
        alerts: told what an operator should know of channels; None when no alerts are to be sent.
        warn: told what an operator should know of responses.
        live: this is a run, not a command: the actuators are asked whether they work.
    """
    world = _world(settings, home, now, warn, live=live)
    policy = response_policy(settings, warn)
    responses = Responses(journal, policy if live else replace(policy, verify_every=0), world)
    stack.callback(responses.close)
    made: list[Agent] = [intake(journal, settings.responder, settings.assets.assets()), responses]
    if alerts is not None and settings.alerts.channels:
        for doubt in doubts(settings.alerts):
            alerts(f"alerts: {doubt}")
        channels = {name: make_channel(name, each) for name, each in settings.alerts.channels.items()}
        delivery = Delivery(journal, settings.alerts, channels, now=now, say=alerts)
        stack.callback(delivery.close)
        made.append(delivery)
    return made


def _world(
    settings: Settings, home: Home, now: Callable[[], Micros], warn: Callable[[str], None], *, live: bool
) -> World:
    """What the responder needs beside the log, as the settings say."""
    local_networks = tuple(settings.thresholds.local_networks)
    actuators = build_actuators(settings.actuators, home.path, lenient=not live)
    playbooks = load_playbooks(settings.playbooks)
    for why in filter(None, map(absence_of, actuators.values())):
        warn(f"{why}: what is to be done by it waits")
    probes = Probes(actuators if live and settings.response.mode != "observe" else {}, warn)
    probes.begin()
    if live:
        for doubt in unused(actuators, playbooks):
            warn(doubt)
    dry = frozenset(name for name, of in bound(settings.actuators).items() if of.get("type") == DRY_RUN)
    return World(
        actuators=actuators,
        chooser=lambda: Selector(
            playbooks,
            lambda playbook: not unfit(playbook, actuators),
            local_networks,
            lambda playbook: only_rehearsed(playbook, dry),
        ),
        classify=classes(settings.assets.assets(), local_networks),
        now=now,
        hosts=settings.response.hosts,
        rehearsed=dry,
        patient=live,
        warn=once(warn),
        faults=probes.faults,
    )


def once(warn: Callable[[str], None]) -> Callable[[str, str], None]:
    """Tells of each thing (its first argument) the first time only."""
    said: set[str] = set()

    def tell(about: str, line: str) -> None:
        if about not in said:
            said.add(about)
            warn(line)

    return tell


def classes(assets: Assets, local_networks: Sequence[str]) -> Callable[[str], str]:
    """What tells the class of an entity: what its owner says, else whether it is ours."""
    networks = [ip_network(each) for each in local_networks]

    def classify(entity: str) -> str:
        asset = assets.find(entity)
        if asset is not None and asset.label:
            return asset.label
        try:
            address = ip_address(entity)
        except ValueError:
            return ""
        return "inside" if any(address in network for network in networks) else "outside"

    return classify


def circumstances(settings: Settings, home: Home, now: Micros, *, lenient: bool = False) -> Circumstances:
    """What the decider of responses cannot know by itself, for an operator's command.

    Args:
        settings: of the home.
        home: where actuators keep their records.
        now: the clock.
        lenient: the command needs no actuator, so one that cannot be made is no error.
    """
    actuators = build_actuators(settings.actuators, home.path, lenient=lenient)
    undoes = {name: actuator.undoes for name, actuator in actuators.items()}
    return Circumstances(now=now, undoes=undoes, hosts=settings.response.hosts)


def response_policy(settings: Settings, warn: Callable[[str], None] = lambda _line: None) -> ResponsePolicy:
    """What the responder may do, with this machine and what it needs on the never-block list.

    A name that cannot be looked up is no error: `responses stop` has to work without a resolver, too.
    """
    response, local_networks = settings.response, settings.thresholds.local_networks
    if response.mode == "observe":  # who only observes touches nothing: there is no need to ask for names
        return response.policy(local_networks=local_networks)
    named = addresses_of(response.never_block, warn)
    return response.policy(local_networks=local_networks, own=(*own_infrastructure(settings.model_dump()), *named))
