"""From a playbook's steps to actions: which addresses or names, in which spelling, for how long.

What holds the other side of a threat back acts on addresses outside our networks only: of a threat by an outside
address, the other side is the host of ours that it attacks. And only a host of ours can be contained: who is outside
is denied, not quarantined.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

from agents.responder.playbook import Playbook, Step
from agents.responder.respond_policy import ResponsePolicy
from agents.responder.respond_state import Suspect
from domain.facts.response import CONTAINING, Action
from domain.targets import inside, network_of
from domain.values import NAMESPACE

NETS: Final = frozenset({"ipv4_net", "ipv6_net"})


def concrete(policy: ResponsePolicy, response: UUID, suspect: Suspect, playbook: Playbook) -> tuple[Action, ...]:
    """The playbook's steps against the entity and peers of a threat, none longer than the policy allows."""
    actions: dict[UUID, Action] = {}
    for step in playbook.steps:
        for target in targets_of(step, suspect, policy.gate.local_networks):
            made = Action(
                action=uuid5(NAMESPACE, f"action|{response.hex}|{step.step}|{target}"),
                step=step.step,
                actuator=step.actuator,
                verb=step.verb,
                target_type=_type_for(step.target_type, target),
                target=target,
                ttl=min(step.ttl, policy.gate.max_ttl),
                undo=step.undo,
            )
            actions.setdefault(made.action, made)
    return tuple(actions.values())


def targets_of(step: Step, suspect: Suspect, local_networks: tuple[str, ...]) -> tuple[str, ...]:
    """What a step acts on here: a step about addresses passes names over, and one about names passes addresses over."""
    match step.target:
        case "entity":
            strange = step.verb == "contain" and not inside(local_networks, suspect.entity)
            wanted: tuple[str, ...] = () if strange and local_networks else (suspect.entity,)
        case "peer":
            spared = local_networks if step.verb in CONTAINING else ()
            wanted = tuple(each for each in suspect.peers if not inside(spared, each))
        case literal:
            return (literal,)
    return tuple(dict.fromkeys(_written(step, each) for each in wanted if _fits(step.target_type, each)))


def _fits(target_type: str, target: str) -> bool:
    is_address = network_of(target) is not None
    if target_type in NETS:
        return is_address
    return not (target_type == "domain_name" and is_address)


def _written(step: Step, target: str) -> str:
    """An address as a network where the step wants a network."""
    network = network_of(target)
    return str(network) if network is not None and step.target_type in NETS else target


def _type_for(wanted: str, target: str) -> str:
    """`ipv4_net` in a playbook stands for both families: the target says which it is."""
    network = network_of(target)
    return f"ipv{network.version}_net" if network is not None and wanted in NETS else wanted
