"""Whom a playbook's step acts on."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from agents.responder.concrete import targets_of
from agents.responder.playbook import Step
from agents.responder.respond_state import Suspect
from domain.values import MINUTE

OURS = ("10.0.0.0/8",)
SCANNER = Suspect(
    threat=UUID(int=1), entity="198.51.100.7", kind="horizontal-scan", level="high", risk=7.5, peers=("10.0.0.5",)
)
DENY = Step(
    step="s", name="s", actuator="wall", verb="deny", target_type="ipv4_net", target="entity", ttl=MINUTE, undo="allow",
    approval=False,
)  # fmt: skip


def test_only_a_host_of_ours_is_contained_and_anybody_is_denied():
    contain = replace(DENY, verb="contain")
    assert targets_of(contain, SCANNER, OURS) == ()
    assert targets_of(contain, replace(SCANNER, entity="10.0.0.9"), OURS) == ("10.0.0.9/32",)
    assert targets_of(DENY, SCANNER, OURS) == ("198.51.100.7/32",)


def test_where_nobody_said_what_is_ours_any_host_may_be_contained():
    assert targets_of(replace(DENY, verb="contain"), SCANNER, ()) == ("198.51.100.7/32",)


def test_what_holds_the_other_side_back_spares_hosts_of_ours():
    assert targets_of(replace(DENY, target="peer"), SCANNER, OURS) == ()
