"""The responder's intake at work: threats become incidents."""

from __future__ import annotations

from agents.responder import decide as responder
from agents.responder.policy import Policy
from agents.responder.state import INCIDENT_FACTS, State, Threat, evolve, judge, learn
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Draft, Journal, Recorded
from domain.values import Micros
from scheduler.follower import Following, caused

NAME = "responder"


class IntakeMind:
    """Groups threats into incidents; see `agents.responder.decide` for how."""

    def __init__(self, policy: Policy) -> None:
        self.state = State()
        self._policy = policy

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact of the past."""
        if isinstance(recorded.fact, INCIDENT_FACTS):
            evolve(self.state, recorded.fact, recorded.occurred_at)
        else:
            observe(self.state, recorded)

    def decide(self, recorded: Recorded) -> list[Draft]:
        """The facts of incidents that follow from a threat or a verdict."""
        self.fold(recorded)
        command = command_of(recorded)
        if command is None:
            return []
        drafts = []
        for ordinal, event in enumerate(responder.decide(self._policy, command, self.state)):
            known = self.state.incidents.get(event.incident)
            occurred_at = max(recorded.occurred_at, known.changed_at if known else 0)
            evolve(self.state, event, occurred_at)
            stream = f"incident/{event.incident}"
            drafts.append(caused(recorded, stream, event, actor=NAME, ordinal=ordinal, occurred_at=occurred_at))
        return drafts


def intake(journal: Journal, policy: Policy) -> Following:
    """The follower `responder`."""
    return Following(NAME, journal, lambda: IntakeMind(policy))


def command_of(recorded: Recorded) -> responder.Command | None:
    """What the responder is asked by a fact."""
    match recorded.fact:
        case ThreatDetected() | ThreatContinued() as fact:
            return responder.TakeIn(threat=fact.threat, at=recorded.occurred_at)
        case VerdictGiven() as fact:
            return responder.Reconsider(threat=fact.threat)
        case _:
            return None


def observe(state: State, recorded: Recorded) -> None:
    """Let the responder's state know of a threat or a verdict."""
    match recorded.fact:
        case ThreatDetected() as fact:
            learn(state, _threat(fact, fact.first_seen))
        case ThreatContinued() as fact:
            learn(state, _threat(fact, fact.last_seen))
        case VerdictGiven() as fact:
            judge(state, fact)
        case _:
            pass


def _threat(fact: ThreatDetected | ThreatContinued, first_seen: Micros) -> Threat:
    return Threat(
        threat=fact.threat,
        entity=fact.entity,
        kind=fact.threat_kind,
        title=fact.title,
        level=fact.level,
        risk=fact.risk,
        peers=fact.peers,
        first_seen=first_seen,
        last_seen=fact.last_seen,
    )
