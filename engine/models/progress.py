"""How far the warm-up of a profile is: told when it begins, at every quarter, and when it ends.

    >>> progress = Progress(needed=100)
    >>> [progress.reached(seen) for seen in (0, 10, 25, 30, 80)]
    [0, None, 25, None, 80]

Rules:
    1. What is needed are windows: of all hosts together to fit the models (`hosts`), of one host in a profile of
       working time to judge it there. A profile is learned when the first host can be judged in it.
    2. The windows alone say when something is told, so that it is told at the same row wherever a frame ends.
"""

from __future__ import annotations

from typing import Final

import msgspec

QUARTERS: Final = 4


class Progress(msgspec.Struct, array_like=True):
    """Windows needed, quarters told (-1: not even the begin), and whether it is over."""

    needed: int
    told: int = -1
    learned: bool = False

    def reached(self, seen: int) -> int | None:
        """What is to be told now that `seen` windows were seen; None when it was told before."""
        quarter = min(QUARTERS, seen * QUARTERS // max(1, self.needed))
        if self.learned or quarter <= self.told:
            return None
        self.told = quarter
        return min(seen, self.needed)
