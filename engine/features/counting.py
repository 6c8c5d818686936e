"""The kernel that counts rows: one after the other, so that nothing depends on where frames were cut.

It stops where Python has to do something and is then called again at that row: a start is due (`CLOSE`), or a table
may lack room for the row (`GROW`). Numbers that make no sense (negative, infinite) count as 0.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from engine.features.letters import ALPHABET, LETTERS
from engine.features.lookup import find, insert, mix
from engine.features.sketch import note
from engine.features.tables import BINS, CALLERS, NONE, PEERS, PORTS, SAMPLE, SLICES, TEXT
from engine.jit import jit

DONE, CLOSE, GROW = 0, 1, 2
CAP: Final = 1 << 60
"""A count of bytes or packets above which a number is no measurement."""

LONGEST: Final = 1e9
"""Seconds above which a duration is none."""

LEFT_OUT: Final = -2
"""There was no sketch left for the values that are not told apart."""

_CODES: Final = np.frombuffer(ALPHABET, np.uint8)


ROW = np.dtype([
    ("clock", "i8"), ("ts", "i8"), ("duration", "f8"), ("out", "i8"), ("back", "i8"), ("sent", "i8"), ("got", "i8"),
    ("src", "i4"), ("dst", "i4"), ("proto", "i4"), ("sport", "i4"), ("dport", "i4"), ("service", "i1"),
    ("plain", "u1"), ("conn", "u1"), ("late", "u1"), ("udp", "u1"), ("failed", "u1"),
])  # fmt: skip
"""A row of a frame; `src`, `dst` and `proto` are numbers of its words; `plain`: its status is empty."""


@jit
def count(rows: Any, f: Any, t: Any, begin: Any, fresh: Any) -> Any:
    """Count the rows from `begin` on.

    Args:
        rows: the frame, as `ROW`.
        f: its texts, as `texts.Words`.
        t: `Tables`.
        begin: the first row.
        fresh: place for (window, row) of each window that is new.

    Returns:
        why it stopped, at which row, and how many windows are new.
    """
    made, n = 0, t.numbers[0]
    for i in range(begin, len(rows)):
        row = rows[i]
        if not row.plain:
            continue
        if row.clock >= n.due:
            return CLOSE, i, made
        if not row.conn:
            continue
        if not roomy(t):
            return GROW, i, made
        at = start_of(n, t.starts, row)
        if at < 0:
            continue
        slot = take(row, f, t, t.starts[at])
        if slot >= 0 and t.windows[slot].flows == 1:
            fresh[made, 0], fresh[made, 1] = slot, i
            made += 1
    return DONE, len(rows), made


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
def start_of(n: Any, starts: Any, row: Any) -> Any:
    """The place of the open start that a row belongs to; below 0 if it is closed or lies ahead of the clock."""
    start = row.ts - row.ts % n.width
    if row.late or start + n.span <= row.clock:
        n.late_for_window += 1
        return -1
    if row.ts > row.clock:
        n.ahead_of_clock += 1
        return -1
    for at in range(n.starts - 1, -1, -1):
        if starts[at].start == start:
            return at
    opened = starts[n.starts]
    opened.start, opened.windows, opened.received = start, 0, 0
    n.due = min(n.due, start + n.span)
    n.starts += 1
    return n.starts - 1


@jit
def take(row: Any, f: Any, t: Any, opened: Any) -> Any:
    """Count a row in its start: the number of its window, below 0 if it has none."""
    src, dst = f.words[row.src], f.words[row.dst]
    if dst.inside:
        receive(t, opened, dst.id, src.id)
    key = mix(src.id, np.uint64(opened.start))
    slot = find(t.windows_index, t.windows.key, key)
    if slot < 0:
        slot = open_window(f, t, opened, src, row.ts)
    if slot >= 0:
        w = t.windows[slot]
        if w.flows < SAMPLE:
            show(row, f, t, w)
        add(row, w, t.numbers[0].width, dst.inside)
        meet_peer(f, t, w, slot, dst)
        meet(t, w, slot, PORTS, np.uint64(row.dport))
    return slot


@jit
def receive(t: Any, opened: Any, host: Any, caller: Any) -> None:
    """Count a flow to an inside host, and who opened it."""
    n = t.numbers[0]
    key = mix(host, np.uint64(opened.start))
    at = find(t.received_index, t.received.key, key)
    if at < 0:
        if opened.received >= n.max_hosts:
            n.receivers_over_limit += 1
            return
        opened.received += 1
        at = n.received
        n.received += 1
        insert(t.received_index, key, at)
        entry = t.received[at]
        entry.key, entry.host, entry.start, entry.sketch = key, host, opened.start, NONE
    entry = t.received[at]
    entry.flows += 1
    pair_key = mix(key, mix(np.uint64(CALLERS), caller))
    known = find(t.pairs_index, t.pairs.key, pair_key)
    if known >= 0:
        t.pairs[known].count += np.uint32(1)
    elif entry.callers < n.max_callers and n.pairs < n.max_pairs:
        pair(t, pair_key, caller, at, CALLERS)
        entry.callers += 1
    else:
        entry.sketch = sketched(n, t.sketches, np.int64(entry.sketch), caller)


@jit
def open_window(f: Any, t: Any, opened: Any, src: Any, ts: Any) -> Any:
    """A window for a host that has none yet; below 0 if it is not to have one."""
    n = t.numbers[0]
    if src.inside:
        n.inside_seen = 1
    elif n.inside_seen:
        return -1
    if opened.windows >= n.max_hosts:
        n.hosts_over_limit += 1
        return -1
    opened.windows += 1
    slot, key = n.windows, mix(src.id, np.uint64(opened.start))
    n.windows += 1
    insert(t.windows_index, key, slot)
    w = t.windows[slot]
    w.key, w.host, w.start, w.text = key, src.id, opened.start, text(f, t, src)
    w.first = w.last = w.previous = ts
    for kind in range(2):
        w.head[kind] = w.tail[kind] = w.sketch[kind] = NONE
    return slot


@jit
def positive(number: Any) -> Any:
    """A count of bytes or packets."""
    return min(max(number, 0), CAP)


@jit
def add(row: Any, w: Any, width: Any, inside: Any) -> None:
    """Count a row in window `w`: all but its distinct values."""
    out, back = positive(row.out), positive(row.back)
    if w.flows < LETTERS:
        w.letters[w.flows] = letter(row.failed, back, out + back, row.ts - w.previous, w.gap_before)
    w.flows += 1
    w.out += out
    w.back += back
    w.sent += positive(row.sent)
    w.got += positive(row.got)
    if 0.0 <= row.duration <= LONGEST:
        w.duration += row.duration
    w.failed += row.failed
    w.udp += row.udp
    w.inside += inside
    w.empty += out + back == 0
    w.slices[(row.ts - w.start) * SLICES // width] += np.uint32(1)
    w.sizes[digits(out + back)] += np.uint32(1)
    w.services[row.service] += np.uint32(1)
    arrive(w, row.ts)


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
def meet_peer(f: Any, t: Any, w: Any, slot: Any, peer: Any) -> None:
    """Count a peer of a window; one that is new gets a name."""
    before = w.exact[PEERS]
    meet(t, w, slot, PEERS, peer.id)
    if w.exact[PEERS] > before:
        t.pairs[w.tail[PEERS]].text = text(f, t, peer)


@jit
def meet(t: Any, w: Any, slot: Any, kind: Any, value: Any) -> None:
    """Count a peer or a port of a window: exactly as long as there is room, then by a sketch."""
    n, key = t.numbers[0], mix(w.key, mix(np.uint64(kind), value))
    known = find(t.pairs_index, t.pairs.key, key)
    if known >= 0:
        t.pairs[known].count += np.uint32(1)
    elif w.exact[kind] >= n.max_distinct or n.pairs >= n.max_pairs:
        w.rest[kind] += 1
        w.sketch[kind] = sketched(n, t.sketches, np.int64(w.sketch[kind]), value)
    else:
        made = pair(t, key, value, slot, kind)
        if w.tail[kind] >= 0:
            t.pairs[w.tail[kind]].next = made
        else:
            w.head[kind] = made
        w.tail[kind] = made
        w.exact[kind] += 1


@jit
def pair(t: Any, key: Any, value: Any, owner: Any, kind: Any) -> Any:
    """Enter a distinct value, met once."""
    made = t.numbers[0].pairs
    t.numbers[0].pairs += 1
    insert(t.pairs_index, key, made)
    p = t.pairs[made]
    p.key, p.value, p.owner, p.next, p.count, p.text, p.kind = key, value, owner, NONE, 1, NONE, kind
    return made


@jit
def sketched(n: Any, sketches: Any, at: Any, value: Any) -> Any:
    """Take a value into the sketch `at`, or into a new one; the sketch it is in, `LEFT_OUT` if there is none left."""
    if at == NONE:
        if n.sketches >= n.max_sketches:
            n.sketches_over_limit += 1
            return LEFT_OUT
        at = n.sketches
        n.sketches += 1
    if at >= 0:
        note(sketches, at, value)
    return at


@jit
def text(f: Any, t: Any, word: Any) -> Any:
    """The number of a text of the frame; its bytes are copied when it is first needed."""
    known = find(t.texts_index, t.texts.key, word.id)
    if known >= 0:
        return known
    n = t.numbers[0]
    made = n.texts
    n.texts += 1
    insert(t.texts_index, word.id, made)
    size = min(word.end - word.begin, TEXT)
    kept = t.texts[made]
    kept.key, kept.begin, kept.size = word.id, n.bytes, size
    for k in range(size):
        t.bytes[n.bytes + k] = f.blob[word.begin + k]
    n.bytes += size
    return made


@jit
def show(row: Any, f: Any, t: Any, w: Any) -> None:
    """Keep a row among the flows that its window shows."""
    k = w.flows
    w.shown_ts[k], w.shown_out[k], w.shown_back[k] = row.ts, row.out, row.back
    w.shown_sport[k], w.shown_dport[k] = row.sport, row.dport
    w.shown_dst[k], w.shown_proto[k] = text(f, t, f.words[row.dst]), text(f, t, f.words[row.proto])


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
