"""Which playbook answers a threat: the fitting ones, and the selector that learns from what became of them.

Rules:
    1. Candidates answer the kind, can be carried out and taken back by the actuators that are set, and have a target
       here. One that would only be rehearsed is none where another is carried out. Among equals the one that disturbs
       least is the expert's choice.
    2. Every response has an outcome of its own, whether its threat was the gravest of the incident or not. It is a
       success when it held (all of its actions seen in force, one of them against the threat) and the threat did not go
       on until its time was over, or the incident was resolved; a failure when it was given up, or the threat went on
       although it held. What was lost before its time holds no more until it was seen in force again.
    3. Nothing is learned from what cannot be observed: a threat that a verdict calls wrong or an exception covers, a
       response that was never begun (rejected, expired, refused), one that held nothing back (a dry run, a ticket), and
       one that was taken back early, unless the threat had gone on before.
    4. What was learned is a function of the recorded facts; the seed of a choice is the response's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from agents.responder.concrete import targets_of
from agents.responder.playbook import Playbook
from agents.responder.respond_commands import Choice
from agents.responder.respond_state import Suspect
from domain.events import Fact
from domain.facts.assessment import ThreatSuppressed
from domain.facts.incident import IncidentContained, IncidentMerged, IncidentResolved
from domain.facts.response import (
    CONTAINING,
    DRY_RUN,
    ActionStarted,
    ActionUndone,
    ActionVerified,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    UndoReason,
)
from domain.facts.threat import ThreatContinued, VerdictGiven
from domain.values import MINUTE, SECOND, Level, Micros
from engine.planning import playbook_choice as selector
from engine.planning.posterior import UNDOCUMENTED

DOCUMENTED: Final[Mapping[str, float]] = {
    "contain": 0.7, "deny": 0.7, "redirect": 0.65, "set": 0.5, "investigate": 0.2, "create": 0.2,
}  # fmt: skip
"""Success that is expected of a playbook by its strongest OpenC2 action, before anything was learned."""

GRACE: Final = MINUTE
"""Evidence up to so long after everything was in force was still on its way."""

WATCHED: Final = 10_000
"""Responses whose end is awaited at most; the oldest are forgotten first."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A response whose outcome is not known yet.

    Attributes:
        began: actions that somebody wrote down who began them, and that are not only rehearsed.
        seen: actions that are in force, as far as is known.
        held_at, first_held: since when it holds, and when it did first; 0: it does not, it never did.
        went_on: the threat did, while it held.
    """

    proposed: ResponseProposed
    incident: UUID
    at: Micros
    began: set[UUID] = field(default_factory=set)
    seen: set[UUID] = field(default_factory=set)
    held_at: Micros = 0
    first_held: Micros = 0
    went_on: bool = False

    def holds(self, at: Micros) -> None:
        """It holds from now on, if it did not before."""
        self.held_at = self.held_at or at
        self.first_held = self.first_held or at

    def look(self, fact: ActionVerified, at: Micros) -> None:
        """An action was seen, in force or not."""
        if not fact.in_force:
            self.seen.discard(fact.action)
            self.held_at = 0
            return
        self.seen.add(fact.action)
        actions = self.proposed.actions
        if self.seen.issuperset(each.action for each in actions) and any(
            each.verb in CONTAINING and each.action in self.began for each in actions
        ):
            self.holds(at)


class Selector:
    """A `Chooser` over a library of playbooks.

    Args:
        playbooks: by name.
        fits: whether the actuators that are set can carry a playbook out and take it back.
        rehearsed: whether they would only write down what it does: it is a candidate where there is no other.
        local_networks: what is ours: a playbook that would act on the other side of a threat spares it.
    """

    def __init__(
        self,
        playbooks: Mapping[str, Playbook],
        fits: Callable[[Playbook], bool],
        local_networks: tuple[str, ...] = (),
        rehearsed: Callable[[Playbook], bool] = lambda _playbook: False,
    ) -> None:
        fitting = sorted((each for each in playbooks.values() if fits(each)), key=lambda each: (each.cost, each.name))
        self._playbooks = {each.name: each for each in fitting}
        self._unfit = tuple(each for each in playbooks.values() if each.name not in self._playbooks)
        self._rehearsed = frozenset(each.name for each in fitting if rehearsed(each))
        self._local_networks = local_networks
        self._state = selector.State()
        self._watched: dict[UUID, _Watched] = {}
        self._of_threat: dict[UUID, UUID] = {}

    def learn(self, fact: Fact, at: Micros) -> None:
        """Take in a fact that occurred at `at`."""
        match fact:
            case ResponseProposed():
                self._watch(fact, at)
            case ResponseRejected() | ResponseExpired():
                self._watched.pop(fact.response, None)
            case ActionStarted() | ActionVerified() if fact.response in self._watched:
                self._acted(self._watched[fact.response], fact, at)
            case IncidentContained() if fact.response in self._watched:  # of before it was written down who acted, too
                self._watched[fact.response].holds(at)
            case ThreatContinued():
                self._went_on(fact)
            case ActionUndone() if fact.response in self._watched:
                self._ended(self._watched.pop(fact.response), fact.reason, at)
            case _:
                self._learn_of_case(fact, at)

    def _learn_of_case(self, fact: Fact, at: Micros) -> None:
        """Take in what became of a threat or of an incident."""
        match fact:
            case VerdictGiven(verdict="incorrect") | ThreatSuppressed():
                for response in self._against(lambda each: each.proposed.threat == fact.threat):
                    del self._watched[response]
            case IncidentMerged():
                for response in self._against(lambda each: each.incident == fact.incident):
                    self._watched[response].incident = fact.into
            case IncidentResolved():
                for response in self._against(lambda each: each.incident == fact.incident and each.held_at > 0):
                    self._ended(self._watched.pop(response), "resolved", at)
            case _:
                pass

    def _against(self, wanted: Callable[[_Watched], bool]) -> list[UUID]:
        return [response for response, each in self._watched.items() if wanted(each)]

    def _watch(self, fact: ResponseProposed, at: Micros) -> None:
        self._watched[fact.response] = _Watched(proposed=fact, incident=fact.incident, at=at)
        self._of_threat[fact.threat] = fact.response
        for kept in (self._watched, self._of_threat):
            while len(kept) > WATCHED:
                del kept[next(iter(kept))]

    def choose(self, suspect: Suspect, asset_class: str, level: Level, seed: UUID) -> Choice | None:
        """The playbook for a threat; None when none fits."""
        del level
        fitting = [each for each in self._playbooks.values() if self._answers(each, suspect)]
        fitting = [each for each in fitting if each.name not in self._rehearsed] or fitting
        if not fitting:
            return None
        candidates = [_candidate(each) for each in fitting]
        made = selector.choose(self._state, suspect.kind, asset_class, candidates, seed.int & (2**63 - 1))
        return Choice(
            playbook=self._playbooks[made.playbook],
            candidates=tuple(each.playbook for each in candidates),
            propensity=made.propensity,
            success=made.success,
            duration=made.duration,
            cost=made.cost,
        )

    def lacking(self, suspect: Suspect) -> str:
        """Why no playbook fits a threat, and what to do about it."""
        aimless = [each.name for each in self._playbooks.values() if suspect.kind in each.kinds]
        unfit = [each.name for each in self._unfit if suspect.kind in each.kinds]
        if aimless:
            spared = "hosts of ours on its other side are spared, and only they can be contained"
            why = f"{', '.join(aimless)} would have no target here ({spared})"
        elif unfit:
            why = f"no actuator here can carry out {', '.join(unfit)}: see `myrmidon playbooks list`"
        else:
            why = "none answers that kind: put one into [playbooks] dir (docs/playbooks.md)"
        return f"no playbook can be proposed against {suspect.kind} of {suspect.entity}: {why}"

    def _answers(self, playbook: Playbook, suspect: Suspect) -> bool:
        return suspect.kind in playbook.kinds and any(
            targets_of(step, suspect, self._local_networks) for step in playbook.steps
        )

    @staticmethod
    def _acted(watched: _Watched, fact: ActionStarted | ActionVerified, at: Micros) -> None:
        if isinstance(fact, ActionVerified):
            watched.look(fact, at)
        elif fact.by not in {"", DRY_RUN}:
            watched.began.add(fact.action)

    def _went_on(self, fact: ThreatContinued) -> None:
        response = self._of_threat.get(fact.threat)
        watched = None if response is None else self._watched.get(response)
        if watched is not None and watched.held_at:
            watched.went_on = watched.went_on or fact.last_seen > watched.held_at + GRACE

    def _ended(self, watched: _Watched, why: UndoReason | Literal["resolved"], at: Micros) -> None:
        success = succeeded(why, held=watched.held_at > 0, went_on=watched.went_on)
        if success is None:
            return
        proposed, playbook = watched.proposed, self._playbooks.get(watched.proposed.playbook)
        self._state = selector.learn(
            self._state,
            proposed.threat_kind,
            proposed.asset_class,
            proposed.playbook,
            success=success,
            seconds=max(0, (watched.first_held or at) - watched.at) / SECOND,
            cost=playbook.cost if playbook else proposed.cost.mean,
            documented=_candidate(playbook) if playbook else None,
        )


def succeeded(why: UndoReason | Literal["resolved"], *, held: bool, went_on: bool) -> bool | None:
    """Whether a response that ended because of `why` was a success; None when nobody can know.

    >>> succeeded("ttl", held=True, went_on=False), succeeded("operator", held=True, went_on=True)
    (True, False)
    >>> succeeded("operator", held=True, went_on=False) is None
    True
    """
    if why == "failure" or (went_on and why != "verdict"):
        return False
    return True if held and why in {"ttl", "resolved"} else None


def _candidate(playbook: Playbook) -> selector.Candidate:
    return selector.Candidate(
        playbook=playbook.name,
        success=max(DOCUMENTED.get(step.verb, UNDOCUMENTED) for step in playbook.steps),
        duration=playbook.duration,
        cost=playbook.cost,
    )
