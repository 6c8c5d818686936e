"""What the gate says of a response as things stand, action by action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agents.responder.respond_policy import Circumstances, ResponsePolicy
from agents.responder.respond_state import Response, ResponseState
from domain.facts.response import Action
from domain.gate import PASSING, Request, Ruling, Standing, admit
from domain.targets import target_of


def rulings_on(
    policy: ResponsePolicy, state: ResponseState, response: Response, around: Circumstances
) -> Iterator[tuple[Action, Ruling]]:
    """The gate's ruling on each action of a response, each with those before it counted in."""
    standing = standing_of(state, around)
    for action in response.proposed.actions:
        request = Request(
            action=action,
            level=response.proposed.level,
            asset_class=response.proposed.asset_class,
            asks=action.action in response.proposed.asking,
            consent=response.consent,
            undoes=around.undoes.get(action.actuator, {}),
            mode=state.mode,
            now=around.now,
        )
        ruling = admit(policy.gate, request, standing)
        yield action, ruling
        if ruling.outcome != "refuse":
            target = target_of(action)
            standing = Standing(
                targets=standing.targets | {target},
                started=(*standing.started, (around.now, target)),
                hosts=standing.hosts,
            )


def standing_of(state: ResponseState, around: Circumstances) -> Standing:
    """What the gate has to know of the moment."""
    return Standing(
        targets=frozenset(target for _, _, target, _ in state.holds),
        started=tuple(state.started),
        hosts=max(state.hosts, around.hosts),
    )


def no_room(rulings: Sequence[Ruling]) -> bool:
    """Whether all of a response is refused, by what passes by itself: it can wait."""
    return bool(rulings) and all(ruling.outcome == "refuse" and ruling.check in PASSING for ruling in rulings)


def with_room(
    policy: ResponsePolicy, state: ResponseState, response: Response, around: Circumstances
) -> list[tuple[Action, Ruling]]:
    """The gate's rulings on a response as if nothing else were in force: what it would say once there is room."""
    empty = ResponseState(mode=state.mode, hosts=state.hosts)
    return list(rulings_on(policy, empty, response, around))
