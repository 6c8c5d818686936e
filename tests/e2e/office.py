"""Zeek conn rows of a small office: hosts that talk a little in every minute, with settings that learn them quickly."""

from __future__ import annotations

import random

from tests.e2e.rows import HEADER, T0

QUICK = """
[thresholds.anomaly]
window_s = 60
warmup_windows = 64
min_host_windows = 20
calibration_windows = 40
fpr = 0.05
"""


def office(minutes: int, *, begin: int = 0, hosts: int = 6, flows: int = 3, seed: int = 1) -> str:
    """Rows of the minutes from `begin` on, without a header."""
    draw = random.Random(seed * 1000 + begin)
    rows = []
    for minute in range(begin, begin + minutes):
        for host in range(1, hosts + 1):
            for n in range(flows):
                at, port = T0 + minute * 60 + n * 45 / flows + draw.random(), draw.choice((53, 443, 443, 8080))
                rows.append(
                    f"{at:.6f}\tC{minute}{host}{n}\t10.0.1.{host}\t{50000 + n}\t93.184.216.{draw.randrange(9)}\t{port}"
                    "\t"
                    f"tcp\t-\t{draw.random():.3f}\t{draw.randrange(2000)}\t{draw.randrange(9000)}\tSF\t5\t6\n"
                )
    return "".join(sorted(rows))


def office_log(minutes: int, **more: int) -> str:
    """The same as a whole file."""
    return HEADER + office(minutes, **more)
