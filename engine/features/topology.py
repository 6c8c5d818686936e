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

from typing import Any, Final, NamedTuple

import numpy as np

from engine.features.lookup import find, mix
from engine.features.tables import NONE, PEERS, Array, Tables
from engine.jit import jit

STEPS: Final = 4096
"""Second steps that are taken from one host."""


class Graph(NamedTuple):
    """The graph, and room to work it out. Nodes are numbers of texts.

    Attributes:
        popular: how many of the windows called each node.
        ends: the edges, each once.
        near: the neighbours of node `i` are `near[begin[i]:begin[i + 1]]`.
        core: the core number of each node.
        reached: the reach of the host of each window, in the order of the windows.
    """

    popular: Array
    ends: Array
    begin: Array
    near: Array
    core: Array
    bins: Array
    order: Array
    place: Array
    fill: Array
    window: Array
    seen: Array
    reached: Array


def survey(t: Tables, slots: Array) -> Graph:
    """The graph of the windows `slots`."""
    nodes, pairs = int(t.numbers["texts"][0]), int(t.windows["exact"][slots, PEERS].sum())
    counts = {name: np.zeros(nodes, np.int64) for name in ("popular", "core", "order", "place")}
    bins = {name: np.zeros(nodes + 2, np.int64) for name in ("begin", "bins", "fill")}
    marks = {name: np.full(nodes, NONE, np.int64) for name in ("window", "seen")}
    ends, near = np.empty((pairs, 2), np.int64), np.empty(2 * pairs, np.int64)
    g = Graph(ends=ends, near=near, reached=np.zeros(len(slots)), **counts, **bins, **marks)
    # one kernel after the other: a kernel is compiled once more into each that calls it
    _neighbours(g, _edges(t, slots, g))
    _core_numbers(g)
    _reach(t, slots, g)
    return g


@jit
def _edges(t: Any, slots: Any, g: Any) -> Any:
    made = 0
    for slot in slots:
        w = t.windows[slot]
        g.window[w.text] = slot
        at = np.int64(w.head[PEERS])
        while at >= 0:
            p = t.pairs[at]
            g.popular[p.text] += 1
            if p.text != w.text and (w.text < p.text or not _called(t, p.value, w.start, w.host)):
                g.ends[made, 0], g.ends[made, 1] = w.text, p.text
                made += 1
            at = np.int64(p.next)
    return made


@jit
def _called(t: Any, host: Any, start: Any, peer: Any) -> Any:
    """Whether a host opened a flow to a peer that its window tells apart."""
    key = mix(mix(host, np.uint64(start)), mix(np.uint64(PEERS), peer))
    return find(t.pairs_index, t.pairs.key, key) >= 0


@jit
def _neighbours(g: Any, edges: Any) -> None:
    for k in range(edges):
        g.core[g.ends[k, 0]] += 1
        g.core[g.ends[k, 1]] += 1
    for node in range(len(g.core)):
        g.begin[node + 1] = g.begin[node] + g.core[node]
        g.fill[node] = g.begin[node]
    for k in range(edges):
        a, b = g.ends[k, 0], g.ends[k, 1]
        g.near[g.fill[a]], g.near[g.fill[b]] = b, a
        g.fill[a] += 1
        g.fill[b] += 1


@jit
def _core_numbers(g: Any) -> None:
    """Nodes are taken away in the order of their degree; `core` is the degree at first."""
    nodes = len(g.core)
    for node in range(nodes):
        g.bins[g.core[node] + 1] += 1
    for d in range(nodes + 1):
        g.bins[d + 1] += g.bins[d]
        g.fill[d] = g.bins[d]
    for node in range(nodes):
        d = g.core[node]
        g.place[node], g.order[g.fill[d]] = g.fill[d], node
        g.fill[d] += 1
    for k in range(nodes):
        node = g.order[k]
        for at in range(g.begin[node], g.begin[node + 1]):
            if g.core[g.near[at]] > g.core[node]:
                _lower(g, g.near[at])


@jit
def _lower(g: Any, node: Any) -> None:
    """Take one edge of a node away: it goes to the front of its bin, which then begins behind it."""
    first = g.bins[g.core[node]]
    swapped = g.order[first]
    g.order[first], g.order[g.place[node]] = node, swapped
    g.place[swapped], g.place[node] = g.place[node], first
    g.bins[g.core[node]] += 1
    g.core[node] -= 1


@jit
def _reach(t: Any, slots: Any, g: Any) -> None:
    for k in range(len(slots)):
        w, steps = t.windows[slots[k]], 0
        g.seen[w.text] = k
        at = np.int64(w.head[PEERS])
        while at >= 0:
            peer = t.pairs[at].text
            g.reached[k] += _first_seen(g, peer, k)
            step = np.int64(t.windows[g.window[peer]].head[PEERS]) if g.window[peer] >= 0 else NONE
            while step >= 0 and steps < STEPS:
                g.reached[k] += _first_seen(g, t.pairs[step].text, k)
                steps += 1
                step = np.int64(t.pairs[step].next)
            at = np.int64(t.pairs[at].next)


@jit
def _first_seen(g: Any, node: Any, k: Any) -> Any:
    """1 if a node was not yet seen from the `k`-th window."""
    first = g.seen[node] != k
    g.seen[node] = k
    return first
