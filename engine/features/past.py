"""What a host's closed windows left behind: the peers and ports that it knows, and its own usual amounts.

Rules:
    1. A host has one profile. In it stand, for working time and for all other time apart, the decayed means of its
       amounts; and over all time its mix of services, the hours of the day in which it is active, and its core number.
    2. A mean moves by 1/n with the n-th window, from the 48th on by 1/48: a plain mean at first, then one that forgets.
       Amounts are averaged as log2(1 + amount), so that one burst does not become the usual.
    3. Working time is from `day_begins` to `day_ends`, Monday to Friday, by the clock of the site.
    4. Of each host the last `host_values` peers, and as many ports, are known. Beyond the limits on hosts and on known
       values the host whose last window is the oldest is forgotten as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from engine.features.lookup import carry_over, find, insert, mix, remove
from engine.features.services import CLASSES
from engine.features.tables import NONE, PEERS, PLACE, PORTS, Array
from engine.jit import jit

MEMORY: Final = 48
"""Windows over which a mean forgets: 4 hours of 5 minutes."""

DAY_S: Final = 86_400
SECOND: Final = 1_000_000
AMOUNTS: Final = 3
"""Flows, bytes sent, peers."""

NUMBERS = np.dtype([
    ("hosts", "i8"), ("top", "i8"), ("free", "i8"), ("known_top", "i8"), ("known_free", "i8"), ("oldest", "i8"),
    ("latest", "i8"), ("forgotten", "i8"), ("known", "i8", (2,)),
    ("max_hosts", "i8"), ("max_known", "i8"), ("host_values", "i8"),
])  # fmt: skip
PROFILE = np.dtype([
    ("host", "u8"), ("first", "i8"), ("before", "i4"), ("after", "i4"), ("head", "i4", (2,)), ("tail", "i4", (2,)),
    ("known", "i4", (2,)), ("windows", "i8", (2,)), ("flows", "f8", (2,)), ("out", "f8", (2,)), ("peers", "f8", (2,)),
    ("mix", "f8", (CLASSES,)), ("levels", "f8", (CLASSES,)), ("hours", "i8", (24,)), ("core", "f8"),
])  # fmt: skip
LINK = np.dtype([("key", "u8"), ("before", "i4"), ("after", "i4")])
KEYS: Final = {"profiles": "host", "known": "key"}
"""The keys of each table."""


class Past(NamedTuple):
    """Profiles in a list from the oldest to the latest, and lists of what each host knows, in the same way."""

    numbers: Array
    profiles: Array
    profiles_index: Array
    known: Array
    known_index: Array


def empty(max_hosts: int, max_known: int, host_values: int) -> Past:
    """No host at all."""
    numbers = np.zeros(1, NUMBERS)
    for name in ("free", "known_free", "oldest", "latest"):
        numbers[name] = NONE
    numbers["max_hosts"], numbers["max_known"], numbers["host_values"] = max_hosts, max_known, host_values
    return Past(numbers, *_arrays(64, PROFILE), *_arrays(256, LINK))


def _arrays(room: int, dtype: Any) -> tuple[Array, Array]:
    return np.zeros(room, dtype), np.zeros(2 * room, PLACE)


def roomy(past: Past, hosts: int, values: int) -> Past:
    """The same with room for `hosts` further hosts and `values` further known values."""
    n = past.numbers[0]
    most_hosts = int(n["max_hosts"]) + 1
    most_known = 2 * (max(int(n["max_known"]), int(n["host_values"])) + int(n["host_values"]) + 1)
    past = _room(past, "profiles", int(n["top"]), min(int(n["hosts"]) + hosts, most_hosts))
    return _room(past, "known", int(n["known_top"]), min(int(n["known"].sum()) + values, most_known))


def _room(past: Past, name: str, used: int, need: int) -> Past:
    old, index = getattr(past, name), f"{name}_index"
    if need <= len(old):
        return past
    made = _arrays(1 << (need - 1).bit_length(), old.dtype)
    made[0][:used] = old[:used]
    carry_over(made[1], made[0][KEYS[name]], getattr(past, index))
    return past._replace(**{name: made[0], index: made[1]})


def parts(past: Past) -> Iterator[bytes]:
    """All of it, from the oldest host to the latest, without what has become free."""
    n = past.numbers[0]
    profiles, keys = np.zeros(int(n["hosts"]), PROFILE), np.zeros(int(n["known"].sum()), np.uint64)
    _export(past, profiles, keys)
    yield int(n["forgotten"]).to_bytes(8, "big")
    yield profiles.tobytes()
    yield keys.tobytes()


def load(parts: Sequence[bytes | memoryview], past: Past) -> Past:
    """What was dumped, into an empty past."""
    forgotten, profiles, keys = parts
    records, known = np.frombuffer(profiles, PROFILE), np.frombuffer(keys, np.uint64)
    past = _room(past, "profiles", 0, len(records) + 1)
    past = _room(past, "known", 0, len(known) + 1)
    past.numbers["forgotten"] = int.from_bytes(forgotten, "big")
    _import(past, records, known)
    return past


@jit
def _export(past: Any, profiles: Any, keys: Any) -> None:
    at, made, made_keys = past.numbers[0].oldest, 0, 0
    while at >= 0:
        profiles[made] = past.profiles[at]
        p = profiles[made]
        p.before = p.after = NONE
        for kind in range(2):
            entry = np.int64(p.head[kind])
            p.head[kind] = p.tail[kind] = NONE
            while entry >= 0:
                keys[made_keys] = past.known[entry].key
                made_keys += 1
                entry = np.int64(past.known[entry].after)
        made += 1
        at = np.int64(past.profiles[at].after)


@jit
def _import(past: Any, profiles: Any, keys: Any) -> None:
    made_keys = 0
    for i in range(len(profiles)):
        at = new_profile(past, profiles[i].host, 0)
        p = past.profiles[at]
        before = p.before
        past.profiles[at] = profiles[i]
        p.before = before
        for kind in range(2):
            size = p.known[kind]
            p.known[kind] = 0
            for _ in range(size):
                learn_value(past, p, kind, keys[made_keys])
                made_keys += 1


@jit
def profile_of(past: Any, host: Any, start: Any) -> Any:
    """The number of a host's profile, which is now the latest."""
    at = find(past.profiles_index, past.profiles.host, host)
    if at < 0:
        return new_profile(past, host, start)
    n, p = past.numbers[0], past.profiles[at]
    if n.latest != at:
        unlink_profile(past, p)
        append_profile(past, p, at)
    return at


