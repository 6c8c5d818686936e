"""Windows that closed: what a model reads of them at once, and what is shown of them only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from domain.values import Micros
from engine.features.tables import SAMPLE, Array

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


class ClosedWindow:
    """A window that closed right after row `row`, when the feed's clock stood at `at`.

    Attributes:
        row: the row.
        at: the clock there, microseconds.
        host: the host.
        vector: its features, in the order of `FEATURES`.
        letters: its first flows as letters (see `letters`).
    """

    __slots__ = ("_show", "at", "host", "letters", "row", "vector")

    def __init__(
        self, row: int, at: Micros, host: str, vector: tuple[float, ...], letters: bytes,
        show: Callable[[], HostWindow],
    ) -> None:  # fmt: skip
        self.row, self.at, self.host, self.vector, self.letters = row, at, host, vector, letters
        self._show = show

    @property
    def window(self) -> HostWindow:
        """What is shown of it."""
        return self._show()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClosedWindow):
            return NotImplemented
        return (self.row, self.at, self.vector, self.window) == (other.row, other.at, other.vector, other.window)

    def __hash__(self) -> int:
        return hash((self.row, self.host))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The windows of one start, as arrays, from which `window` makes what is shown of one.

    Attributes:
        names: the hosts.
        windows: their records.
        peers: numbers of the texts of their top peers, `counts` the flows to each.
        texts: places of the texts in `blob`.
    """

    names: list[str]
    windows: Array
    peers: Array
    counts: Array
    texts: Array
    blob: Array

    def window(self, k: int) -> HostWindow:
        """What is shown of the `k`-th window."""
        w, host = self.windows[k], self.names[k]
        flows = int(w["flows"])
        known = zip(self.peers[k].tolist(), self.counts[k].tolist(), strict=True)
        return HostWindow(
            host=host,
            start=int(w["start"]),
            evidence=w["evidence"].tobytes().hex(),
            first=int(w["first"]),
            last=int(w["last"]),
            flows=flows,
            peers={read(self.texts, self.blob, name): count for name, count in known if name >= 0},
            sample=[self._sample(w, host, number) for number in range(min(flows, SAMPLE))],
            letters=w["letters"].tobytes()[:flows],
        )

    def _sample(self, w: Any, host: str, number: int) -> Sample:
        ts, sport, dst, dport, proto, out, back = (int(w[f"shown_{name}"][number]) for name in _SHOWN)
        dst_ip, protocol = read(self.texts, self.blob, dst), read(self.texts, self.blob, proto)
        return ts, host, sport, dst_ip, dport, protocol, out, back


_SHOWN: Final = ("ts", "sport", "dst", "dport", "proto", "out", "back")


def read(texts: Array, blob: Array, number: int) -> str:
    """Text `number`."""
    _, begin, size = texts[number].item()
    return blob[begin : begin + size].tobytes().decode(errors="surrogatepass")
