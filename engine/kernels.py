"""Compile the kernels once, when the environment is made: `python -m engine.kernels`. Else the first run does it."""

from __future__ import annotations

from domain.anomaly_limits import AnomalyLimits
from domain.values import HOUR, SECOND
from engine.frame import Frame
from engine.models.anomaly import AnomalyDetector

LIMITS = AnomalyLimits(
    window_s=60, warmup_windows=40, min_host_windows=10, waiting_windows=60, calibration_windows=20, peers_least=4
)


def main() -> None:
    """Let a small detector live through a few generated hours."""
    detector = AnomalyDetector(LIMITS, ["10.0.0.0/8"], 0)
    rows = [_row(number) for number in range(3_000)]
    for begin in range(0, len(rows), 500):
        detector.sense(Frame.of(rows[begin : begin + 500]))
    detector.dump()


def warm() -> None:
    """Load the kernels that the first rows need, before they come."""
    from engine.features.windows import HostWindows

    HostWindows(LIMITS, ["10.0.0.0/8"]).feed(Frame.of([_row(0)]))


def _row(number: int) -> tuple[object, ...]:
    ts, host, port = HOUR + number * 3 * SECOND, f"10.0.0.{number % 7}", (53, 80, 443, 22)[number % 4]
    sizes = (0.5, 200 + number % 90, 900, 4, 5)
    flow = (host, 40_000 + number % 999, f"192.0.2.{number % 50}", port, "tcp", "", *sizes, "SF")
    return (number, number + 1, "", "conn:0", 99, ts, False, "conn", ts, *flow, {}, b"%d" % number)


if __name__ == "__main__":
    main()
