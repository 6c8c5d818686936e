"""The operators' desk: commands of people, through the same deciders as the agents', with an expected version.

An operator's cause is the id of the command, drawn by the shell: a third verdict is a third fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from agents.responder import decide as responder
from agents.responder.evolve import evolve
from agents.responder.policy import Policy
from agents.responder.state import INCIDENT_FACTS, State
from domain.errors import MyrmidonError
from domain.facts.alert import AlertRetried
from domain.facts.threat import ThreatDetected, VerdictGiven
from domain.journal import Draft, Journal, follow
from domain.values import Micros, Verdict, event_id

Work: TypeAlias = responder.Acknowledge | responder.Resolve | responder.Annotate
"""What operators do with an incident."""


class NotFound(MyrmidonError):  # noqa: N818 - says what it is
    """There is nothing under that id."""


def work_incident(
    journal: Journal, command: Work, *, policy: Policy, cause: UUID, now: Micros, actor: str
) -> list[int]:
    """Let the responder's decider answer an operator's command and record what follows; returns the positions.

    Raises:
        responder.NotPossible: the incident is unknown, or not in a state that allows it.
        Conflict: somebody else changed the incident at the same moment: look at it again.
    """
    # of the incident alone: what the operator was shown is there for ever, whatever the responder remembers
    state, before = State(), None
    for recorded in journal.read_stream(f"incident/{command.incident}"):
        if isinstance(recorded.fact, INCIDENT_FACTS):
            evolve(state, recorded.fact, recorded.occurred_at)
        before = recorded  # whoever wrote it last
    drafts = []
    stream = f"incident/{command.incident}"
    for index, event in enumerate(responder.decide(policy, command, state)):
        assert before is not None, "an unknown incident is refused"  # noqa: S101 - narrows the type
        drafts.append(
            Draft(
                event_id=event_id(cause, stream, event.kind, index),
                stream=stream,
                fact=event,
                occurred_at=max(now, before.occurred_at),
                actor=actor,
                causation=before.event_id,
                correlation=before.correlation,
            )
        )
    return journal.append(drafts, expected={stream: before.version}) if before and drafts else []


def find_one(journal: Journal, prefix: str, kinds: Sequence[str] = ("threat", "incident")) -> UUID:
    """The threat or incident whose id begins with `prefix`.

    Raises:
        NotFound: none does, or more than one.
    """
    wanted = prefix.lower().replace("-", "")
    found: set[UUID] = set()
    for facts in follow(journal):
        for recorded in facts:
            kind, _, name = recorded.stream.partition("/")
            if kind in kinds and name.replace("-", "").startswith(wanted):
                found.add(UUID(name))
    if len(found) == 1:
        return found.pop()
    what = " or ".join(kinds)
    if not found:
        raise NotFound(f"no {what} has an id that begins with {prefix!r}: see `myrmidon {kinds[0]}s list`")
    raise NotFound(f"{len(found)} ids begin with {prefix!r}: give more digits")


def give_verdict(
    journal: Journal,
    threat: UUID,
    verdict: Verdict,
    *,
    confidence: float,
    correction: str,
    cause: UUID,
    now: Micros,
    actor: str,
) -> int:
    """Record what an operator thinks of a threat; returns the position.

    Raises:
        NotFound: there is no such threat.
    """
    history = journal.read_stream(f"threat/{threat}")
    if not history or not isinstance(history[0].fact, ThreatDetected):
        raise NotFound(f"threat {threat} is not known: see `myrmidon threats list`")
    stream = f"verdict/{threat}"
    draft = Draft(
        event_id=event_id(cause, stream, VerdictGiven.kind),
        stream=stream,
        fact=VerdictGiven(threat=threat, verdict=verdict, confidence=confidence, correction=correction),
        occurred_at=max(now, history[-1].occurred_at),
        actor=actor,
        causation=history[0].event_id,
        correlation=history[0].correlation,
    )
    return journal.append([draft])[0]


def retry_alert(journal: Journal, alert: UUID, channel: str, *, cause: UUID, now: Micros, actor: str) -> list[int]:
    """Record that a dead letter is to be delivered after all; returns the position."""
    stream = f"alert/{alert}"
    last = journal.read_stream(stream)[-1]
    draft = Draft(
        event_id=event_id(cause, stream, AlertRetried.kind),
        stream=stream,
        fact=AlertRetried(alert=alert, channel=channel),
        occurred_at=max(now, last.occurred_at),
        actor=actor,
        causation=last.event_id,
        correlation=last.correlation,
        region=last.region,
    )
    return journal.append([draft], expected={stream: last.version})
