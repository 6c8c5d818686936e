"""What is to be done in the world now: a function of the state and the clock, so a restart goes on where it stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from agents.responder.respond_policy import ResponsePolicy, back_off
from agents.responder.respond_state import Held, ResponseState
from domain.facts.response import Action, UndoReason
from domain.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to be done in the world now.

    Attributes:
        why: why it is taken back, if it is.
        ends: when the action itself is over.
        until: when the target is let go, by the last of those that hold it.
        by: the actuator that began it; empty when nobody wrote it down.
        again: it may have been done already: look first. What cannot have been done needs no taking back either.
    """

    response: UUID
    action: Action
    did: Literal["do", "undo", "look"]
    why: UndoReason | None
    ends: Micros
    until: Micros
    again: bool
    urgency: float
    by: str = ""


def why_back(policy: ResponsePolicy, held: Held, now: Micros) -> UndoReason | None:
    """Why an action is to be taken back now; None when it is to stay."""
    if held.undo is not None:
        return held.undo
    if held.expires_at <= now:
        return "ttl"
    return "failure" if held.tries >= policy.tries else None


def tasks(policy: ResponsePolicy, state: ResponseState, now: Micros) -> list[Task]:
    """What is to be done in the world now. What is under way already is offered again: the outbox knows it."""
    found = []
    for held in state.live.values():
        back = why_back(policy, held, now)
        if not back and held.state != "started":
            continue
        failures = held.undo_tries if back else held.tries
        if failures and now - held.failed_at < back_off(policy, failures):
            continue
        found.append(
            Task(
                response=held.response,
                action=held.action,
                did="undo" if back else "do",
                why=back,
                ends=held.expires_at,
                until=state.until(held),
                again=held.touched,
                urgency=11.0 if back else 1.0,
                by=held.by,
            )
        )
    return found


def looks(policy: ResponsePolicy, state: ResponseState, now: Micros, looked: Mapping[UUID, Micros]) -> list[Task]:
    """What is in force and to be looked at again now. `looked`: when each was looked at last by this process."""
    return [
        Task(
            response=held.response,
            action=held.action,
            did="look",
            why=None,
            ends=held.expires_at,
            until=state.until(held),
            again=True,
            urgency=0.5,
            by=held.by,
        )
        for held in state.live.values()
        if policy.verify_every
        and held.state == "verified"
        and why_back(policy, held, now) is None
        and now - looked.get(held.action.action, now - policy.verify_every) >= policy.verify_every
    ]