@jit
def new_profile(past: Any, host: Any, start: Any) -> Any:
    """A profile without any past."""
    n = past.numbers[0]
    if n.free >= 0:
        at = n.free
        n.free = past.profiles[at].after
    else:
        at = n.top
        n.top += 1
    n.hosts += 1
    insert(past.profiles_index, host, at)
    p = past.profiles[at]
    p.host, p.first, p.core = host, start, 0.0
    for kind in range(2):
        p.head[kind] = p.tail[kind] = NONE
        p.known[kind] = p.windows[kind] = 0
        p.flows[kind] = p.out[kind] = p.peers[kind] = 0.0
    for k in range(CLASSES):
        p.mix[k] = p.levels[k] = 0.0
    for k in range(24):
        p.hours[k] = 0
    append_profile(past, p, at)
    return at


@jit
def append_profile(past: Any, p: Any, at: Any) -> None:
    """Make a profile the latest."""
    n = past.numbers[0]
    p.before, p.after = n.latest, NONE
    if n.latest >= 0:
        past.profiles[n.latest].after = at
    else:
        n.oldest = at
    n.latest = at


@jit
def unlink_profile(past: Any, p: Any) -> None:
    """Take a profile out of the list."""
    n = past.numbers[0]
    if p.before >= 0:
        past.profiles[p.before].after = p.after
    else:
        n.oldest = p.after
    if p.after >= 0:
        past.profiles[p.after].before = p.before
    else:
        n.latest = p.before


@jit
def learn_value(past: Any, p: Any, kind: Any, key: Any) -> None:
    """A host knows a value from now on, and as the latest of all; its oldest one makes room."""
    n = past.numbers[0]
    at = find(past.known_index, past.known.key, key)
    if at >= 0:
        unlink_value(past, p, kind, at)
    else:
        at = n.known_free
        if at >= 0:
            n.known_free = past.known[at].after
        else:
            at = n.known_top
            n.known_top += 1
        insert(past.known_index, key, at)
        past.known[at].key = key
        n.known[kind] += 1
        p.known[kind] += 1
    past.known[at].before, past.known[at].after = p.tail[kind], NONE
    if p.tail[kind] >= 0:
        past.known[p.tail[kind]].after = at
    else:
        p.head[kind] = at
    p.tail[kind] = at
    if p.known[kind] > n.host_values:
        forget_value(past, p, kind)


@jit
def unlink_value(past: Any, p: Any, kind: Any, at: Any) -> None:
    """Take a value out of its host's list."""
    before, after = past.known[at].before, past.known[at].after
    if before >= 0:
        past.known[before].after = after
    else:
        p.head[kind] = after
    if after >= 0:
        past.known[after].before = before
    else:
        p.tail[kind] = before


@jit
def forget_value(past: Any, p: Any, kind: Any) -> None:
    """Forget the value that a host has not seen for longest."""
    n, at = past.numbers[0], np.int64(p.head[kind])
    unlink_value(past, p, kind, at)
    remove(past.known_index, past.known.key, past.known[at].key)
    past.known[at].after = n.known_free
    n.known_free = at
    n.known[kind] -= 1
    p.known[kind] -= 1


