"""Drafts for the tests of the log: small, derived from a number, so that the same number is the same draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from uuid import uuid5

from domain.facts.incident import NoteAdded
from domain.facts.operation import HealthReported
from domain.journal import Draft
from domain.values import NAMESPACE


def ticking(start: int = 1_700_000_000_000_000) -> Callable[[], int]:
    """A clock that goes on by one microsecond a look."""
    numbers = count(start)
    return lambda: next(numbers)


def note(number: int, stream: str = "incident/a", text: str = "") -> Draft:
    """A decided fact."""
    return Draft(
        event_id=uuid5(NAMESPACE, f"note|{number}|{stream}"),
        stream=stream,
        fact=NoteAdded(incident=uuid5(NAMESPACE, stream), text=text or f"note {number}"),
        occurred_at=number,
        actor="operator:eve",
        causation=uuid5(NAMESPACE, f"cause|{number}") if number % 2 else None,
        correlation=uuid5(NAMESPACE, stream),
        tags=("a", f"t{number}") if number % 3 == 0 else (),
    )


def health(number: int, stream: str = "region/local") -> Draft:
    """A sensed fact."""
    return replace(
        note(number, stream), fact=HealthReported(region="local", health="healthy", reasons=(f"reason {number}",))
    )
