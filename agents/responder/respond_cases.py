"""What the responder remembers of threats and incidents, beside its responses.

Rules:
    1. A threat stands in one incident: what was done about it in an open one before is done about it there.
    2. What ended for a reason that may pass (`Lapse`) is wanted again with new evidence, or when a verdict says so.
"""

from __future__ import annotations

from uuid import UUID

from agents.responder.respond_state import Lapse, ResponseState, Suspect, bound, graver
from domain.values import Micros


def remember(state: ResponseState, suspect: Suspect) -> None:
    """Know a threat, or know it better."""
    state.suspects.pop(suspect.threat, None)
    state.suspects[suspect.threat] = suspect
    bound(state.suspects)


def belong(state: ResponseState, incident: UUID, threat: UUID) -> None:
    """Know which incident a threat stands in. What was done about it in another open one is done about it here."""
    before = state.home.get(threat, incident)
    if before != incident and before not in state.over:
        _move(state, threat, before, incident)
    state.home[threat] = incident
    state.members.setdefault(incident, {})[threat] = None
    bound(state.members)
    bound(state.home)


def merge(state: ResponseState, incident: UUID, into: UUID) -> None:
    """Know that an incident went on in another one; what contained it contains the other only if that was contained."""
    for threat in state.members.pop(incident, {}):
        belong(state, into, threat)
    settled(state, incident)
    holding = state.contained.pop(incident, {})
    if into in state.contained:
        state.contained[into] |= holding


def _move(state: ResponseState, threat: UUID, before: UUID, incident: UUID) -> None:
    for levels in (state.answered, state.unanswered):
        level, other = levels.pop((before, threat), None), levels.get((incident, threat))
        if level is not None and (other is None or graver(level, other)):
            levels[incident, threat] = level
    for response in state.responses.values():
        if response.incident == before and response.proposed.threat == threat:
            response.incident = incident


def end(state: ResponseState, incident: UUID) -> None:
    """Know that an incident is resolved."""
    settled(state, incident)
    for threat in [each for each in state.members.get(incident, ()) if each in state.wanted]:
        state.lapsed[threat] = Lapse(response=state.wanted.pop(threat), at=0)
    state.over[incident] = None
    bound(state.over)


def cover(state: ResponseState, threat: UUID) -> None:
    """Know that an exception covers a threat, until `uncover` or a verdict of correct."""
    state.covered[threat] = None
    bound(state.covered)


def uncover(state: ResponseState, threat: UUID) -> None:
    """Know that no exception covers a threat any more: it opened or joined an incident by itself."""
    state.covered.pop(threat, None)


def contain(state: ResponseState, incident: UUID, response: UUID) -> None:
    """Know that a response contains an incident."""
    state.contained.setdefault(incident, {})[response] = None
    bound(state.contained)
    settled(state, incident)


def settled(state: ResponseState, incident: UUID) -> None:
    """What failed against an incident matters no more: it is over, or held back by something else."""
    for response in [known for known, of in state.failed.items() if of == incident]:
        del state.failed[response]


def judge_threat(state: ResponseState, threat: UUID, *, wrong: bool) -> None:
    """A verdict: to a false alarm nothing is proposed any more."""
    state.wrong.pop(threat, None)
    state.covered.pop(threat, None)
    if wrong:
        state.wrong[threat] = None
        bound(state.wrong)
    elif threat in state.lapsed and not state.lapsed[threat].at:
        state.wanted[threat] = state.lapsed.pop(threat).response


def evidence(state: ResponseState, threat: UUID, last_seen: Micros) -> None:
    """Know that a threat goes on: what lapsed before that is wanted again."""
    lapse = state.lapsed.get(threat)
    if lapse is not None and last_seen > lapse.at and threat not in state.wrong:
        state.wanted[threat] = state.lapsed.pop(threat).response
