"""Windows that closed: what a model reads of them at once, and what is shown of them only when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from domain.values import Micros
from engine.features.letters import LETTERS
from engine.features.tables import SAMPLE, Array, Tables

TOP: Final = 20
"""Peers of a window that are named."""

Sample: TypeAlias = tuple[Micros, str, int, str, int, str, int, int]
"""ts, src_ip, src_port, dst_ip, dst_port, proto, bytes out, bytes in."""


@dataclass(frozen=True, slots=True)
class HostWindow:
    """What is shown of one host's window.

    Attributes:
        host: the host.
        start: where the window begins, microseconds.
        evidence: SHA-256 (hex) of the first row.
        first: the earliest `ts` of its flows; `last` the latest.
        flows: how many it opened.
        peers: those of its peers (the ones that are told apart) that most flows went to: by count, then by name.
        sample: its first flows.
        letters: its first flows as letters (see `letters`).
    """

    host: str
    start: Micros
    evidence: str
    first: Micros
    last: Micros
    flows: int
    peers: dict[str, int] = field(default_factory=dict)
    sample: list[Sample] = field(default_factory=list)
    letters: bytes = b""


class Source(Protocol):
    """Where a closed window has what it shows."""

    def entries(self, k: int) -> Array:
        """The features of the `k`-th window."""

    def start(self, k: int) -> Micros:
        """Where it begins."""

    def flows(self, k: int) -> int:
        """How many flows its host opened."""

    def letters(self, numbers: Sequence[int]) -> list[bytes]:
        """The letters of windows."""

    def window(self, k: int) -> HostWindow:
        """What is shown of it."""


class ClosedWindow:
    """A window that closed right after row `row`, when the feed's clock stood at `at`.

    It holds on to the tables of all windows that closed with it: keep what you need of it, not the window.

    Attributes:
        row: the row.
        at: the clock there, microseconds.
        host: the host.
    """

    __slots__ = ("_number", "_source", "at", "host", "row")

    def __init__(self, row: int, at: Micros, host: str, source: Source, number: int = 0) -> None:
        self.row, self.at, self.host, self._source, self._number = row, at, host, source, number

    @property
    def start(self) -> Micros:
        """Where it begins, microseconds."""
        return self._source.start(self._number)

    @property
    def entries(self) -> Array:
        """Its features (float64), in the order of `FEATURES`."""
        return self._source.entries(self._number)

    @property
    def vector(self) -> tuple[float, ...]:
        """The same as plain numbers."""
        return tuple(self.entries.tolist())

    @property
    def flows(self) -> int:
        """How many flows its host opened."""
        return self._source.flows(self._number)

    @property
    def letters(self) -> bytes:
        """Its first flows as letters (see `letters`)."""
        [found] = self._source.letters([self._number])
        return found

    @property
    def window(self) -> HostWindow:
        """What is shown of it."""
        return self._source.window(self._number)

    def batch(self) -> tuple[int, Micros]:
        """What the windows that closed together have in common: the row, and where they begin."""
        return self.row, self._source.start(self._number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClosedWindow):
            return NotImplemented
        return (self.row, self.at, self.vector, self.window) == (other.row, other.at, other.vector, other.window)

    def __hash__(self) -> int:
        return hash((self.row, self.host))


def letters_of(group: Sequence[ClosedWindow]) -> list[bytes]:
    """The letters of windows; those that stand in one table are cut from it at once."""
    source = group[0]._source
    if any(window._source is not source for window in group):
        return [window.letters for window in group]
    return source.letters([window._number for window in group])


def entries_of(group: Sequence[ClosedWindow]) -> Array:
    """The features of windows, one a row; those that stand in one table are taken from it at once."""
    source = group[0]._source
    if not isinstance(source, Batch) or any(window._source is not source for window in group):
        return np.array([window.entries for window in group])
    found: Array = source.vectors[[window._number for window in group]]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The windows of one start, and the tables that they stand in, which change no more.

    Attributes:
        tables: the tables.
        slots: the numbers of the windows, in order.
        vectors: their features.
        begins: where they begin, microseconds.
    """

    tables: Tables
    slots: Array
    vectors: Array
    begins: Micros

    def entries(self, k: int) -> Array:
        """The features of the `k`-th window."""
        row: Array = self.vectors[k]
        return row

    def start(self, _: int) -> Micros:
        """Where it begins."""
        return self.begins

    def flows(self, k: int) -> int:
        """How many flows its host opened."""
        return int(self.tables.windows["flows"][self.slots[k]])

    def letters(self, numbers: Sequence[int]) -> list[bytes]:
        """The letters of windows."""
        slots = self.slots[list(numbers)]
        letters, flows = (self.tables.windows[name][slots] for name in ("letters", "flows"))
        data, begins = letters.tobytes(), range(0, LETTERS * len(slots), LETTERS)
        lengths = np.minimum(flows, LETTERS).tolist()
        return [data[at : at + length] for at, length in zip(begins, lengths, strict=True)]

    def window(self, k: int) -> HostWindow:
        """What is shown of it."""
        w = self.tables.windows[self.slots[k]]
        [host], flows = names_of(self.tables, w["text"][None]), int(w["flows"])
        return HostWindow(
            host=host,
            start=int(w["start"]),
            evidence=w["evidence"].tobytes().hex(),
            first=int(w["first"]),
            last=int(w["last"]),
            flows=flows,
            peers=self._peers(k),
            sample=self._sample(w, host, min(flows, SAMPLE)),
            letters=self.letters([k])[0],
        )

    def _peers(self, k: int) -> dict[str, int]:
        from engine.features.measures import top_peers

        texts, counts = np.empty(TOP, np.int64), np.empty(TOP, np.int64)
        used = top_peers(self.tables, self.slots[k], texts, counts)
        return dict(zip(names_of(self.tables, texts[:used]), counts[:used].tolist(), strict=True))

    def _sample(self, w: Any, host: str, flows: int) -> list[Sample]:
        ts, sport, dport, out, back = (w[f"shown_{name}"][:flows].tolist() for name in _SHOWN)
        dst, proto = (names_of(self.tables, w[f"shown_{name}"][:flows]) for name in ("dst", "proto"))
        return list(zip(ts, [host] * flows, sport, dst, dport, proto, out, back, strict=True))


_SHOWN: Final = ("ts", "sport", "dport", "out", "back")


def names_of(tables: Tables, numbers: Array) -> list[str]:
    """The texts of these numbers."""
    places = tables.texts[numbers]
    begins, ends = places["begin"], places["begin"] + places["size"]
    if not len(numbers):
        return []
    first = int(begins.min())
    written = tables.bytes[first : int(ends.max())].tobytes()
    return [
        written[begin:end].decode(errors="surrogatepass")
        for begin, end in zip((begins - first).tolist(), (ends - first).tolist(), strict=True)
    ]
