"""Which threats are to be answered by a response, for the first time or again, and under which id.

Rules:
    1. A threat is answered once an incident and level; one that was judged wrong, or that an exception covers, never.
    2. It is answered again in the place of a response that all was stopped for, or whose end it outlived (`Lapse`), as
       soon as the mode allows, while its incident is open and nothing else answers it.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from agents.responder.respond_policy import ResponsePolicy
from agents.responder.respond_state import ResponseState, Suspect, graver, mode_of
from domain.values import NAMESPACE, Level


def wants_response(
    policy: ResponsePolicy, state: ResponseState, incident: UUID, suspect: Suspect, level: Level
) -> bool:
    """Whether a response is to be proposed: grave enough, not judged wrong, and not answered at this level before."""
    if not _matters(policy, state, suspect, level):
        return False
    before = state.answered.get((incident, suspect.threat))
    return before is None or graver(level, before)


def _matters(policy: ResponsePolicy, state: ResponseState, suspect: Suspect, level: Level) -> bool:
    dismissed = suspect.threat in state.wrong or suspect.threat in state.covered
    return not dismissed and not graver(policy.min_level, level)


def wanted_again(policy: ResponsePolicy, state: ResponseState) -> list[tuple[UUID, Suspect, Level]]:
    """Incidents, threats and levels of the responses that are to be proposed again now."""
    if not state.wanted or mode_of(policy.gate.mode, state) == "observe":
        return []
    answered = {each.proposed.threat for each in state.responses.values()}
    found = []
    for threat in state.wanted:
        suspect, incident = state.suspects.get(threat), state.home.get(threat)
        if suspect is None or incident is None or incident in state.over or threat in answered:
            continue
        before = state.answered.get((incident, threat), suspect.level)
        level = before if graver(before, suspect.level) else suspect.level
        if _matters(policy, state, suspect, level):
            found.append((incident, suspect, level))
    return found


def response_id(incident: UUID, threat: UUID, level: Level, again: UUID | None = None) -> UUID:
    """Id of the response to a threat of an incident at a level; `again`: the one that ended before it."""
    after = f"|{again.hex}" if again else ""
    return uuid5(NAMESPACE, f"response|{incident.hex}|{threat.hex}|{level}{after}")
