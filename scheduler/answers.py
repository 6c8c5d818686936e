"""What operators do with responses: approve, reject, take back, stop; through the decider, with an expected version."""

from __future__ import annotations

from uuid import UUID

from agents.responder import respond
from agents.responder.respond_commands import Approve, Reject, TakeBack
from agents.responder.respond_evolve import evolve
from agents.responder.respond_policy import Circumstances, ResponsePolicy
from agents.responder.respond_state import RESPONSE_FACTS, ResponseState
from domain.facts.operation import SettingChanged
from domain.facts.response import Mode, ResponseExpired, ResponseRejected, ResponseUnavailable
from domain.gate import CAREFUL
from domain.journal import Draft, Journal, Recorded, follow
from domain.values import Micros, event_id
from scheduler.response_mind import MODE, PERSON, observe


def work_response(
    journal: Journal,
    command: Approve | Reject | TakeBack,
    *,
    policy: ResponsePolicy,
    around: Circumstances,
    cause: UUID,
    now: Micros,
    actor: str,
) -> list[int]:
    """Let the decider answer an operator's command and record what follows; returns the positions.

    What the gate would refuse for the moment alone is not recorded as approved: it goes on waiting.

    Raises:
        respond.NotPossible: the response is over, or not in a state that allows it.
        Conflict: somebody else changed the response at the same moment: look at it again.
    """
    state, latest = _folded(journal)
    if command.response not in state.responses:
        raise respond.NotPossible(_over(command.response, latest.get(f"response/{command.response}")))
    drafts = []
    expected: dict[str, int] = {}
    for event in respond.decide(policy, command, state, around):
        stream = f"response/{event.response}"
        before = latest[stream]
        expected[stream] = before.version
        drafts.append(
            Draft(
                event_id=event_id(cause, stream, event.kind),
                stream=stream,
                fact=event,
                occurred_at=max(now, before.occurred_at),
                actor=actor,
                causation=before.event_id,
                correlation=before.correlation,
            )
        )
    return journal.append(drafts, expected=expected)


def set_mode(journal: Journal, mode: Mode, *, cause: UUID, now: Micros, actor: str) -> int:
    """Record the mode that an operator wants; `observe` takes back everything that is in force."""
    draft = Draft(
        event_id=event_id(cause, "settings", SettingChanged.kind),
        stream="settings",
        fact=SettingChanged(key=MODE, value=mode),
        occurred_at=now,
        actor=actor,
    )
    return journal.append([draft])[0]


def operators_mode(journal: Journal) -> Mode | None:
    """The mode that operators set last; None when they never did."""
    said = [
        r.fact.value
        for r in journal.read_stream("settings")
        if isinstance(r.fact, SettingChanged) and r.fact.key == MODE
    ]
    return next((mode for mode in CAREFUL if said and mode == said[-1]), None)


def _over(response: UUID, last: Recorded | None) -> str:
    """Why there is nothing left to say to a response, from the last fact about it."""
    name = str(response)[:8]
    match last.fact if last else None:
        case ResponseRejected() as fact:
            return f"response {name} was rejected ({fact.reason}): only a proposed one can be answered"
        case ResponseExpired():
            return f"response {name} was not answered in time: only a proposed one can be answered"
        case ResponseUnavailable() as fact:
            return f"nothing was proposed as {name}: {fact.reason}"
        case _:
            return f"response {name} is over: see `myrmidon responses show {name}`"


def _folded(journal: Journal) -> tuple[ResponseState, dict[str, Recorded]]:
    state = ResponseState()
    latest: dict[str, Recorded] = {}
    for facts in follow(journal):
        for recorded in facts:
            if isinstance(recorded.fact, RESPONSE_FACTS):
                evolve(state, recorded.fact, recorded.occurred_at, person=recorded.actor.startswith(PERSON))
                latest[recorded.stream] = recorded
            else:
                observe(state, recorded.fact)
    return state, latest
