"""The kernel that turns the windows of one start into vectors, in the order of `table.FEATURES`.

Rules:
    1. One function a family; each gives its features in the order of the table.
    2. Distinct values are counted exactly up to the limits. Beyond, a sketch says how many there were (within some 3 %
       of those beyond), and the entropy takes their flows as evenly spread over them.
    3. Quantiles come from counts by powers of two: they lie in the power of two that holds the true one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.features.jit import jit
from engine.features.lookup import find
from engine.features.past import DAY_S, SECOND, deviations, forget_hosts, learn, meet_values, profile_of
from engine.features.sketch import estimate
from engine.features.table import FEATURES
from engine.features.tables import BINS, NONE, PEERS, PORTS, SLICES
from engine.features.topology import survey

_LOGARITHMIC = np.array([feature.log for feature in FEATURES])


@jit
def describe(t: Any, past: Any, slots: Any, g: Any, vectors: Any) -> None:
    """Fill in the vectors of the windows of one start; their hosts learn them.

    Args:
        t: `Tables`.
        past: `Past`.
        slots: the windows, ordered by host.
        g: room for their `Graph`.
        vectors: a row for each window.
    """
    survey(t, slots, g)
    for k in range(len(slots)):
        w = t.windows[slots[k]]
        p = past.profiles[profile_of(past, w.host, w.start)]
        peers, ports, core = distinct(t, w, PEERS), distinct(t, w, PORTS), np.float64(g.core[w.text])
        new_peers, new_ports = meet_values(past, p, t, w, PEERS), meet_values(past, p, t, w, PORTS)
        values = (
            temporal(w, t.numbers[0].width)
            + behavioural(p, w, new_peers / w.exact[PEERS], new_ports / w.exact[PORTS], peers)
            + of_bytes(w)
            + statistical(t, w, peers, ports)
            + of_topology(t, p, w, g, (peers, ports, core, g.reached[k]))
        )
        for column in range(len(values)):
            value = values[column]
            vectors[k, column] = math.log1p(value) if _LOGARITHMIC[column] else value
        learn(p, w, peers, core)
        forget_hosts(past)


@jit
def distinct(t: Any, w: Any, kind: Any) -> Any:
    """Distinct peers or ports of a window."""
    beyond = estimate(t.sketches, w.sketch[kind]) if w.sketch[kind] >= 0 else 0.0
    return w.exact[kind] + beyond


@jit
def temporal(w: Any, width: Any) -> Any:
    """Rates and times."""
    gaps, mean, spread = w.flows - 1, 0.0, 0.0
    if gaps and w.gap:
        mean = w.gap / gaps
        spread = math.sqrt(max(0.0, w.gap_squares / gaps - mean * mean)) / mean
    busiest = np.uint32(0)
    for k in range(SLICES):
        busiest = max(busiest, w.slices[k])
    turn = 2.0 * math.pi * ((w.start + width // 2) // SECOND % DAY_S) / DAY_S
    return (
        np.float64(w.flows),
        mean / SECOND,
        spread,
        w.steady / (w.flows - 2) if w.flows > 2 else 0.0,
        busiest / w.flows,
        w.duration / w.flows,
        math.sin(turn),
        math.cos(turn),
    )


@jit
def behavioural(p: Any, w: Any, new_peers: Any, new_ports: Any, peers: Any) -> Any:
    """Against the host's own past."""
    return (new_peers, new_ports, w.failed / w.flows, *deviations(p, w, peers))


@jit
def of_bytes(w: Any) -> Any:
    """Bytes and packets."""
    return (
        w.out,
        w.back,
        w.out / (w.out + w.back) if w.out + w.back > 0.0 else 0.0,
        w.sent,
        w.got,
        w.out / w.sent if w.sent > 0.0 else 0.0,
        w.back / w.got if w.got > 0.0 else 0.0,
        w.empty / w.flows,
    )


@jit
def statistical(t: Any, w: Any, peers: Any, ports: Any) -> Any:
    """How the flows are spread."""
    most = np.uint32(0)
    at = np.int64(w.head[PEERS])
    while at >= 0:
        most = max(most, t.pairs[at].count)
        at = np.int64(t.pairs[at].next)
    return (
        entropy_of(t, w, PEERS, peers),
        entropy_of(t, w, PORTS, ports),
        entropy(w.sizes, w.flows),
        quantile(w.sizes, w.flows, 0.5),
        quantile(w.sizes, w.flows, 0.9),
        w.udp / w.flows,
        most / w.flows,
    )


@jit
def of_topology(t: Any, p: Any, w: Any, g: Any, known: Any) -> Any:
    """Where the host stands in the graph of the window; `known`: its peers, ports, core number and reach."""
    peers, ports, core, reached = known
    rare = 0
    at = np.int64(w.head[PEERS])
    while at >= 0:
        rare += g.popular[t.pairs[at].text] == 1
        at = np.int64(t.pairs[at].next)
    flows, callers = 0.0, 0.0
    got = find(t.received_index, w.key)
    if got >= 0:
        r = t.received[got]
        flows, callers = np.float64(r.flows), np.float64(r.callers)
        callers += estimate(t.sketches, r.sketch) if r.sketch >= 0 else 0.0
    seen = p.windows[0] + p.windows[1]
    return (
        peers,
        ports,
        w.inside / w.flows,
        flows,
        callers,
        rare / w.exact[PEERS],
        reached,
        core,
        core - p.core if seen else 0.0,
    )


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
def top_peers(t: Any, slots: Any, texts: Any, counts: Any) -> None:
    """Fill in the peers of each window that most flows went to: by count, then by name; `NONE` behind the last."""
    for k in range(len(slots)):
        at = np.int64(t.windows[slots[k]].head[PEERS])
        used = 0
        while at >= 0:
            used = _enter(t, texts, counts, k, used, t.pairs[at])
            at = np.int64(t.pairs[at].next)
        for place in range(used, texts.shape[1]):
            texts[k, place] = NONE


@jit
def _enter(t: Any, texts: Any, counts: Any, k: Any, used: Any, p: Any) -> Any:  # noqa: PLR0917
    """Put a peer in its place among the `used` best of window `k`; how many there are now."""
    most, place = texts.shape[1], used
    while place and (
        counts[k, place - 1] < p.count or (counts[k, place - 1] == p.count and _before(t, p.text, texts[k, place - 1]))
    ):
        place -= 1
    if place == most:
        return used
    for at in range(min(used, most - 1), place, -1):
        texts[k, at], counts[k, at] = texts[k, at - 1], counts[k, at - 1]
    texts[k, place], counts[k, place] = p.text, p.count
    return min(used + 1, most)


@jit
def _before(t: Any, one: Any, other: Any) -> Any:
    """Whether a text comes before another."""
    a, b = t.texts[one], t.texts[other]
    for k in range(min(a.size, b.size)):
        if t.bytes[a.begin + k] != t.bytes[b.begin + k]:
            return t.bytes[a.begin + k] < t.bytes[b.begin + k]
    return a.size < b.size
