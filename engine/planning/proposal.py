"""Which responder should take which open incident, and what is to be expected of it.

Rules:
    1. A responder may take an incident whose kind is among the skills ("*": every kind).
    2. A pair is worth the risk of the incident times the expected probability that it is ended for good; it takes the
       expected hours of the responder's capacity. `engine.planning.allocation` makes the sum as large as possible.
    3. What is expected is learned from incidents that people ended before (`engine.planning.playbook_choice`, with the
       work of people as one more playbook, `BY_HAND`). Its cost is the hours at the responder's rate.
    4. Incidents are taken gravest first, then by id; responders by name: the order in which they come decides nothing.

    >>> team = [Responder(name="ana", hours=2.0, skills=("beacon",)), Responder(name="bo", hours=8.0, skills=("*",))]
    >>> open_ones = [Open(incident="a1", kind="beacon", risk=8.0), Open(incident="b2", kind="flood", risk=6.0)]
    >>> made = propose(open_ones, team, State(), Start())
    >>> [(each.incident, each.responder) for each in made.assignments], made.plan.proven
    ([('a1', 'ana'), ('b2', 'bo')], True)
    >>> made.assignments[0].hours.mean
    2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.facts.response import Estimate
from engine.planning.allocation import NOBODY, Plan, allocate
from engine.planning.playbook_choice import Candidate, State, expect

BY_HAND: Final = "by-hand"
"""Name of the work of people among the playbooks of a state."""

HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Somebody who can take incidents.

    Attributes:
        hours: free capacity.
        skills: kinds of threats; "*" is all of them.
        rate: what an hour costs.
    """

    name: str
    hours: float
    skills: tuple[str, ...] = ("*",)
    rate: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An incident to be worked: its gravest kind, its risk (0-10), the class of its asset ("" if none)."""

    incident: str
    kind: str
    risk: float
    asset_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is assumed before anything was learned: hours an incident takes, probability that it is over for good."""

    hours: float = 2.0
    success: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who takes an incident (None: nobody can now), and what is expected, with 90% intervals."""

    incident: str
    responder: str | None
    success: Estimate
    hours: Estimate
    cost: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The assignments, gravest incident first, and what is known of the plan as a whole."""

    assignments: tuple[Assignment, ...]
    plan: Plan


def propose(
    incidents: Sequence[Open], responders: Sequence[Responder], state: State, start: Start, *, seconds: float = 2.0
) -> Proposal:
    """Allocate responders over incidents.

    Args:
        incidents: the open ones.
        responders: of different names.
        state: outcomes of `BY_HAND` so far.
        start: what is assumed before.
        seconds: time limit of the solver (wall clock).
    """
    rows = sorted(incidents, key=lambda each: (-each.risk, each.incident))
    team = sorted(responders, key=lambda each: each.name)
    by_hand = Candidate(playbook=BY_HAND, success=start.success, duration=start.hours * HOUR, cost=0.0)
    outlook = {(each.kind, each.asset_class): expect(state, each.kind, each.asset_class, by_hand) for each in rows}
    expected = [outlook[each.kind, each.asset_class][:2] for each in rows]
    shape = (len(rows), len(team))
    skilled = np.array([[_can(who, each.kind) for who in team] for each in rows]).reshape(shape)
    worth = np.array([each.risk * success.mean for each, (success, _) in zip(rows, expected, strict=True)])
    load = np.array([time.mean / HOUR for _, time in expected])
    plan = allocate(
        np.where(skilled, worth[:, None], 0.0),
        np.broadcast_to(load[:, None], shape),
        np.array([who.hours for who in team]),
        seconds=seconds,
    )
    made = zip(rows, expected, plan.chosen, strict=True)
    return Proposal(
        assignments=tuple(
            _assignment(each, *told, team[place] if place != NOBODY else None) for each, told, place in made
        ),
        plan=plan,
    )


def _can(who: Responder, kind: str) -> bool:
    return "*" in who.skills or kind in who.skills


def _assignment(each: Open, success: Estimate, time: Estimate, who: Responder | None) -> Assignment:
    return Assignment(
        incident=each.incident,
        responder=who.name if who else None,
        success=success,
        hours=_times(time, 1.0 / HOUR),
        cost=_times(time, who.rate / HOUR) if who else None,
    )


def _times(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(
        mean=round(estimate.mean * factor, 2),
        low=round(estimate.low * factor, 2),
        high=round(estimate.high * factor, 2),
    )
