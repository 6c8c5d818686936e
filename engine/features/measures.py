"""The kernels that turn the windows of one start into vectors, in the order of `table.FEATURES`.

Rules:
    1. One kernel a family (the behavioural one is `past.recall`); each gives its features in the order of the table.
    2. Distinct values are counted exactly up to the limits. Beyond, a sketch says how many there were (within some 3 %
       of those beyond), and the entropy takes their flows as evenly spread over them.
    3. Quantiles come from counts by powers of two: they lie in the power of two that holds the true one.
"""

from __future__ import annotations

import math
from typing import Any, Final, get_args

import numpy as np

from engine.features.lookup import find
from engine.features.past import DAY_S, SECOND, Past, recall, second_of_day
from engine.features.sketch import estimate
from engine.features.table import FEATURES, Family
from engine.features.tables import BINS, CALLERS, PEERS, PORTS, SLICES, Array, Tables
from engine.features.topology import survey
from engine.jit import jit


def describe(t: Tables, past: Past, slots: Array) -> Array:
    """The vectors of the windows of one start; their hosts learn them.

    Args:
        t: the open windows.
        past: has room for the hosts and for what they know.
        slots: the windows, ordered by host.

    Returns:
        float64, a row for each window.
    """
    graph = survey(t, slots)
    vectors, distinct = np.empty((len(slots), len(FEATURES))), np.empty((len(slots), 3))
    _distinct(t, slots, distinct)
    _temporal(t, slots, vectors[:, _COLUMNS["temporal"]])
    recall(t, past, slots, (distinct[:, PEERS], graph.core), vectors[:, _COLUMNS["behavioural"]])
    _of_bytes(t, slots, vectors[:, _COLUMNS["packet/byte"]])
    _statistical(t, slots, distinct, vectors[:, _COLUMNS["statistical"]])
    _of_topology(t, slots, distinct, graph, vectors[:, _COLUMNS["topology"]])
    _scale(vectors)
    return vectors


def _columns(family: Family) -> slice:
    """The columns of a family, which stand together."""
    numbers = [number for number, feature in enumerate(FEATURES) if feature.family == family]
    return slice(numbers[0], numbers[-1] + 1)


_COLUMNS: Final = {family: _columns(family) for family in get_args(Family)}
_LOGARITHMIC: Final = np.array([feature.log for feature in FEATURES])


@jit
def _scale(vectors: Any) -> None:
    for k in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            if _LOGARITHMIC[column]:
                vectors[k, column] = math.log1p(vectors[k, column])


@jit
def _put(out: Any, k: Any, values: Any) -> None:
    for column in range(len(values)):
        out[k, column] = values[column]


@jit
def _distinct(t: Any, slots: Any, out: Any) -> None:
    """Distinct peers, ports and callers of each window."""
    for k in range(len(slots)):
        w = t.windows[slots[k]]
        for kind in range(2):
            out[k, kind] = w.exact[kind] + _beyond(t, np.int64(w.sketch[kind]))
        at = find(t.received_index, t.received.key, w.key)
        out[k, CALLERS] = t.received[at].callers + _beyond(t, np.int64(t.received[at].sketch)) if at >= 0 else 0.0


@jit
def _beyond(t: Any, sketch: Any) -> Any:
    """How many distinct values went to a sketch."""
    return estimate(t.sketches, sketch) if sketch >= 0 else 0.0


