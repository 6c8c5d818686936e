"""The kernel that carries what is still open over into fresh tables, when starts were closed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine.features.lookup import insert
from engine.features.tables import CALLERS, LIMITS, NONE, REGISTERS, SAMPLE, Array, Tables, empty, sizes_of
from engine.jit import jit


class Moved(NamedTuple):
    """The new number of each window, host that received, sketch and text; `NONE` for what was not kept."""

    windows: Array
    received: Array
    sketches: Array
    texts: Array


def kept(t: Tables, clock: int) -> Tables:
    """Fresh tables with all that belongs to starts that are not due at `clock`, in its order."""
    numbers = t.numbers[0]
    made = empty(tuple(int(numbers[name]) for name in LIMITS), sizes_of(t))
    moved = Moved(*(np.full(int(numbers[name]), NONE) for name in Moved._fields))
    # one kernel after the other: a kernel is compiled once more into each that calls it
    _starts(t, made, clock)
    _windows(t, made, clock, moved)
    _received(t, made, clock, moved)
    _pairs(t, made, moved)
    _texts(t, made, moved.texts)
    _rename(made, moved.texts)
    return made


@jit
def _starts(t: Any, made: Any, clock: Any) -> None:
    n, m, span = t.numbers[0], made.numbers[0], t.numbers[0].span
    m.inside_seen, m.late_for_window, m.ahead_of_clock = n.inside_seen, n.late_for_window, n.ahead_of_clock
    m.hosts_over_limit, m.receivers_over_limit = n.hosts_over_limit, n.receivers_over_limit
    m.sketches_over_limit = n.sketches_over_limit
    for k in range(n.starts):
        if t.starts[k].start + span > clock:
            made.starts[m.starts] = t.starts[k]
            m.starts += 1
            m.due = min(m.due, t.starts[k].start + span)


@jit
def _sketch(t: Any, made: Any, sketches: Any, at: Any) -> Any:
    """The new number of a sketch, which is copied."""
    if at < 0:
        return at
    m = made.numbers[0]
    if sketches[at] == NONE:
        sketches[at] = m.sketches
        for k in range(REGISTERS):
            made.sketches[m.sketches, k] = t.sketches[at, k]
        m.sketches += 1
    return sketches[at]


@jit
def _windows(t: Any, made: Any, clock: Any, moved: Any) -> None:
    m = made.numbers[0]
    for old in range(t.numbers[0].windows):
        if t.windows[old].start + t.numbers[0].span > clock:
            new = m.windows
            moved.windows[old] = new
            made.windows[new] = t.windows[old]
            w = made.windows[new]
            moved.texts[w.text] = 0
            for k in range(min(w.flows, SAMPLE)):
                moved.texts[w.shown_dst[k]] = moved.texts[w.shown_proto[k]] = 0
            for kind in range(2):
                w.sketch[kind] = _sketch(t, made, moved.sketches, np.int64(w.sketch[kind]))
                w.head[kind] = w.tail[kind] = NONE
            insert(made.windows_index, t.windows[old].key, new)
            m.windows += 1


@jit
def _received(t: Any, made: Any, clock: Any, moved: Any) -> None:
    m = made.numbers[0]
    for old in range(t.numbers[0].received):
        if t.received[old].start + t.numbers[0].span > clock:
            new = m.received
            moved.received[old] = new
            made.received[new] = t.received[old]
            made.received[new].sketch = _sketch(t, made, moved.sketches, np.int64(made.received[new].sketch))
            insert(made.received_index, t.received[old].key, new)
            m.received += 1


@jit
def _pairs(t: Any, made: Any, moved: Any) -> None:
    """The pairs whose owner was kept; their lists are linked anew, which keeps their order."""
    m = made.numbers[0]
    for old in range(t.numbers[0].pairs):
        kind = t.pairs[old].kind
        of = moved.received if kind == CALLERS else moved.windows
        owner = of[t.pairs[old].owner]
        if owner < 0:
            continue
        new = m.pairs
        made.pairs[new] = t.pairs[old]
        p = made.pairs[new]
        p.owner, p.next = owner, NONE
        if kind != CALLERS:
            w = made.windows[owner]
            if w.tail[kind] >= 0:
                made.pairs[w.tail[kind]].next = new
            else:
                w.head[kind] = new
            w.tail[kind] = new
        if p.text >= 0:
            moved.texts[p.text] = 0
        insert(made.pairs_index, t.pairs[old].key, new)
        m.pairs += 1


@jit
def _texts(t: Any, made: Any, names: Any) -> None:
    """The texts that are still named (`names` is not `NONE`); `names` then holds their new numbers."""
    m = made.numbers[0]
    for old in range(t.numbers[0].texts):
        if names[old] == NONE:
            continue
        new, begin, size = m.texts, t.texts[old].begin, t.texts[old].size
        names[old] = new
        kept = made.texts[new]
        kept.key, kept.begin, kept.size = t.texts[old].key, m.bytes, size
        for k in range(size):
            made.bytes[m.bytes + k] = t.bytes[begin + k]
        insert(made.texts_index, t.texts[old].key, new)
        m.bytes += size
        m.texts += 1


@jit
def _rename(made: Any, names: Any) -> None:
    """Put the new numbers of the texts in place of the old ones."""
    m = made.numbers[0]
    for slot in range(m.windows):
        w = made.windows[slot]
        w.text = names[w.text]
        for k in range(min(w.flows, SAMPLE)):
            w.shown_dst[k], w.shown_proto[k] = names[w.shown_dst[k]], names[w.shown_proto[k]]
    for at in range(m.pairs):
        if made.pairs[at].text >= 0:
            made.pairs[at].text = names[made.pairs[at].text]
