"""What the responder makes of facts: proposals out of incidents, what begins, what is withdrawn, what is contained.

Rules:
    1. It is a function of the facts in log order, of the clock that is passed in, and of the policy.
    2. A fact of a response follows from the one before it; an incident is contained, and released, by what its last
       action became.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

from agents.responder import respond
from agents.responder import respond_commands as commands
from agents.responder.holding import contained_by, gravest, released_by, weighed
from agents.responder.ports import Actuator, binding_of
from agents.responder.respond_cases import (
    belong,
    contain,
    cover,
    end,
    evidence,
    judge_threat,
    merge,
    remember,
    uncover,
)
from agents.responder.respond_commands import Choice, Command
from agents.responder.respond_evolve import evolve
from agents.responder.respond_policy import Circumstances, ResponsePolicy
from agents.responder.respond_state import RESPONSE_FACTS, STOPPED, ResponseEvent, ResponseState, Suspect, bound
from agents.responder.wanted import response_id, wanted_again, wants_response
from domain.events import Fact
from domain.facts.assessment import ThreatAssessed, ThreatSuppressed
from domain.facts.incident import (
    IncidentContained,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReleased,
    IncidentReopened,
    IncidentResolved,
    ReleaseReason,
    ThreatLinked,
)
from domain.facts.operation import SettingChanged
from domain.facts.response import ActionUndone, ActionVerified, ResponseApproved
from domain.facts.telemetry import BaselineLearned
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.gate import CAREFUL
from domain.journal import Draft, Recorded
from domain.values import Level, Micros, event_id
from scheduler.follower import caused

NAME: Final = "responses"
MODE = "response.mode"
"""Key of the setting by which operators change the mode."""

PERSON = "operator:"
"""How the actor of an operator's facts begins."""


class Chooser(Protocol):
    """Chooses playbooks, and learns from what became of them. A pure function of the facts that it was shown."""

    def learn(self, fact: Fact, at: Micros) -> None:
        """Take in a fact that occurred at `at`."""

    def choose(self, suspect: Suspect, asset_class: str, level: Level, seed: UUID) -> Choice | None:
        """The playbook for a threat; None when none fits."""

    def lacking(self, suspect: Suspect) -> str:
        """Why none fits, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the responder needs beside the log.

    Args:
        actuators: by name.
        chooser: makes a chooser that has learned nothing yet.
        classify: class of the asset behind an entity.
        now: the wall clock.
        hosts: hosts of ours, as far as the settings say.
        warn: told once a kind of threat (the first argument) what an operator should know of it.
        faults: what is wrong with the actuators themselves.
        rehearsed: actuators that only write down what they would do: nothing is contained by them.
    """

    actuators: Mapping[str, Actuator]
    chooser: Callable[[], Chooser]
    classify: Callable[[str], str]
    now: Callable[[], Micros]
    hosts: int = 0
    rehearsed: frozenset[str] = frozenset()
    warn: Callable[[str, str], None] = lambda _about, _line: None
    faults: Callable[[], Sequence[str]] = tuple

    def around(self) -> Circumstances:
        """What the decider cannot know by itself."""
        undoes = {name: actuator.undoes for name, actuator in self.actuators.items()}
        bindings = {name: binding_of(actuator) for name, actuator in self.actuators.items()}
        return Circumstances(now=self.now(), undoes=undoes, bindings=bindings, hosts=self.hosts)


@dataclass(slots=True)
class _Trail:
    """The last fact of a response: what the next one follows from."""

    last: UUID
    workflow: UUID | None
    at: Micros


