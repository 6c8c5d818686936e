"""Behavioural detections that need no training: one file a behaviour, all with the same shape.

A behaviour reads some log types, senses a frame row by row (what it says about a row depends on the rows before it,
never on where a frame ends), and can write its whole working state down. Add one: write its file, name it in
`BEHAVIOURS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from domain.sighting import Sighting
from domain.thresholds import Thresholds
from domain.values import Micros
from engine.behaviours.beacon import Beacon
from engine.behaviours.dns_tunnel import DnsTunnel
from engine.behaviours.exfiltration import Exfiltration
from engine.behaviours.flood import Flood
from engine.behaviours.generated_domains import GeneratedDomains
from engine.behaviours.horizontal_scan import HorizontalScan
from engine.behaviours.password_guessing import PasswordGuessing
from engine.behaviours.places import Places
from engine.behaviours.vertical_scan import VerticalScan
from engine.frame import Frame


class Behaviour(Protocol):
    """The shape of a behaviour."""

    @property
    def name(self) -> str:
        """Its name; part of the rules' version."""

    @property
    def version(self) -> int:
        """Raised with every change of what it says."""

    @property
    def reads(self) -> frozenset[str]:
        """The log types that it reads."""

    @property
    def evicted(self) -> int:
        """Entities forgotten for want of room."""

    def sense(self, frame: Frame) -> list[Sighting]:
        """Sightings of the frame's rows, in row order. The frame holds only rows to be scored, none of them late."""

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """Closing reports of all that is pending, stamped with the feed's last row and its clock."""

    def dump(self) -> Any:
        """Working state, as something that `engine.pieces` writes."""

    def load(self, data: Any) -> None:
        """Go on from what `dump` gave."""


BEHAVIOURS: Final[tuple[Any, ...]] = (
    HorizontalScan,
    VerticalScan,
    PasswordGuessing,
    Beacon,
    Exfiltration,
    Flood,
    DnsTunnel,
    GeneratedDomains,
)


def all_behaviours(thresholds: Thresholds) -> Sequence[Behaviour]:
    """One of each, with a common view of what is inside."""
    places = Places(thresholds.local_networks)
    return [behaviour(thresholds, places) for behaviour in BEHAVIOURS]
