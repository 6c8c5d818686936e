"""The responder's intake at work: threats are weighed, merged, silenced or grouped into incidents."""

from __future__ import annotations

from sys import intern

from agents.responder import decide as responder
from agents.responder.assess import Rule
from agents.responder.assets import Assets
from agents.responder.decide import UNKNOWN
from agents.responder.evolve import evolve, judge, learn, suppress, weigh
from agents.responder.policy import Policy
from agents.responder.state import INCIDENT_FACTS, THREAT_FACTS, Event, State, Threat
from domain.facts.assessment import SuppressionAdded, SuppressionRemoved, ThreatAssessed, ThreatMerged, ThreatSuppressed
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Draft, Journal, Recorded
from domain.sighting import topic_of
from domain.values import Micros
from scheduler.follower import Following, caused

NAME = "responder"

KINDS = frozenset(
    fact.kind
    for fact in (
        ThreatDetected,
        ThreatContinued,
        VerdictGiven,
        SuppressionAdded,
        SuppressionRemoved,
        *INCIDENT_FACTS,
        *THREAT_FACTS,
    )
)
"""What the intake looks at."""


class IntakeMind:
    """Groups threats into incidents; see `agents.responder.decide` for how."""

    def __init__(self, policy: Policy, assets: Assets) -> None:
        self.state = State()
        self._policy = policy
        self._assets = assets

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact of the past."""
        match recorded.fact:
            case ThreatDetected() | ThreatContinued() as fact:
                learn(self._policy, self.state, threat_of(fact), recorded.occurred_at)
            case VerdictGiven() as fact:
                judge(self.state, fact)
            case SuppressionAdded() | SuppressionRemoved() as fact:
                suppress(self.state, fact)
            case _ as fact if isinstance(fact, INCIDENT_FACTS + THREAT_FACTS):
                self._evolve(fact, recorded.occurred_at)
            case _:
                pass

    def decide(self, recorded: Recorded) -> list[Draft]:
        """What follows from a threat, a verdict or an exception."""
        self.fold(recorded)
        command = command_of(recorded)
        if command is None:
            return []
        drafts = []
        events = responder.decide(self._policy, command, self.state, self._assets)
        for ordinal, event in enumerate(events):
            stream, occurred_at = self._place(event, recorded.occurred_at)
            self._evolve(event, occurred_at)
            drafts.append(caused(recorded, stream, event, actor=NAME, ordinal=ordinal, occurred_at=occurred_at))
        return drafts

    def _place(self, event: Event, at: Micros) -> tuple[str, Micros]:
        """The stream of a fact, and when it occurs: not before what it follows in there."""
        if isinstance(event, ThreatAssessed | ThreatMerged | ThreatSuppressed):
            return f"assessment/{event.threat}", at
        known = self.state.incidents.get(event.incident)
        return f"incident/{event.incident}", max(at, known.changed_at if known else 0)

    def _evolve(self, event: Event, occurred_at: Micros) -> None:
        if isinstance(event, ThreatAssessed | ThreatMerged | ThreatSuppressed):
            weigh(self.state, event)
        else:
            evolve(self.state, event, occurred_at)


def intake(journal: Journal, policy: Policy, assets: Assets = UNKNOWN) -> Following:
    """The follower `responder`."""
    return Following(NAME, journal, lambda: IntakeMind(policy, assets), kinds=KINDS)


def command_of(recorded: Recorded) -> responder.Command | None:
    """What the responder is asked by a fact."""
    match recorded.fact:
        case ThreatDetected() | ThreatContinued() as fact:
            return responder.TakeIn(threat=fact.threat, at=recorded.occurred_at)
        case VerdictGiven() as fact:
            return responder.Reconsider(threat=fact.threat)
        case SuppressionAdded() as fact:
            return responder.Silence(suppression=fact.suppression)
        case _:
            return None


def threat_of(fact: ThreatDetected | ThreatContinued) -> Threat:
    """A threat's fact as the responder sees it; what repeats from threat to threat is held once."""
    first = fact if isinstance(fact, ThreatDetected) else None
    return Threat(
        threat=fact.threat,
        entity=intern(fact.entity),
        kind=fact.threat_kind,
        topic=intern(topic_of(fact.threat_kind, fact.rules, fact.about)),
        title=fact.title,
        risk=fact.risk,
        confidence=fact.confidence,
        rules=tuple(Rule(intern(hit.id), intern(hit.title), hit.level) for hit in fact.rules),
        peers=tuple(map(intern, fact.peers)),
        first_seen=fact.first_seen,
        last_seen=fact.last_seen,
        feed=intern(first.feed) if first else "",
        new=first is not None,
    )
