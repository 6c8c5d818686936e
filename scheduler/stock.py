"""Taking stock at the start of a run: the stored artifacts of the models that vote must be there, and as they were put.

Rules:
    1. A model serves from the working state, where it is verified by its hash too. An artifact that is missing or
       changed is refused and told; it is left as it is, for whoever wants to know what happened to it.
    2. Where the working state is gone as well, the models are fitted anew from the feed, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

from adapters.artifacts import Artifacts
from domain.facts.model import ArtifactRefused
from domain.journal import Draft, Journal
from domain.values import Micros, event_id
from scheduler.recovery import History


def take_stock(
    journal: Journal,
    artifacts: Artifacts,
    known: Mapping[str, History],
    *,
    now: Callable[[], Micros],
    warn: Callable[[str], None],
) -> None:
    """Tell and record every model whose artifact is not what the log says."""
    for feed, history in known.items():
        for name, trained in sorted(history.models.items()):
            reason = artifacts.fault(trained.sha256)
            if not reason:
                continue
            warn(
                f"feed {feed}: model {name} {trained.version}: {reason}. Refused; the model of the working state "
                "goes on serving; `audit rescore` needs the artifact: restore it from a backup"
            )
            fact = ArtifactRefused(model=name, version=trained.version, sha256=trained.sha256, reason=reason)
            stream = f"model/{feed}.{name}"
            journal.append(
                [
                    Draft(
                        event_id=event_id(uuid4(), stream, fact.kind),
                        stream=stream,
                        fact=fact,
                        occurred_at=now(),
                        actor="detector",
                    )
                ]
            )
