"""What the responder may be told by its operators."""

from __future__ import annotations

from dataclasses import dataclass

from domain.values import DAY, SECOND, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of intake and assessment.

    Attributes:
        open_from: risk from which a threat opens or joins an incident (4 = medium).
        join_window: event time between a threat and an incident's last evidence within which they may join, us.
        reopen_window: time after resolution within which new evidence reopens the incident, us.
        merge_window: event time between two threats of the same entity and topic within which the second is a duplicate
            of the first, us (two feeds that see the same).
        remember: event time after its last evidence for which a threat or an incident can still be joined, us; also
            longer than the detector remembers an ended threat.
        most_threats: threats remembered at most; then the tenth that is longest without news is forgotten.
        most_incidents: incidents remembered at most, in the same way.
        asset_points: points of risk that an asset of value 10 adds and one of value 0 takes away (5 is ordinary).
        confidence_points: points that a confidence of 1 adds and one of 0.5 does not; they lift no threat to another
            level.
        history_points: points that verdicts on the same entity and topic add or take away at most; they take no threat
            below `open_from`.
    """

    open_from: float = 4.0
    join_window: Micros = DAY
    reopen_window: Micros = DAY
    merge_window: Micros = 300 * SECOND
    remember: Micros = 7 * DAY
    most_threats: int = 10_000
    most_incidents: int = 10_000
    asset_points: float = 1.0
    confidence_points: float = 0.2
    history_points: float = 2.0