@jit
def forget_hosts(past: Any) -> None:
    """Forget the coldest hosts as long as there is too much to remember."""
    n = past.numbers[0]
    while n.hosts > 1 and (n.hosts > n.max_hosts or n.known[0] > n.max_known or n.known[1] > n.max_known):
        at = n.oldest
        p = past.profiles[at]
        for kind in range(2):
            while p.known[kind]:
                forget_value(past, p, kind)
        unlink_profile(past, p)
        remove(past.profiles_index, past.profiles.host, p.host)
        p.after = n.free
        n.free = at
        n.hosts -= 1
        n.forgotten += 1


@jit
def meet_values(past: Any, p: Any, t: Any, w: Any, kind: Any) -> Any:
    """How many of a window's peers or ports its host did not know; it knows them from now on."""
    new, at = 0, np.int64(w.head[kind])
    while at >= 0:
        key = mix(p.host, mix(np.uint64(kind), t.pairs[at].value))
        new += find(past.known_index, past.known.key, key) < 0
        at = np.int64(t.pairs[at].next)
    at = np.int64(w.head[kind])
    while at >= 0:
        learn_value(past, p, kind, mix(p.host, mix(np.uint64(kind), t.pairs[at].value)))
        at = np.int64(t.pairs[at].next)
    return new


@jit
def second_of_day(n: Any, time: Any) -> Any:
    """The seconds since midnight at the site; `n`: the numbers of the tables."""
    return (time + n.utc_offset) // SECOND % DAY_S


@jit
def working(n: Any, start: Any) -> Any:
    """1 in working time, else 0; 1970-01-01 was a Thursday."""
    weekday = ((start + n.utc_offset) // SECOND // DAY_S + 3) % 7
    return np.int64(weekday < 5 and n.day_begins <= second_of_day(n, start) // 3600 < n.day_ends)


@jit
def doublings(amount: Any) -> Any:
    """An amount on the scale on which amounts are averaged."""
    return math.log2(1.0 + amount) if amount else 0.0


@jit
def moved(mean: Any, value: Any, windows: Any) -> Any:
    """A mean after a further value, the `windows`-th."""
    return mean + (value - mean) / min(windows, MEMORY)


@jit
def recall(t: Any, past: Any, slots: Any, measured: Any, out: Any) -> None:
    """Hold each window against its host's past, which it then becomes part of.

    Args:
        t: `Tables`.
        past: `Past`.
        slots: the windows, in the order in which they are learned.
        measured: the distinct peers of each window, the core number of each text.
        out: a row of the behavioural features for each window.
    """
    peers, cores = measured
    for k in range(len(slots)):
        w = t.windows[slots[k]]
        p = past.profiles[profile_of(past, w.host, w.start)]
        out[k, 0] = meet_values(past, p, t, w, PEERS) / w.exact[PEERS]
        out[k, 1] = meet_values(past, p, t, w, PORTS) / w.exact[PORTS]
        out[k, 2] = w.failed / w.flows
        deviations(t.numbers[0], p, w, (peers[k], np.float64(cores[w.text])), out[k])
        learn(t.numbers[0], p, w, (peers[k], np.float64(cores[w.text])))
        forget_hosts(past)


@jit
def deviations(n: Any, p: Any, w: Any, measured: Any, out: Any) -> None:
    """How far a window lies from its host's usual: the features from `flows_growth` on; 0 for a host without a past."""
    peers, core = measured
    seen = p.windows[0] + p.windows[1]
    for column in range(3, 10):
        out[column] = 0.0
    if not seen:
        return
    part = working(n, w.start)
    part = part if p.windows[part] else 1 - part
    out[3] = doublings(w.flows) - p.flows[part]
    out[4] = doublings(w.out) - p.out[part]
    out[5] = doublings(peers) - p.peers[part]
    for k in range(CLASSES):
        out[6] += abs(w.services[k] / w.flows - p.mix[k]) / 2.0
        out[7] = max(out[7], doublings(w.services[k]) - p.levels[k])
    out[8] = unusual_hour(p, w.start, second_of_day(n, w.start) // 3600)
    out[9] = core - p.core


@jit
def unusual_hour(p: Any, start: Any, hour: Any) -> Any:
    """1 if the host never was active in this hour of the day, 0 if as often as in any; 0 during its first day."""
    if start - p.first < DAY_S * SECOND:
        return 0.0
    return 1.0 - min(1.0, 24.0 * p.hours[hour] / (p.windows[0] + p.windows[1]))


@jit
def learn(n: Any, p: Any, w: Any, measured: Any) -> None:
    """Take a window into its host's usual."""
    peers, core = measured
    part = working(n, w.start)
    p.windows[part] += 1
    here, seen = p.windows[part], p.windows[0] + p.windows[1]
    p.flows[part] = moved(p.flows[part], doublings(w.flows), here)
    p.out[part] = moved(p.out[part], doublings(w.out), here)
    p.peers[part] = moved(p.peers[part], doublings(peers), here)
    for k in range(CLASSES):
        p.mix[k] = moved(p.mix[k], w.services[k] / w.flows, seen)
        p.levels[k] = moved(p.levels[k], doublings(w.services[k]), seen)
    p.hours[second_of_day(n, w.start) // 3600] += 1
    p.core = moved(p.core, core, seen)