@jit
def _temporal(t: Any, slots: Any, out: Any) -> None:
    """Rates and times."""
    for k in range(len(slots)):
        w = t.windows[slots[k]]
        gaps, mean, spread = w.flows - 1, 0.0, 0.0
        if gaps and w.gap:
            mean = w.gap / gaps
            spread = math.sqrt(max(0.0, w.gap_squares / gaps - mean * mean)) / mean
        busiest = np.uint32(0)
        for part in range(SLICES):
            busiest = max(busiest, w.slices[part])
        turn = 2.0 * math.pi * second_of_day(t.numbers[0], w.start + t.numbers[0].width // 2) / DAY_S
        _put(out, k, (
            np.float64(w.flows),
            mean / SECOND,
            spread,
            w.steady / (w.flows - 2) if w.flows > 2 else 0.0,
            busiest / w.flows,
            w.duration / w.flows,
            math.sin(turn),
            math.cos(turn),
        ))  # fmt: skip


@jit
def _of_bytes(t: Any, slots: Any, out: Any) -> None:
    """Bytes and packets."""
    for k in range(len(slots)):
        w = t.windows[slots[k]]
        _put(out, k, (
            w.out,
            w.back,
            w.out / (w.out + w.back) if w.out + w.back > 0.0 else 0.0,
            w.sent,
            w.got,
            w.out / w.sent if w.sent > 0.0 else 0.0,
            w.back / w.got if w.got > 0.0 else 0.0,
            w.empty / w.flows,
        ))  # fmt: skip


@jit
def _statistical(t: Any, slots: Any, distinct: Any, out: Any) -> None:
    """How the flows are spread."""
    for k in range(len(slots)):
        w, most = t.windows[slots[k]], np.uint32(0)
        at = np.int64(w.head[PEERS])
        while at >= 0:
            most = max(most, t.pairs[at].count)
            at = np.int64(t.pairs[at].next)
        _put(out, k, (
            entropy_of(t, w, PEERS, distinct[k, PEERS]),
            entropy_of(t, w, PORTS, distinct[k, PORTS]),
            entropy(w.sizes, w.flows),
            quantile(w.sizes, w.flows, 0.5),
            quantile(w.sizes, w.flows, 0.9),
            w.udp / w.flows,
            most / w.flows,
        ))  # fmt: skip


@jit
def _of_topology(t: Any, slots: Any, distinct: Any, g: Any, out: Any) -> None:
    """Where the host stands in the graph of the window; how its core number grew is for its past to say."""
    for k in range(len(slots)):
        w, rare = t.windows[slots[k]], 0
        at = np.int64(w.head[PEERS])
        while at >= 0:
            rare += g.popular[t.pairs[at].text] == 1
            at = np.int64(t.pairs[at].next)
        got = find(t.received_index, t.received.key, w.key)
        _put(out, k, (
            distinct[k, PEERS],
            distinct[k, PORTS],
            w.inside / w.flows,
            np.float64(t.received[got].flows) if got >= 0 else 0.0,
            distinct[k, CALLERS],
            rare / w.exact[PEERS],
            g.reached[k],
            np.float64(g.core[w.text]),
        ))  # fmt: skip


@jit
def entropy_of(t: Any, w: Any, kind: Any, values: Any) -> Any:
    """Shannon entropy of the flows over peers or ports, in bits."""
    total, at = 0.0, np.int64(w.head[kind])
    while at >= 0:
        n = np.float64(t.pairs[at].count)
        total += n * math.log2(n)
        at = np.int64(t.pairs[at].next)
    beyond = values - w.exact[kind]
    if w.rest[kind] > beyond > 0.0:
        total += w.rest[kind] * math.log2(w.rest[kind] / beyond)
    return max(0.0, math.log2(w.flows) - total / w.flows)


@jit
def entropy(counts: Any, flows: Any) -> Any:
    """Shannon entropy of counts, in bits."""
    total = 0.0
    for k in range(BINS):
        if counts[k] > 1:
            total += counts[k] * math.log2(counts[k])
    return max(0.0, math.log2(flows) - total / flows)


@jit
def quantile(sizes: Any, flows: Any, share: Any) -> Any:
    """A quantile of the sizes of the flows, placed inside its power of two by its rank."""
    rank = math.ceil(share * flows)
    before = np.int64(0)
    for k in range(BINS):
        here = np.int64(sizes[k])
        if before + here >= rank:
            return 2.0 ** (k - 1 + (rank - before - 0.5) / here) if k else 0.0
        before += here
    return 0.0


@jit
def top_peers(t: Any, slot: Any, texts: Any, counts: Any) -> Any:
    """Fill in the peers of a window that most flows went to, by count, then by name; how many there are."""
    used, at = np.int64(0), np.int64(t.windows[slot].head[PEERS])
    while at >= 0:
        used = _enter(t, texts, counts, used, t.pairs[at])
        at = np.int64(t.pairs[at].next)
    return used


@jit
def _enter(t: Any, texts: Any, counts: Any, used: Any, p: Any) -> Any:
    """Put a peer in its place among the `used` best; how many there are now."""
    place = used
    while place and (
        counts[place - 1] < p.count or (counts[place - 1] == p.count and _before(t, p.text, texts[place - 1]))
    ):
        place -= 1
    if place == len(texts):
        return used
    for at in range(min(used, len(texts) - 1), place, -1):
        texts[at], counts[at] = texts[at - 1], counts[at - 1]
    texts[place], counts[place] = p.text, p.count
    return min(used + 1, len(texts))


@jit
def _before(t: Any, one: Any, other: Any) -> Any:
    """Whether a text comes before another."""
    a, b = t.texts[one], t.texts[other]
    for k in range(min(a.size, b.size)):
        if t.bytes[a.begin + k] != t.bytes[b.begin + k]:
            return t.bytes[a.begin + k] < t.bytes[b.begin + k]
    return a.size < b.size
