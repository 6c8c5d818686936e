"""The graph of one window start: who opened a flow to whom, of all hosts that have a window.

Rules:
    1. Nodes are hosts, edges are pairs of hosts between which a flow was opened, whichever way; no loops. Only peers
       that are told apart have edges.
    2. The core number of a host is the largest k such that it lies in a subgraph whose hosts all have k edges in it.
       [Batagelj, Zaversnik: An O(m) algorithm for cores decomposition of networks, 2003] It equals networkx's
       `core_number`, at 1/30 of its time; a test holds it.
    3. The reach of a host is the number of hosts within two steps along the flows; steps beyond `STEPS` are not taken.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from engine.features.jit import jit
from engine.features.lookup import find, mix
from engine.features.tables import NONE, PEERS

STEPS: Final = 4096
"""Second steps that are taken from one host."""


@jit
def callers_of(t: Any, slots: Any) -> Any:
    """How many of the windows called each host (by the number of its text)."""
    counts = np.zeros(t.numbers[0].texts, np.int32)
    for slot in slots:
        at = t.windows[slot].head[PEERS]
        while at >= 0:
            counts[t.pairs[at].text] += 1
            at = t.pairs[at].next
    return counts


@jit
def edges(t: Any, slots: Any) -> Any:
    """The edges of the graph: an array of pairs of texts, each edge once."""
    total = 0
    for slot in slots:
        total += t.windows[slot].exact[PEERS]
    found, made = np.empty((total, 2), np.int32), 0
    for slot in slots:
        w = t.windows[slot]
        at = w.head[PEERS]
        while at >= 0:
            p = t.pairs[at]
            if p.text != w.text and (w.text < p.text or not called(t, p.value, w.start, w.host)):
                found[made, 0], found[made, 1] = w.text, p.text
                made += 1
            at = p.next
    return found[:made]


@jit
def called(t: Any, host: Any, start: Any, peer: Any) -> Any:
    """Whether a host opened a flow to a peer that its window tells apart."""
    key = mix(mix(host, np.uint64(start)), mix(np.uint64(PEERS), peer))
    return find(t.pairs_index, key) >= 0


@jit
def neighbours(ends: Any, nodes: Any) -> Any:
    """The edges by node: the neighbours of node `i` are `near[begin[i]:begin[i + 1]]`."""
    begin = np.zeros(nodes + 1, np.int64)
    for k in range(len(ends)):
        begin[ends[k, 0] + 1] += 1
        begin[ends[k, 1] + 1] += 1
    begin = np.cumsum(begin)
    place, near = begin.copy(), np.empty(2 * len(ends), np.int32)
    for k in range(len(ends)):
        a, b = ends[k, 0], ends[k, 1]
        near[place[a]], near[place[b]] = b, a
        place[a] += 1
        place[b] += 1
    return begin, near


@jit
def core_numbers(begin: Any, near: Any) -> Any:
    """The core number of each node: nodes are taken away in the order of their degree."""
    nodes = len(begin) - 1
    degree = begin[1:] - begin[:-1]
    bins = np.zeros(degree.max() + 2 if nodes else 1, np.int64)
    for d in degree:
        bins[d + 1] += 1
    bins = np.cumsum(bins)
    order, place, fill = np.empty(nodes, np.int64), np.empty(nodes, np.int64), bins.copy()
    for node in range(nodes):
        place[node] = fill[degree[node]]
        order[place[node]] = node
        fill[degree[node]] += 1
    for k in range(nodes):
        node = order[k]
        for other in near[begin[node] : begin[node + 1]]:
            if degree[other] > degree[node]:
                _lower(degree, bins, order, place, other)
    return degree


@jit
def _lower(degree: Any, bins: Any, order: Any, place: Any, node: Any) -> None:
    """Take one edge of a node away: it goes to the front of its bin, which then begins behind it."""
    first = bins[degree[node]]
    swapped = order[first]
    order[first], order[place[node]] = node, swapped
    place[swapped], place[node] = place[node], first
    bins[degree[node]] += 1
    degree[node] -= 1


@jit
def reach(t: Any, slots: Any) -> Any:
    """The reach of the host of each window."""
    texts = t.numbers[0].texts
    window, seen, found = np.full(texts, NONE, np.int32), np.full(texts, NONE, np.int32), np.zeros(len(slots))
    for slot in slots:
        window[t.windows[slot].text] = slot
    for k in range(len(slots)):
        slot = slots[k]
        seen[t.windows[slot].text] = slot
        steps = np.int64(0)
        at = t.windows[slot].head[PEERS]
        while at >= 0:
            peer = t.pairs[at].text
            found[k] += seen[peer] != slot
            seen[peer] = slot
            step = t.windows[window[peer]].head[PEERS] if window[peer] >= 0 else NONE
            while step >= 0 and steps < STEPS:
                found[k] += seen[t.pairs[step].text] != slot
                seen[t.pairs[step].text] = slot
                steps += 1
                step = t.pairs[step].next
            at = t.pairs[at].next
    return found
