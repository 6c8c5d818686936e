"""The kernel that counts rows: one after the other, so that nothing depends on where frames were cut.

It stops where Python has to do something and is then called again at that row: a start is due (`CLOSE`), or a table
may lack room for the row (`GROW`). Numbers that make no sense (negative, infinite) count as 0.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from engine.features.jit import jit
from engine.features.letters import ALPHABET, LETTERS
from engine.features.lookup import find, insert, mix
from engine.features.services import BY_PORT
from engine.features.sketch import note
from engine.features.tables import BINS, CALLERS, NONE, PEERS, PORTS, SAMPLE, SLICES, TEXT, Array

DONE, CLOSE, GROW = 0, 1, 2
CAP: Final = 1 << 60
"""A count of bytes or packets above which a number is no measurement."""

LONGEST: Final = 1e9
"""Seconds above which a duration is none."""

LEFT_OUT: Final = -2
"""There was no sketch left for the values that are not told apart."""

_CODES: Final = np.frombuffer(ALPHABET, np.uint8)


class Rows(NamedTuple):
    """A frame as arrays. `plain`, `conn`, `udp`, `failed` and `service` are by the codes of their column; `ids`,
    `inside`, `ends` and `blob` are the texts of the sources, then of the destinations, then of the protocols."""

    clock: Array
    ts: Array
    late: Array
    status: Array
    plain: Array
    log: Array
    conn: Array
    src: Array
    dst: Array
    proto: Array
    udp: Array
    state: Array
    failed: Array
    named: Array
    service: Array
    sport: Array
    dport: Array
    duration: Array
    out: Array
    back: Array
    sent: Array
    got: Array
    ids: Array
    inside: Array
    ends: Array
    blob: Array
    bases: Array


@jit
def count(rows: Any, t: Any, begin: Any, fresh: Any) -> Any:
    """Count the rows from `begin` on.

    Args:
        rows: `Rows`.
        t: `Tables`.
        begin: the first row.
        fresh: place for (window, row) of each window that is new.

    Returns:
        why it stopped, at which row, and how many windows are new.
    """
    made = 0
    for i in range(begin, len(rows.clock)):
        if not rows.plain[rows.status[i]]:
            continue
        if rows.clock[i] >= t.numbers[0].due:
            return CLOSE, i, made
        if not rows.conn[rows.log[i]]:
            continue
        if not roomy(t):
            return GROW, i, made
        at = start_of(t, rows.ts[i], rows.clock[i], rows.late[i])
        if at < 0:
            continue
        slot, new = take(rows, t, i, at)
        if new:
            fresh[made, 0], fresh[made, 1] = slot, i
            made += 1
    return DONE, len(rows.clock), made


@jit
def roomy(t: Any) -> Any:
    """Whether every table has room for one more row."""
    n = t.numbers[0]
    return (
        n.starts < len(t.starts)
        and n.windows < len(t.windows)
        and n.received < len(t.received)
        and n.pairs + 3 <= len(t.pairs)
        and n.texts + 4 <= len(t.texts)
        and n.bytes + 4 * TEXT <= len(t.bytes)
        and n.sketches + 3 <= len(t.sketches)
    )


@jit
def start_of(t: Any, ts: Any, clock: Any, late: Any) -> Any:
    """The place of the open start that a row belongs to; below 0 if it is closed or lies ahead of the clock."""
    n, limits = t.numbers[0], t.limits[0]
    start = ts - ts % limits.width
    if late or start + limits.span <= clock:
        n.late_for_window += 1
        return -1
    if ts > clock:
        n.ahead_of_clock += 1
        return -1
    for at in range(n.starts - 1, -1, -1):
        if t.starts[at].start == start:
            return at
    opened = t.starts[n.starts]
    opened.start, opened.windows, opened.received = start, 0, 0
    n.due = min(n.due, start + limits.span)
    n.starts += 1
    return n.starts - 1


@jit
def take(rows: Any, t: Any, i: Any, at: Any) -> Any:
    """Count row `i` in its start: the number of its window (below 0: none), and whether that is new."""
    opened = t.starts[at]
    src, dst = rows.bases[0] + rows.src[i], rows.bases[1] + rows.dst[i]
    start = np.uint64(opened.start)
    if rows.inside[dst]:
        receive(t, opened, rows.ids[dst], rows.ids[src])
    key = mix(rows.ids[src], start)
    slot = find(t.windows_index, t.windows_keys, key)
    new = slot < 0
    if new:
        slot = open_window(rows, t, opened, key, src, rows.ts[i])
    if slot >= 0:
        add(rows, t, t.windows[slot], slot, i)
    return slot, new and slot >= 0


@jit
def receive(t: Any, opened: Any, host: Any, caller: Any) -> None:
    """Count a flow to an inside host, and who opened it."""
    n, limits = t.numbers[0], t.limits[0]
    key = mix(host, np.uint64(opened.start))
    at = find(t.received_index, t.received_keys, key)
    if at < 0:
        if opened.received >= limits.hosts:
            n.receivers_over_limit += 1
            return
        opened.received += 1
        at = n.received
        n.received += 1
        insert(t.received_index, t.received_keys, key, at)
        entry = t.received[at]
        entry.host, entry.start, entry.flows, entry.callers, entry.sketch = host, opened.start, 0, 0, NONE
    entry = t.received[at]
    entry.flows += 1
    pair_key = mix(key, mix(np.uint64(CALLERS), caller))
    known = find(t.pairs_index, t.pairs_keys, pair_key)
    if known >= 0:
        t.pairs[known].count += np.uint32(1)
    elif entry.callers < limits.callers and n.pairs < limits.pairs:
        pair(t, pair_key, caller, at, CALLERS, NONE)
        entry.callers += 1
    else:
        entry.sketch = sketched(t, entry.sketch, caller)


@jit
def open_window(rows: Any, t: Any, opened: Any, key: Any, src: Any, ts: Any) -> Any:
    """A window for a host that has none yet; below 0 if it is not to have one."""
    n = t.numbers[0]
    if rows.inside[src]:
        n.inside_seen = 1
    elif n.inside_seen:
        return -1
    if opened.windows >= t.limits[0].hosts:
        n.hosts_over_limit += 1
        return -1
    opened.windows += 1
    slot = n.windows
    n.windows += 1
    insert(t.windows_index, t.windows_keys, key, slot)
    w = t.windows[slot]
    w.host, w.start, w.text = rows.ids[src], opened.start, text(rows, t, src)
    w.first = w.last = w.previous = ts
    for kind in range(2):
        w.head[kind] = w.tail[kind] = w.sketch[kind] = NONE
    return slot


@jit
def positive(number: Any) -> Any:
    """A count of bytes or packets."""
    return min(max(number, 0), CAP)


@jit
def add(rows: Any, t: Any, w: Any, slot: Any, i: Any) -> None:
    """Count row `i` in window `w`."""
    ts, dst, port = rows.ts[i], rows.bases[1] + rows.dst[i], rows.dport[i]
    out, back = positive(rows.out[i]), positive(rows.back[i])
    failed = rows.failed[rows.state[i]]
    if w.flows < SAMPLE:
        show(rows, t, slot, i)
    if w.flows < LETTERS:
        w.letters[w.flows] = letter(failed, back, out + back, ts - w.previous, w.gap_before)
    w.flows += 1
    w.out += out
    w.back += back
    w.sent += positive(rows.sent[i])
    w.got += positive(rows.got[i])
    if 0.0 <= rows.duration[i] <= LONGEST:
        w.duration += rows.duration[i]
    w.failed += failed
    w.udp += rows.udp[rows.proto[i]]
    w.inside += rows.inside[dst]
    w.empty += out + back == 0
    w.slices[(ts - w.start) * SLICES // t.limits[0].width] += np.uint32(1)
    w.sizes[digits(out + back)] += np.uint32(1)
    named = rows.named[rows.service[i]]
    w.services[named if named >= 0 else BY_PORT[port & 0xFFFF]] += np.uint32(1)
    arrive(w, ts)
    key = t.windows_keys[slot]
    meet(rows, t, w, slot, mix(key, mix(np.uint64(PEERS), rows.ids[dst])), rows.ids[dst], PEERS, dst)
    meet(rows, t, w, slot, mix(key, mix(np.uint64(PORTS), np.uint64(port))), np.uint64(port), PORTS, NONE)


@jit
def arrive(w: Any, ts: Any) -> None:
    """Count the time of a further flow; one that is not later than the flow before has no gap."""
    gap = ts - w.previous
    if gap > 0:
        w.gap += gap
        w.gap_squares += np.float64(gap) * np.float64(gap)
        w.steady += steady(gap, w.gap_before)
        w.gap_before = gap
        w.last = max(w.last, ts)
    elif ts < w.first:
        w.first = ts
    w.previous = ts


@jit
def meet(rows: Any, t: Any, w: Any, slot: Any, key: Any, value: Any, kind: Any, name: Any) -> None:
    """Count a peer or a port of a window: exactly as long as there is room, then by a sketch."""
    known = find(t.pairs_index, t.pairs_keys, key)
    if known >= 0:
        t.pairs[known].count += np.uint32(1)
        return
    if w.exact[kind] >= t.limits[0].distinct or t.numbers[0].pairs >= t.limits[0].pairs:
        w.rest[kind] += 1
        w.sketch[kind] = sketched(t, w.sketch[kind], value)
        return
    made = pair(t, key, value, slot, kind, text(rows, t, name) if name >= 0 else NONE)
    if w.tail[kind] >= 0:
        t.pairs[w.tail[kind]].next = made
    else:
        w.head[kind] = made
    w.tail[kind] = made
    w.exact[kind] += 1


@jit
def pair(t: Any, key: Any, value: Any, owner: Any, kind: Any, name: Any) -> Any:
    """Enter a distinct value, met once."""
    n = t.numbers[0]
    made = n.pairs
    n.pairs += 1
    insert(t.pairs_index, t.pairs_keys, key, made)
    p = t.pairs[made]
    p.value, p.owner, p.next, p.count, p.text, p.kind = value, owner, NONE, 1, name, kind
    return made


@jit
def sketched(t: Any, at: Any, value: Any) -> Any:
    """Take a value into the sketch `at`, or into a new one; the sketch it is in, `LEFT_OUT` if there is none left."""
    n = t.numbers[0]
    if at == NONE:
        if n.sketches >= t.limits[0].sketches:
            n.sketches_over_limit += 1
            return LEFT_OUT
        at = n.sketches
        n.sketches += 1
    if at >= 0:
        note(t.sketches[at], value)
    return at


@jit
def text(rows: Any, t: Any, name: Any) -> Any:
    """The number of a text of the frame; its bytes are copied when it is first needed."""
    key = rows.ids[name]
    known = find(t.texts_index, t.texts_keys, key)
    if known >= 0:
        return known
    n = t.numbers[0]
    made = n.texts
    n.texts += 1
    insert(t.texts_index, t.texts_keys, key, made)
    size = min(rows.ends[name + 1] - rows.ends[name], TEXT)
    t.texts[made].begin, t.texts[made].size = n.bytes, size
    t.bytes[n.bytes : n.bytes + size] = rows.blob[rows.ends[name] : rows.ends[name] + size]
    n.bytes += size
    return made


@jit
def show(rows: Any, t: Any, slot: Any, i: Any) -> None:
    """Keep row `i` among the flows that its window shows."""
    s = t.shown[slot, t.windows[slot].flows]
    s.ts, s.out, s.back = rows.ts[i], rows.out[i], rows.back[i]
    s.sport, s.dport = rows.sport[i], rows.dport[i]
    s.dst, s.proto = text(rows, t, rows.bases[1] + rows.dst[i]), text(rows, t, rows.bases[2] + rows.proto[i])


@jit
def digits(size: Any) -> Any:
    """Binary digits of a number, at most those of the last bin."""
    found = 0
    while size and found < BINS - 1:
        size >>= 1
        found += 1
    return found


@jit
def steady(gap: Any, before: Any) -> Any:
    """Whether a gap (microseconds) is as long as the gap before, within a quarter of it."""
    return gap > 0 and before > 0 and 4 * abs(gap - before) <= before


@jit
def letter(failed: Any, back: Any, size: Any, gap: Any, before: Any) -> Any:
    """The letter of a flow (see `letters`): bytes that came back and in all, its gap, the gap before that."""
    outcome = 0 if failed else 1 if back == 0 else 2
    amount = 0 if size <= 300 else 1 if size <= 3_000 else 2 if size <= 100_000 else 3
    pace = 0 if gap <= 0 else 1 if steady(gap, before) else 2 if gap < 10_000_000 else 3
    return _CODES[(outcome * 4 + amount) * 4 + pace]
