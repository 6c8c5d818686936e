"""How many distinct keys came by, in one KiB: HyperLogLog with 1,024 registers, standard error 3.25 %.

Below 2,560 keys the registers that are still empty are counted instead, which is more exact. [Flajolet et al.:
HyperLogLog, 2007]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.features.lookup import mix
from engine.features.tables import REGISTERS
from engine.jit import jit


@jit
def note(sketches: Any, at: Any, key: Any) -> None:
    """Take a key into sketch `at`."""
    hashed = mix(key, np.uint64(0x5DEECE66D))
    place = hashed >> np.uint64(54)
    rank, rest = 1, hashed & np.uint64((1 << 54) - 1)
    while rank < 55 and not (rest >> np.uint64(54 - rank)) & np.uint64(1):
        rank += 1
    sketches[at, place] = max(sketches[at, place], rank)


@jit
def estimate(sketches: Any, at: Any) -> Any:
    """About how many distinct keys sketch `at` took in, to the nearest whole number."""
    total, empty = 0.0, 0
    for k in range(REGISTERS):
        total += 2.0 ** -np.float64(sketches[at, k])
        empty += sketches[at, k] == 0
    raw = 0.7213 / (1.0 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / total
    if raw <= 2.5 * REGISTERS and empty:
        raw = REGISTERS * math.log(REGISTERS / empty)
    return np.rint(raw)
