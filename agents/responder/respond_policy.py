"""What the responder may be told about responses, and what it needs to know of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.gate import GatePolicy
from domain.values import MINUTE, SECOND, Level, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePolicy:
    """Settings of responses.

    Attributes:
        gate: what the gate holds every action against.
        min_level: level of an incident from which a response is proposed.
        approval_timeout: time after which an unanswered proposal expires, us.
        tries: how often carrying out an action is tried, before it is given up and taken back.
        retry: time before the second try of anything, us; it doubles with each further one ...
        retry_most: ... up to this, us. An undo is tried without end.
        verify_every: time after which what is in force is looked at again, us; 0: never.
    """

    gate: GatePolicy = field(default_factory=GatePolicy)
    min_level: Level = "high"
    approval_timeout: Micros = 60 * MINUTE
    tries: int = 3
    retry: Micros = 2 * SECOND
    retry_most: Micros = 5 * MINUTE
    verify_every: Micros = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the decider cannot know by itself.

    Attributes:
        now: the wall clock.
        undoes: per actuator, (verb, target type) -> undo.
        bindings: per actuator, who it is now (`binding_of`).
        absent: actuators that cannot be made just now: what needs one waits.
        hosts: hosts of ours, as far as the settings say; more may have been seen.
    """

    now: Micros
    undoes: Mapping[str, Mapping[tuple[str, str], str]]
    bindings: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    hosts: int = 0


def back_off(policy: ResponsePolicy, attempt: int) -> Micros:
    """Time to wait after the `attempt`-th failure, us.

    >>> [back_off(ResponsePolicy(), attempt) // SECOND for attempt in (1, 2, 3, 20)]
    [2, 4, 8, 300]
    """
    return min(policy.retry_most, policy.retry << min(attempt - 1, 40))
