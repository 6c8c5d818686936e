"""One playbook, and a chooser that knows no other."""

from __future__ import annotations

from dataclasses import dataclass

from agents.responder.playbook import Playbook, Step
from agents.responder.respond_commands import Choice
from domain.events import Fact
from domain.facts.response import Estimate
from domain.values import MINUTE

EVEN = Estimate(mean=0.5, low=0.1, high=0.9)

BLOCK = Playbook(
    name="block-peers",
    playbook="playbook--1",
    version="v1",
    title="Block the peers",
    description="",
    kinds=("beacon", "exfiltration"),
    steps=(
        Step(
            step="deny", name="deny", actuator="wall", verb="deny", target_type="ipv4_net", target="peer",
            ttl=10 * MINUTE, undo="allow", approval=False,
        ),
    ),
    duration=5.0, cost=1.0, techniques=(), defends=(), csf=(),
)  # fmt: skip


@dataclass
class Always:
    """A chooser that knows one playbook."""

    playbook: Playbook

    def learn(self, fact: Fact, at: int) -> None:
        """Nothing to learn."""

    def lacking(self, suspect) -> str:
        return f"no playbook against {suspect.kind}"

    def choose(self, suspect, asset_class, level, seed) -> Choice | None:
        if suspect.kind not in self.playbook.kinds:
            return None
        return Choice(
            playbook=self.playbook, candidates=(self.playbook.name,), propensity=1.0,
            success=EVEN, duration=EVEN, cost=EVEN,
        )  # fmt: skip
