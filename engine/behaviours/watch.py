"""What all behaviours have in common: they hand over closing reports in time, and can write their state down."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from domain.sighting import Sighting
from domain.values import Micros
from engine.behaviours.memory import Fading, Generations
from engine.behaviours.reporter import Reporter
from engine.frame import Frame


def spans(frame: Frame, length: Micros) -> list[Frame]:
    """The frame in parts during which the clock goes on by less than `length`."""
    parts, start, clock = [], 0, frame.clock
    while start < len(clock):
        until = clock[start] + length
        stop = len(clock) if clock[-1] < until else max(bisect_left(clock, until, start), start + 1)
        parts.append(frame if stop - start == len(clock) else frame.slice(start, stop))
        start = stop
    return parts


class Watch:
    """A behaviour without its behaviour: `_sense` looks at rows between which nothing falls due."""

    memory: Fading[Any, Any]
    _reporter: Reporter[Any]

    def sense(self, frame: Frame) -> list[Sighting]:
        """Sightings of the frame's rows, in row order. The frame holds only rows to be scored, none of them late."""
        found: list[Sighting] = []
        start, size = 0, len(frame)
        while start < size:
            clock = frame.clock[start]
            found += self._reporter.close(frame.row[start], clock, clock)
            for memory in self._generations():
                memory.turn(clock)
            due = min(memory.due or clock for memory in self._generations())
            stop = self._reporter.reach(frame.clock, start, due)
            self._sense(frame if stop - start == size else frame.slice(start, stop), found)
            start = stop
        return found

    def _sense(self, frame: Frame, found: list[Sighting]) -> None:
        """Add the sightings of the frame's rows."""
        raise NotImplementedError

    def _generations(self) -> tuple[Generations[Any, Any], ...]:
        """Memories that forget by time."""
        return (self.memory,)

    def finish(self, row: int, at: Micros) -> list[Sighting]:
        """Closing reports of all that is pending, at the end of a feed."""
        return self._reporter.close_all(row, at)

    @property
    def evicted(self) -> int:
        """Entities forgotten for want of room."""
        return self.memory.evicted

    def dump(self) -> Any:
        """Working state, as something that `engine.pieces` writes."""
        return (self._reporter.pending.dump(), self._dump())

    def load(self, data: Any) -> None:
        """Go on from what `dump` gave."""
        pending, state = data
        self._reporter.pending.load(pending)
        self._load(state)

    def _dump(self) -> Any:
        return self.memory.dump()

    def _load(self, state: Any) -> None:
        self.memory.load(state)
