"""When a trail of evidence speaks, and what it says.

Rules:
    1. A trail reports when its score first reaches 0.5, 1, 2, 4, 8, ...; while at 1 or more, again when `repeat` went
       by since the last report and new evidence came.
    2. Evidence of a trail at 1 or more that no report has told yet is pending. When `closing` went by without more of
       it, the first row from then on brings a closing report: the final totals, before that row counts itself.
    3. A repeated or closing report holds the highest score of the trail and what was measured then.
    4. A trail whose entity was quiet for longer than its window (a decided one: for `quiet`) is over: the next evidence
       begins a new one, with a new first row.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar

from domain.sighting import Feature, Flow, Sighting, Vote
from domain.thresholds import LimitThresholds
from domain.values import SECOND, Micros, ThreatKind
from engine.behaviours.memory import Measure, Memory, Trail
from engine.behaviours.samples import FlowTuple
from engine.frame import Frame

Key = TypeVar("Key")


class Leaves(Protocol):
    """An entry of a memory: it has a trail."""

    trail: Trail


class Remembers(Protocol):
    """A memory of entries with a trail."""

    cap: int
    key: Any

    def peek(self, key: Any) -> Any:
        """The entry of `key`, left where it is; None when there is none."""


class Reporter(Generic[Key]):
    """Turns the trails of a memory into sightings of one kind, with the emission discipline of the rules above.

    The key of a memory is the entity, or begins with it. `pending` holds when the closing report of a key is due.
    """

    __slots__ = ("_closing", "_memory", "_quiet", "_repeat", "_votes", "_window", "kind", "pending")

    def __init__(
        self, kind: ThreatKind, version: int, window: Micros, limits: LimitThresholds, memory: Remembers
    ) -> None:
        self.kind: ThreatKind = kind
        self._window = window
        self._memory = memory
        self._quiet = limits.quiet_seconds * SECOND
        self._repeat = limits.repeat_seconds * SECOND
        self._closing = limits.closing_seconds * SECOND
        name = f"behaviour/{kind}"
        self._votes = tuple((Vote(model=name, version=str(version), p=None, vote=vote),) for vote in (False, True))
        # every change puts a key last and the clock never goes back: the earliest due comes first
        self.pending: Memory[Key, int] = Memory(memory.cap, memory.key, int)

    def fresh(self, trail: Trail, ts: Micros) -> Trail:
        """The trail, or a new one when this one is over."""
        if trail.count and ts - trail.last > (self._quiet if trail.step >= 1 else self._window):
            return Trail()
        return trail

    def judge(self, frame: Frame, i: int, key: Key, score: float, measures: tuple[Measure, ...]) -> list[Sighting]:
        """What the trail of `key` says right after row `i`, which counts in it: one report or none."""
        if score < 0.5:
            return []
        entry = self._memory.peek(key)
        assert entry is not None, "only what is remembered is judged"  # noqa: S101 - an invariant of the behaviours
        trail: Trail = entry.trail
        if score >= trail.peak:
            trail.peak, trail.measures = score, measures
        if score >= 1:
            trail.sure_last, trail.sure_count = trail.last, trail.count
        clock = frame.clock[i]
        step = 0.5 if score < 1 else 2.0 ** math.floor(math.log2(score))
        if step > trail.step or (score >= 1 and clock - trail.told >= self._repeat):
            trail.step = max(trail.step, step)
            self.pending.entries.pop(key, None)
            return [self._report(key, trail, frame.row[i], clock)]
        if score >= 1:
            pending = self.pending.entries
            if key in pending:
                pending[key] = clock + self._closing
                pending.move_to_end(key)
            else:
                self.pending.put(key, clock + self._closing)
        return []

    def reach(self, clock: list[Micros], start: int, due: Micros) -> int:
        """Index up to which nothing can fall due that is not due at row `start`; `due` is when something else does."""
        until = min(clock[start] + self._closing, due)
        if self.pending.entries:
            until = min(until, next(iter(self.pending.entries.values())))
        return len(clock) if clock[-1] < until else max(bisect_left(clock, until, start), start + 1)

    def close(self, row: int, at: Micros, due: Micros) -> list[Sighting]:
        """Closing reports of what fell due until `due`, stamped with a row and its clock."""
        found: list[Sighting] = []
        pending = self.pending.entries
        while pending:
            key, when = next(iter(pending.items()))
            if when > due:
                break
            del pending[key]
            entry: Leaves | None = self._memory.peek(key)
            if entry and entry.trail.step >= 1:  # not forgotten meanwhile
                found.append(self._report(key, entry.trail, row, at))
        return found

    def close_all(self, row: int, at: Micros) -> list[Sighting]:
        """Closing reports of everything pending."""
        last = next(reversed(self.pending.entries.values()), None)
        return self.close(row, at, last) if last is not None else []

    def _report(self, key: Key, trail: Trail, row: int, at: Micros) -> Sighting:
        trail.told = at
        last, count = (trail.sure_last, trail.sure_count) if trail.step >= 1 else (trail.last, trail.count)
        flows = [_flow(values) for values in sorted(chain(*trail.flows()), key=_time) if values[0] <= last]
        return Sighting(
            row=row,
            at=at,
            kind=self.kind,
            entity=key if isinstance(key, str) else key[0],  # type: ignore[index]
            score=round(trail.peak, 6),
            first_seen=trail.first,
            last_seen=last,
            peers=trail.peers,
            flow_count=count,
            flows=tuple(flows),
            features=tuple(_feature(measure) for measure in trail.measures),
            votes=self._votes[trail.peak >= 1],
            evidence=trail.evidence.hex(),
        )


def _time(values: FlowTuple) -> int:
    return values[0]


def _flow(values: FlowTuple) -> Flow:
    ts, src_ip, src_port, dst_ip, dst_port, proto, bytes_out, bytes_in, note = values
    return Flow(
        ts=ts, src_ip=src_ip, src_port=src_port, dst_ip=dst_ip, dst_port=dst_port, proto=proto, bytes_out=bytes_out,
        bytes_in=bytes_in, note=note,
    )  # fmt: skip


def _feature(measure: Measure) -> Feature:
    name, value, unit, baseline = measure
    # floats, whichever process measured them: a whole number would be written otherwise
    bar = None if baseline is None else float(round(baseline, 4))
    return Feature(name=name, value=float(round(value, 4)), unit=unit, baseline=bar)
