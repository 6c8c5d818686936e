"""[response]: how far the responder may go by itself. See docs/responses.md for how to switch it on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agents.responder.respond_policy import ResponsePolicy
from domain.facts.response import Mode
from domain.gate import ApprovalRule, GatePolicy
from domain.targets import network_of
from domain.values import HOUR, SECOND, Level


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


HOST: Final = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
"""A host name (RFC 1123, and the underscore that some use)."""

NUMBER: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)$")
"""How the last label of an address in disguise looks (10.20.0.999, 0x7f000001): no name ends in a number."""


def _reachable(text: str) -> str:
    """An entry of the never-block list: one that nothing can ever match would protect nobody."""
    name = text.strip().rstrip(".").casefold()
    named = HOST.fullmatch(name) and not NUMBER.match(name.rpartition(".")[2])
    if network_of(text) is None and not named:
        raise ValueError(f"{text!r} is neither an address, nor a network (10.0.0.0/24), nor a host name; correct it")
    return text.strip()


Reachable = Annotated[str, AfterValidator(_reachable)]
Network = Annotated[str, AfterValidator(_network)]


Verb = Literal[
    "", "scan", "locate", "query", "deny", "contain", "allow", "start", "stop", "restart", "cancel", "set", "update",
    "redirect", "create", "delete", "detect", "restore", "copy", "investigate", "remediate",
]  # fmt: skip
"""Actions of the OpenC2 Language Specification 1.0, or any: a rule about another word would ask nobody, ever."""


class Approval(BaseModel):
    """What needs a person's consent: every field that is set must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Verb = ""
    asset_class: str = ""
    below: Level | None = None
    inside: bool = False


class ResponseSettings(BaseModel):
    """How far the responder may go by itself, and what it never touches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field(
        default="observe",
        description="`observe` records what would be done, `suggest` waits for an operator, `act` goes ahead. "
        "`responses stop` and `responses mode` can be more careful than this, never less.",
    )
    min_level: Level = Field(default="high", description="Level of an incident from which a response is proposed.")
    never_block: tuple[Reachable, ...] = Field(
        default=(),
        description="Networks, addresses and host names that no action may touch; the addresses of a name are looked "
        "up at the start. Always among them: this machine, its "
        "gateways and resolvers, the hosts that these settings name, loopback, link-local, multicast, unspecified.",
    )
    management_networks: tuple[Network, ...] = Field(
        default=(), description="Networks that the house is managed from: no action may touch them either."
    )
    max_targets: int = Field(default=20, ge=1, description="Targets acted on at once (a network counts its addresses).")
    max_targets_per_hour: int = Field(default=60, ge=1, description="Different targets acted on within an hour.")
    max_share: float = Field(
        default=0.05, gt=0.0, le=1.0, description="Share of your hosts acted on at once; one host always may be."
    )
    hosts: int = Field(default=0, ge=0, description="How many hosts you have; 0: as many as have been seen.")
    rate: int = Field(default=60, ge=1, description="Actions an hour.")
    max_ttl: float = Field(default=86_400.0, gt=0.0, description="Seconds after which every action is taken back.")
    approvals: tuple[Approval, ...] = Field(
        default=(Approval(verb="contain", below="critical"), Approval(verb="deny", inside=True)),
        description="What needs a person's consent even in mode `act`: tables with verb, asset_class, below (a level), "
        "inside (only of targets inside local_networks).",
    )
    approval_timeout: float = Field(
        default=3600.0, gt=0.0, description="Seconds after which an unanswered proposal expires: no answer, no action."
    )
    tries: int = Field(default=3, ge=1, description="Attempts to carry out an action before it is given up.")
    retry: float = Field(default=2.0, gt=0.0, description="Seconds before the second attempt; they double.")
    retry_most: float = Field(default=300.0, gt=0.0, description="Seconds between two attempts at most.")
    verify_every: float = Field(
        default=300.0,
        ge=0.0,
        description="Seconds after which what is in force is looked at again, and carried out again if it is gone; "
        "always when a run starts. 0: never.",
    )
    stalled_after: float = Field(
        default=900.0, gt=0.0, description="Seconds after which a workflow that waits and does not move is alarmed."
    )

    def policy(self, *, local_networks: Sequence[str], own: Sequence[str] = ()) -> ResponsePolicy:
        """What the decider is told.

        Args:
            local_networks: what is ours.
            own: this machine and what it needs: added to the never-block list.
        """
        gate = GatePolicy(
            mode=self.mode,
            never_block=tuple(dict.fromkeys((*self.never_block, *self.management_networks, *own))),
            local_networks=tuple(local_networks),
            max_targets=self.max_targets,
            max_targets_window=self.max_targets_per_hour,
            window=HOUR,
            max_share=self.max_share,
            rate=self.rate,
            max_ttl=round(self.max_ttl * SECOND),
            approvals=tuple(
                ApprovalRule(verb=each.verb, asset_class=each.asset_class, below=each.below, inside=each.inside)
                for each in self.approvals
            ),
        )
        return ResponsePolicy(
            gate=gate,
            min_level=self.min_level,
            approval_timeout=round(self.approval_timeout * SECOND),
            tries=self.tries,
            retry=round(self.retry * SECOND),
            retry_most=round(self.retry_most * SECOND),
            verify_every=round(self.verify_every * SECOND),
        )
