"""What numbers and networks of the detections may be: the dataclasses of the domain check nothing themselves.

Rules:
    1. A number of `[detector]` or `[thresholds]` is finite, and more than 0 if `BOUNDS` does not say otherwise: counts,
       spans and shares of nothing would decide nothing, or divide by it.
    2. A share is 1 at most.
    3. `local_networks` are networks as they are written: an address with its prefix, without host bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from ipaddress import ip_network
from math import inf, isfinite
from typing import Any, Final, NamedTuple

from domain.thresholds import Thresholds


class Wrong(NamedTuple):
    """A setting that cannot be: the names above it and its own, what it holds, what is allowed."""

    place: tuple[str, ...]
    value: object
    right: str


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "detector.quiet_gap": (0, inf),
    "thresholds.beacon.burst_seconds": (0, inf),
    "thresholds.exfiltration.smallest_flow_bytes": (0, inf),
    "thresholds.anomaly.grace_s": (0, inf),
    "thresholds.anomaly.calibration_windows": (1, 65_535),
    "thresholds.anomaly.day_begins": (0, 24),
    "thresholds.anomaly.day_ends": (0, 24),
    "thresholds.anomaly.utc_offset_minutes": (-14 * 60, 14 * 60),
    "thresholds.anomaly.fpr": (1e-6, 0.5),
}
"""Setting: its least and its largest value."""

SHARE: Final = "_share"
"""How the names of shares end."""


def wrong(sections: dict[str, Any]) -> Iterator[Wrong]:
    """Settings of these sections (dataclasses by name) that cannot be."""
    for name, section in sections.items():
        yield from _wrong_numbers((name,), section)
    thresholds = sections.get("thresholds")
    if isinstance(thresholds, Thresholds):
        yield from _wrong_thresholds(thresholds)


def _wrong_numbers(above: tuple[str, ...], section: Any) -> Iterator[Wrong]:
    for each in fields(section):
        place, value = (*above, each.name), getattr(section, each.name)
        if is_dataclass(value):
            yield from _wrong_numbers(place, value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and (right := _refused(place, value)):
            yield Wrong(place, value, right)


def _refused(place: tuple[str, ...], value: float) -> str:
    """What would be right; empty when this is."""
    name = ".".join(place)
    if not isfinite(value):
        return "must be a number"
    if name in BOUNDS:
        least, most = BOUNDS[name]
        upto = f" and {most:g} at most" if most < inf else ""
        return "" if least <= value <= most else f"must be {least:g} or more{upto}"
    if value <= 0:
        return "must be more than 0"
    return "must be 1 or less" if name.endswith(SHARE) and value > 1 else ""


def _wrong_thresholds(thresholds: Thresholds) -> Iterator[Wrong]:
    place, anomaly = ("thresholds", "anomaly"), thresholds.anomaly
    for network in thresholds.local_networks:
        if right := _network_refused(network):
            yield Wrong(("thresholds", "local_networks"), network, right)
    if anomaly.min_host_windows > anomaly.calibration_windows:
        most = f"must be {anomaly.calibration_windows} (calibration_windows) at most, or no host is ever judged"
        yield Wrong((*place, "min_host_windows"), anomaly.min_host_windows, most)
    if anomaly.day_begins >= anomaly.day_ends:
        yield Wrong((*place, "day_ends"), anomaly.day_ends, f"must be later than day_begins, {anomaly.day_begins}")


def _network_refused(text: str) -> str:
    """What would be right in place of a network; empty when it is one.

    >>> _network_refused("10.0.0.1/8"), _network_refused("10.0.0.0/8")
    ('has host bits set: write 10.0.0.0/8', '')
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return "is no network: write an address and a prefix, such as 10.0.0.0/8"
    try:
        ip_network(text)
    except ValueError:
        return f"has host bits set: write {network}"
    return ""
