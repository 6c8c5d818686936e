"""What a playbook is to the responder: reversible steps for kinds of threats. CACAO files are read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domain.values import Micros, ThreatKind

TargetRole = Literal["entity", "peer"]
"""Whose address a step acts on: the entity of the threat, or each of its peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of a playbook, before it is made concrete.

    Attributes:
        step: id of the CACAO step.
        name: what it does, in words.
        actuator: name of the actuator that carries it out.
        verb: OpenC2 action.
        target_type: OpenC2 target type.
        target: whose address; or a literal value when it names neither role.
        ttl: microseconds until it is taken back by itself.
        undo: OpenC2 action that takes it back.
        approval: whether the playbook itself asks for a person's consent, whatever the policy says.
    """

    step: str
    name: str
    actuator: str
    verb: str
    target_type: str
    target: str
    ttl: Micros
    undo: str
    approval: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A validated playbook.

    Attributes:
        name: how operators call it (the file's stem).
        playbook: its CACAO id.
        version: first 16 hex digits of the SHA-256 of its file.
        kinds: kinds of threats that it answers.
        duration: seconds that it is expected to take, before anything was learned.
        cost: its documented cost (disturbance of the business, 0-10).
        techniques, defends, csf: MITRE ATT&CK, MITRE D3FEND and NIST CSF 2.0 ids.
    """

    name: str
    playbook: str
    version: str
    title: str
    description: str
    kinds: tuple[ThreatKind, ...]
    steps: tuple[Step, ...]
    duration: float
    cost: float
    techniques: tuple[str, ...]
    defends: tuple[str, ...]
    csf: tuple[str, ...]