class ResponseMind:
    """Proposes, begins and withdraws responses as facts come; see `agents.responder.respond` for how."""

    def __init__(self, policy: ResponsePolicy, world: World) -> None:
        self.state = ResponseState()
        self.policy = policy
        self._world = world
        self._chooser = world.chooser()
        self._trails: dict[UUID, _Trail] = {}
        self._ended: dict[UUID, _Trail] = {}

    def fold(self, recorded: Recorded) -> None:
        """Remember a fact."""
        if isinstance(recorded.fact, RESPONSE_FACTS):
            self._apply(
                recorded.fact,
                _Trail(last=recorded.event_id, workflow=recorded.correlation, at=recorded.occurred_at),
                person=recorded.actor.startswith(PERSON),
            )
        else:
            observe(self.state, recorded.fact)
        self._chooser.learn(recorded.fact, recorded.occurred_at)

    def decide(self, recorded: Recorded) -> list[Draft]:
        """What follows from a new fact."""
        self.fold(recorded)
        drafts: list[Draft] = []
        for command in self._commands(recorded):
            events = respond.decide(self.policy, command, self.state, self._world.around())
            for event in events:
                drafts.append(self._caused(recorded, event, len(drafts)))
            for approved in [event for event in events if isinstance(event, ResponseApproved)]:
                begin = commands.Begin(response=approved.response)
                for event in respond.decide(self.policy, begin, self.state, self._world.around()):
                    drafts.append(self._caused(recorded, event, len(drafts)))
        return drafts + self._weighed(recorded)

    def _weighed(self, recorded: Recorded) -> list[Draft]:
        """The incidents that are contained, or no longer, because others of their threats count now."""
        drafts = []
        reason: ReleaseReason = "verdict" if isinstance(recorded.fact, VerdictGiven) else "graver"
        for incident in _changed(self.state, recorded.fact):
            event = weighed(self.state, incident, reason, self._world.rehearsed)
            # what held a covered threat back is released when it has been taken back
            early = isinstance(recorded.fact, ThreatSuppressed) and isinstance(event, IncidentReleased)
            if event is not None and not early:
                stream = f"incident/{incident}"
                drafts.append(caused(recorded, stream, event, actor=NAME, occurred_at=self._world.now()))
                self.absorb(drafts[-1])
        return drafts

    def follow_up(self, response: UUID, events: Sequence[ResponseEvent]) -> list[Draft]:
        """Drafts of what became of a response by itself (an outcome, a time-out), each following from the last."""
        known = self._trails[response]
        trail = _Trail(last=known.last, workflow=known.workflow, at=max(known.at, self._world.now()))
        drafts = []
        for event in events:
            drafts.append(_next(trail, f"response/{response}", event))
            trail.last = drafts[-1].event_id
        return drafts

    def again(self) -> list[Draft]:
        """Proposals in the place of those that ended, absorbed already: each follows from the end of the one before."""
        drafts = []
        for incident, suspect, level in wanted_again(self.policy, self.state):
            before = self.state.wanted.pop(suspect.threat)  # where no playbook fits, that is not asked twice
            ended = self._ended.get(before)
            if ended is None:
                continue
            trail = _Trail(last=ended.last, workflow=ended.workflow, at=max(ended.at, self._world.now()))
            command = self._chosen(incident, suspect, level, before)
            for event in respond.decide(self.policy, command, self.state, self._world.around()):
                drafts.append(_next(trail, f"response/{event.response}", event))
                trail.last = drafts[-1].event_id
                self.absorb(drafts[-1])
        return drafts

    def absorb(self, draft: Draft) -> None:
        """Remember a fact of our own that was just recorded."""
        if isinstance(draft.fact, RESPONSE_FACTS):
            trail = _Trail(last=draft.event_id, workflow=draft.correlation, at=draft.occurred_at)
            self._apply(draft.fact, trail, person=False)
        else:
            observe(self.state, draft.fact)
        self._chooser.learn(draft.fact, draft.occurred_at)

    def concluded(self, draft: Draft) -> list[Draft]:
        """What a fact of ours, absorbed already, means for its incident: it is contained now, or no longer."""
        event = self._of_incident(draft.fact)
        if event is None:
            return []
        trail = _Trail(last=draft.event_id, workflow=draft.correlation, at=draft.occurred_at)
        return [_next(trail, f"incident/{event.incident}", event)]

    def _of_incident(self, fact: Fact) -> IncidentContained | IncidentReleased | None:
        match fact:
            case ActionVerified(in_force=True):
                return contained_by(self.state, fact.response, self._world.rehearsed)
            case ActionUndone():
                return released_by(self.state, fact.response, fact.reason, self._world.rehearsed)
            case _:
                return None

    def _apply(self, fact: ResponseEvent, trail: _Trail, *, person: bool) -> None:
        evolve(self.state, fact, trail.at, person=person)
        if fact.response in self.state.responses:
            self._trails[fact.response] = trail
        else:
            self._trails.pop(fact.response, None)
            self._ended[fact.response] = trail
            bound(self._ended)

    def _caused(self, recorded: Recorded, event: ResponseEvent, ordinal: int) -> Draft:
        stream = f"response/{event.response}"
        draft = caused(recorded, stream, event, actor=NAME, ordinal=ordinal, occurred_at=self._world.now())
        known = self._trails.get(event.response)
        if known is not None:  # whatever ends a response (a stop, an exception), it stays in its own workflow
            draft = replace(draft, correlation=known.workflow)
        self.absorb(draft)
        return draft

    def _commands(self, recorded: Recorded) -> list[Command]:
        """What the responder is asked by a fact."""
        match recorded.fact:
            case IncidentOpened() as fact:
                return self._propose(fact.incident, self.state.suspects.get(fact.threat), fact.level)
            case ThreatLinked() as fact:
                suspect = self.state.suspects.get(fact.threat)
                return self._propose(fact.incident, suspect, suspect.level if suspect else fact.level)
            case IncidentEscalated() as fact:
                return self._propose(fact.incident, gravest(self.state, fact.incident), fact.level)
            case VerdictGiven(verdict="incorrect") as fact:
                return [commands.Recall(threat=fact.threat, reason="verdict", says="its threat was judged incorrect")]
            case ThreatSuppressed() as fact:
                says = f"an exception covers its threat ({str(fact.suppression)[:8]}: {fact.reason})"
                return [commands.Recall(threat=fact.threat, reason="exception", says=says)]
            case IncidentResolved() as fact:
                return [commands.Withdraw(incident=fact.incident)]
            case SettingChanged(key="response.mode", value="observe"):
                return [commands.Recall(threat=None, reason="stop", says=STOPPED)]
            case ResponseApproved() as fact:
                return [commands.Begin(response=fact.response)]
            case _:
                return []

    def _propose(self, incident: UUID, suspect: Suspect | None, level: Level) -> list[Command]:
        if suspect is None or not wants_response(self.policy, self.state, incident, suspect, level):
            return []
        return [self._chosen(incident, suspect, level, None)]

    def _chosen(
        self, incident: UUID, suspect: Suspect, level: Level, again: UUID | None
    ) -> commands.Propose | commands.Regret:
        asset_class = self._world.classify(suspect.entity)
        seed = response_id(incident, suspect.threat, level, again)
        choice = self._chooser.choose(suspect, asset_class, level, seed)
        if choice is None:
            reason = self._chooser.lacking(suspect)
            self._world.warn(suspect.kind, reason)
            return commands.Regret(incident=incident, suspect=suspect, level=level, reason=reason)
        return commands.Propose(
            incident=incident, suspect=suspect, level=level, asset_class=asset_class, choice=choice, again=again
        )


