"""Rules about several records: so many of them, so many values, or several rules, of one group within a time span.

Rules:
    1. Time is event time. A match counts together with those of its group that lie within `timespan` of each other,
       both ends included; a window is anywhere on the time axis, not on fixed marks.
    2. Lateness: a match may come out of order. It is put in its place, and every window that it falls into is looked
       at again. Matches more than an hour behind the clock are not taken (they change no window), so matches are
       kept for `timespan` plus an hour.
    3. A correlation fires at the row of the match that completes it, and again at every further match for which its
       condition holds. A record without one of the group-by fields belongs to no group and does not count.
    4. temporal counts the different rules of its list that matched; temporal_ordered counts those that matched in the
       order of the list (the longest such run, equal times are in order).
    5. State is bounded: so many groups (the coldest is forgotten first, and counted), and in a group at most
       `kept_of` matches, the oldest of which make room.
    6. Matches are taken one by one, in row order and then in the order of the rules: frames do not matter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from domain.values import HOUR, SECOND, Micros
from engine.behaviours.memory import Memory
from engine.behaviours.samples import FlowTuple
from engine.rules.fields import VIEWS
from engine.rules.sigma import Correlation, Rule
from engine.rules.table import Table

LATENESS: Final = HOUR
"""How far behind the clock a record may be and still be judged."""

MARGIN: Final = 64
"""Matches of a group that are kept beyond what the condition needs."""


class Event(msgspec.Struct, array_like=True):
    """One match in a group: when, of which rule, the counted value, and the record as a sample."""

    ts: Micros
    rule: str
    value: str
    flow: FlowTuple


class Group(msgspec.Struct, array_like=True):
    """The matches of one group, by time."""

    events: list[Event] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One match: the rule's key, and the record as a row of its frame and of its log's table."""

    rule: str
    row: int
    table: Table
    at: int
    flow: FlowTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A correlation whose condition holds at a match: how much was counted, from which records, and of which rules."""

    correlation: Correlation
    match: Match
    count: int
    flows: tuple[FlowTuple, ...]
    matches: Mapping[str, int]


def kept_of(correlation: Correlation) -> int:
    """Matches of a group that are kept at most."""
    return 2 * correlation.count + MARGIN


def _events(events: Sequence[Event], _rules: tuple[str, ...]) -> int:
    return len(events)


def _values(events: Sequence[Event], _rules: tuple[str, ...]) -> int:
    return len({event.value for event in events})


def _rules(events: Sequence[Event], _wanted: tuple[str, ...]) -> int:
    return len({event.rule for event in events})


def _ordered(events: Sequence[Event], wanted: tuple[str, ...]) -> int:
    """The longest run of rules that matched in the order of the list."""
    place = {rule: number for number, rule in enumerate(wanted)}
    longest = [0] * len(wanted)  # of the runs that end with each rule
    for event in sorted(events, key=lambda event: (event.ts, place[event.rule])):
        number = place[event.rule]
        longest[number] = max(longest[number], 1 + max(longest[:number], default=0))
    return max(longest)


COUNTS: Final[Mapping[str, Callable[[Sequence[Event], tuple[str, ...]], int]]] = {
    "event_count": _events,
    "value_count": _values,
    "temporal": _rules,
    "temporal_ordered": _ordered,
}
"""What each type of correlation counts in a window."""

HOLDS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "gte": lambda count, wanted: count >= wanted,
    "gt": lambda count, wanted: count > wanted,
    "eq": lambda count, wanted: count == wanted,
}


class _Counter:
    """One correlation and its groups."""

    def __init__(self, correlation: Correlation, signature: str, groups: int) -> None:
        self.correlation = correlation
        self.signature = signature
        self.memory: Memory[tuple[str, ...], Group] = Memory(groups, tuple[str, ...], Group)
        self._span = correlation.span * SECOND
        self._kept = kept_of(correlation)
        self._count = COUNTS[correlation.kind]
        self._holds = HOLDS[correlation.order]

    def take(self, match: Match, group: tuple[str, ...], value: str, clock: Micros) -> Firing | None:
        """Count a match in its group."""
        events = (self.memory.get(group) or self.memory.put(group, Group())).events
        event = Event(match.flow[0], match.rule, value, match.flow)
        place = bisect_right(events, event.ts, key=_time)
        events.insert(place, event)
        # what is too old for any record to come, and what there is no room for
        old = max(bisect_left(events, clock - LATENESS - self._span, key=_time), len(events) - self._kept)
        if old > 0:
            del events[:old]
            place -= old
        if place < 0:
            return None
        count, window = self._best(events, place)
        if not self._holds(count, self.correlation.count):
            return None
        return Firing(
            correlation=self.correlation,
            match=match,
            count=count,
            flows=tuple(event.flow for event in window),
            matches=Counter(event.rule for event in window),
        )

    def _best(self, events: list[Event], place: int) -> tuple[int, list[Event]]:
        """The window around the match at `place` in which most is counted, the earliest of equal ones."""
        ts = events[place].ts
        first = bisect_left(events, ts - self._span, key=_time)
        best: tuple[int, list[Event]] = (0, [])
        for start in range(first, place + 1):
            window = events[start : bisect_right(events, events[start].ts + self._span, key=_time)]
            if len(window) > best[0] and (count := self._count(window, self.correlation.rules)) > best[0]:
                best = (count, window)
            if start + len(window) == len(events):
                break  # later starts hold nothing that this window lacks
        return best


def _time(event: Event) -> Micros:
    return event.ts


class Correlator:
    """All correlations of a rule set."""

    def __init__(self, rules: Sequence[Rule], correlations: Sequence[Correlation], groups: int) -> None:
        self._sources = {rule.key: rule.source for rule in rules}
        contents = {rule.key: rule.content for rule in rules} | {rule.key: rule.content for rule in correlations}
        self._counters: dict[str, _Counter] = {}
        self._of_rule: dict[str, list[_Counter]] = {}
        for correlation in correlations:
            signature = "|".join([correlation.content, *(contents[key] for key in correlation.rules)])
            contents[correlation.key] = signature
            counter = self._counters[correlation.key] = _Counter(correlation, signature, groups)
            for key in dict.fromkeys(correlation.rules):
                self._of_rule.setdefault(key, []).append(counter)

    @property
    def evicted(self) -> int:
        """Groups forgotten for want of room."""
        return sum(counter.memory.evicted for counter in self._counters.values())

    def counts(self, rule: str) -> bool:
        """Whether some correlation counts the matches of this rule."""
        return rule in self._of_rule

    def counters_of(self, rule: str) -> tuple[str, ...]:
        """The correlations that count the matches of this rule."""
        return tuple(counter.correlation.key for counter in self._of_rule.get(rule, ()))

    def take(self, match: Match, clock: Micros) -> Iterable[Firing]:
        """What fires at a match; correlations of correlations included."""
        return self._take(match, match.rule, clock)

    def _take(self, match: Match, source: str, clock: Micros) -> Iterable[Firing]:
        for counter in self._of_rule.get(match.rule, ()):
            correlation = counter.correlation
            group = tuple(self._value(match, source, correlation, name) for name in correlation.group_by)
            value = self._value(match, source, correlation, correlation.field) if correlation.field else ""
            if "" in group or (correlation.field and not value):
                continue
            fired = counter.take(match, group, value, clock)
            if fired:
                yield fired
                # a correlation's own match is the record that completed it
                above = Match(rule=correlation.key, row=match.row, table=match.table, at=match.at, flow=match.flow)
                yield from self._take(above, source, clock)

    def _value(self, match: Match, source: str, correlation: Correlation, name: str) -> str:
        """The text of a field of the matching record, by the names of the rule that matched it."""
        name = correlation.aliases.get(name, {}).get(match.rule, name)
        field = self._sources[source].field(name)
        text = match.table.value(field.column, match.at)
        return (VIEWS[field.view](text) or "") if field.view and text else text

    def adopt(self, other: Correlator) -> None:
        """Go on with the groups of those correlations that say the same in another rule set."""
        for key, counter in self._counters.items():
            before = other._counters.get(key)
            if before is not None and before.signature == counter.signature:
                counter.memory = before.memory

    def dump(self) -> Any:
        """Working state, as something that `engine.pieces` writes."""
        return tuple((key, counter.memory.dump()) for key, counter in self._counters.items())

    def load(self, data: Any) -> None:
        """Go on from what `dump` gave."""
        for key, state in data:
            self._counters[key].memory.load(state)
