"""How many a second: by the clock on the wall, and by the processor time of this process alone."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, process_time
from typing import NamedTuple


class Rate(NamedTuple):
    """Things a second. On a machine that others use too, `cpu` says what `wall` would be without them."""

    wall: float
    cpu: float

    def figures(self, name: str) -> dict[str, float]:
        """Both, named.

        >>> Rate(2.0, 4.0).figures("decode")
        {'decode_per_second': 2.0, 'decode_per_cpu_second': 4.0}
        """
        return {f"{name}_per_second": round(self.wall, 1), f"{name}_per_cpu_second": round(self.cpu, 1)}


def rate_of(things: int, work: Callable[[], object]) -> Rate:
    """How fast `work` does so many things."""
    wall, cpu = perf_counter(), process_time()
    work()
    return Rate(things / (perf_counter() - wall), things / (process_time() - cpu))