def observe(state: ResponseState, fact: Fact) -> None:
    """Let the state know of what others recorded."""
    match fact:
        case ThreatContinued() if fact.threat in state.suspects:  # how grave it is, its assessment says
            known = state.suspects[fact.threat]
            remember(state, replace(known, entity=fact.entity, kind=fact.threat_kind, peers=fact.peers))
            evidence(state, fact.threat, fact.last_seen)
        case ThreatDetected() | ThreatContinued():
            remember(
                state,
                Suspect(
                    threat=fact.threat,
                    entity=fact.entity,
                    kind=fact.threat_kind,
                    level=fact.level,
                    risk=fact.risk,
                    peers=fact.peers,
                ),
            )
        case ThreatAssessed() if fact.threat in state.suspects:
            remember(state, replace(state.suspects[fact.threat], level=fact.level, risk=fact.risk))
        case VerdictGiven():
            judge_threat(state, fact.threat, wrong=fact.verdict == "incorrect")
        case SettingChanged(key="response.mode", value=value):
            state.mode = next((mode for mode in CAREFUL if mode == value), "observe")
        case BaselineLearned():
            state.hosts = max(state.hosts, fact.hosts)
        case _:
            _observe_incident(state, fact)


def _changed(state: ResponseState, fact: Fact) -> list[UUID]:
    """The incidents of which other threats may count after a fact."""
    match fact:
        case ThreatLinked() | IncidentEscalated() | IncidentReopened():
            return [fact.incident]
        case IncidentMerged():
            return [fact.into]
        case VerdictGiven() | ThreatSuppressed() if fact.threat in state.home:
            return [state.home[fact.threat]]
        case _:
            return []


def _observe_incident(state: ResponseState, fact: Fact) -> None:
    match fact:
        case IncidentOpened() | ThreatLinked():
            belong(state, fact.incident, fact.threat)
            if not (isinstance(fact, ThreatLinked) and fact.reason == "merged"):
                uncover(state, fact.threat)
        case IncidentMerged():
            merge(state, fact.incident, fact.into)
        case IncidentContained():
            contain(state, fact.incident, fact.response)
        case IncidentReleased():
            state.contained.pop(fact.incident, None)
        case IncidentResolved():
            end(state, fact.incident)
        case IncidentReopened():
            state.over.pop(fact.incident, None)
            belong(state, fact.incident, fact.threat)
            uncover(state, fact.threat)
        case ThreatSuppressed():
            cover(state, fact.threat)
        case _:
            pass


def _next(trail: _Trail, stream: str, fact: ResponseEvent | IncidentContained | IncidentReleased) -> Draft:
    """The draft of what follows from the last fact of a response."""
    return Draft(
        event_id=event_id(trail.last, stream, fact.kind),
        stream=stream,
        fact=fact,
        occurred_at=trail.at,
        actor=NAME,
        causation=trail.last,
        correlation=trail.workflow,
    )
