"""Settings of the anomaly detector, as values: what a window is, when votes begin, how often they may be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyLimits:
    """Limits of the host windows, the isolation forest and its calibration.

    Attributes:
        window_s: length of a host window in seconds of event time.
        grace_s: how long a window stays open after its end for rows out of order; None means one window length.
        warmup_windows: host windows that are collected before the forest is fitted (once).
        min_host_windows: own scored windows a host needs in a profile before it is judged there; 99 is the least that
            can reach p = .01.
        waiting_windows: host windows that may wait to be scored while nobody can be judged yet.
        calibration_windows: scored windows that make a host's baseline in a profile (288 are a day of 5 minutes). What
            comes later shifts it by a recorded fact only.
        explain_windows: how many of them a host's usual values (medians) are taken from.
        peers_least: hosts whose windows must close together before one of them, without a past of its own yet, is held
            against the others.
        day_begins: hour at which the profile `day` begins on working days.
        day_ends: hour at which it ends.
        utc_offset_minutes: the site's clock minus UTC, for the profiles alone.
        fpr: false-positive rate of the votes, per host and window: p at or below it is a vote.
        max_hosts: hosts kept at a time (at most 20 KiB each); the one longest without a window is forgotten first.
        max_distinct: peers and ports told apart within one window; further ones are counted by a sketch.
        max_host_peers: last peers remembered per host, to know a new one.
        max_known_peers: the same over all hosts (about 50 bytes each), and as many ports: beyond it the
            coldest hosts' are forgotten.
    """

    window_s: int = 300
    grace_s: int | None = None
    warmup_windows: int = 512
    min_host_windows: int = 99
    waiting_windows: int = 20_000
    calibration_windows: int = 288
    explain_windows: int = 24
    peers_least: int = 12
    day_begins: int = 7
    day_ends: int = 19
    utc_offset_minutes: int = 0
    fpr: float = 0.01
    max_hosts: int = 20_000
    max_distinct: int = 4_096
    max_host_peers: int = 1_024
    max_known_peers: int = 250_000
