"""What the detector may be told by its operators."""

from __future__ import annotations

from dataclasses import dataclass

from domain.values import DAY, HOUR, MINUTE, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of the detector.

    Attributes:
        threshold: score from which a sighting is a threat (1 = the behaviour's own threshold).
        quiet_gap: event time without new evidence after which the same entity and topic is a new threat, us. Evidence
            that the engine itself still counts together goes on under the old one.
        remember: event time for which an ended threat is remembered, us: longer than the engine keeps its evidence.
        ledger_rows: a `batch-scored` closes after so many rows ...
        ledger_span: ... or so much event time, us, whichever comes first.
        fault_reasons: at most so many different reasons of malformed rows are recorded a ledger entry.
    """

    threshold: float = 1.0
    quiet_gap: Micros = HOUR
    remember: Micros = 3 * DAY
    ledger_rows: int = 10_000
    ledger_span: Micros = MINUTE
    fault_reasons: int = 20
