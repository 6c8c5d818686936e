"""The event time of a sequence of rows: a running maximum that does not follow a wild time stamp.

Rules:
    1. The clock is the highest `ts` so far.
    2. A row more than 24 h ahead of it or behind it is *far*: it does not move the clock, until 100 far rows in a row
       agree (each within 24 h of the one before it). Then the clock moves to the highest of them, forward or back.
    3. A row that is not far ends what far rows had gathered. A row without a time changes nothing.
    4. The state is small and plain, so that it can be part of a cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from domain.values import DAY, Micros

AGREEING: Final = 100

State = tuple[int | None, int, int, int]


@dataclass(slots=True)
class JumpClock:
    """See the rules above. `far` counts agreeing far rows, the last at `last`, the highest at `top`.

    >>> clock = JumpClock()
    >>> clock.run([5, 3, 9, None, 10**15])
    [5, 5, 9, 9, 9]
    """

    now: Micros | None = None
    far: int = 0
    last: Micros = 0
    top: Micros = 0

    @property
    def state(self) -> State:
        """What a cursor keeps of the clock."""
        return (self.now, self.far, self.last, self.top)

    def run(self, stamps: Sequence[Micros | None]) -> list[Micros]:
        """The clock after each row (0 as long as no row had a time)."""
        if not self.far and stamps and None not in stamps:
            known: Sequence[Micros] = stamps  # type: ignore[assignment] # no None in it, as was just seen
            start = known[0] if self.now is None else self.now
            highest = max(start, max(known))  # noqa: PLW3301 - flattened it would copy the block
            if highest <= start + DAY and min(known) >= highest - DAY:
                clocks = list(accumulate(known, max, initial=start))
                self.now = clocks[-1]
                return clocks[1:]
        return [self.step(ts) for ts in stamps]

    def step(self, ts: Micros | None) -> Micros:
        """The clock after one more row."""
        if ts is None:
            return self.now or 0
        if self.now is None:
            self.now = ts
        elif abs(ts - self.now) <= DAY:
            self.now, self.far = max(self.now, ts), 0
        else:
            self._far(ts)
        return self.now

    def _far(self, ts: Micros) -> None:
        if not self.far or abs(ts - self.last) > DAY:
            self.far, self.top = 1, ts
        else:
            self.far, self.top = self.far + 1, max(self.top, ts)
        self.last = ts
        if self.far >= AGREEING:
            self.now, self.far = self.top, 0
