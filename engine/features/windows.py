"""Host windows: what each host of ours did in each tumbling window of event time, as one vector.

Rules:
    1. A flow belongs to the window [k * width, (k + 1) * width) that holds its `ts`, and to the host that opened it.
    2. All windows of one start close together: at the first row whose clock reaches their end plus the grace. What
       closes at one row comes out ordered by (start, host).
    3. A row for a closed window changes nothing and is counted (`late_for_window`); so is a row whose time lies ahead
       of the feed's clock, which is a clock jump that nothing confirmed yet (`ahead_of_clock`).
    4. Only inside hosts have windows; as long as no inside host ever opened a flow, every source has.
    5. Memory is bounded. Beyond `max_hosts` a window start takes in no further host (`hosts_over_limit`: a flood of
       forged sources must not push out real ones; `receivers_over_limit`: nor one of forged destinations). Beyond
       `max_distinct`, and beyond `pairs` over all open windows, peers and ports are counted by sketches, of which there
       are `sketches` (`sketches_over_limit`). Beyond the limits of remembered peers the host whose last window is the
       oldest is forgotten (`hosts_forgotten`).
    6. Nothing depends on where the stream was cut into frames: the state is that of the rows read so far.

The rows are counted by a kernel over arrays (`counting`); this module hands it the frames, closes what is due and
makes room. A host is known by 64 bits of its address (`texts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from domain.anomaly_limits import AnomalyLimits
from domain.values import SECOND, Micros
from engine.features import tables
from engine.features.closed import Batch, ClosedWindow, HostWindow, Sample, names_of
from engine.features.services import BY_PORT, named
from engine.features.tables import Array
from engine.frame import Frame

if TYPE_CHECKING:
    from engine.features.past import Past
    from engine.features.texts import Words

__all__ = ["ClosedWindow", "HostWindow", "HostWindows", "Sample"]

FAILED = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"})
"""Connection states in which the other side never took part."""

PAIRS: Final = 1 << 20
"""Distinct peers, ports and callers told apart over all open windows (about 60 bytes each)."""

CALLERS: Final = 256
"""Callers told apart of one host in one window."""

SKETCHES: Final = 4096
"""Sketches over all open windows (1 KiB each)."""

COUNTERS: Final = (
    "late_for_window", "ahead_of_clock", "hosts_over_limit", "receivers_over_limit", "sketches_over_limit",
)  # fmt: skip


_COPIED: Final = {
    "clock": "clock", "ts": "ts", "late": "late", "duration": "duration", "out": "src_bytes", "back": "dst_bytes",
    "sent": "src_pkts", "got": "dst_pkts", "sport": "src_port", "dport": "dst_port",
}  # fmt: skip
"""Fields of a row as the kernel reads it, and the columns they come from."""

_ASKED: Final[dict[str, tuple[str, Callable[[str], bool]]]] = {
    "plain": ("status", lambda status: not status),
    "conn": ("log", lambda log: log == "conn"),
    "udp": ("proto", lambda proto: proto == "udp"),
    "failed": ("conn_state", FAILED.__contains__),
}
"""Fields that are a question about a text."""


class HostWindows:
    """Feed it frames, take out the windows that closed."""

    def __init__(
        self, limits: AnomalyLimits, local_networks: Iterable[str], pairs: int = PAIRS, sketches: int = SKETCHES
    ) -> None:
        # numba comes with the kernels: who never counts a row does not pay for it
        from engine.features import compaction, counting, measures, past, texts

        self._counting, self._measures, self._compaction, self._pasts = counting, measures, compaction, past
        self._words = texts.Reader(local_networks)
        width = limits.window_s * SECOND
        span = width + (limits.window_s if limits.grace_s is None else limits.grace_s) * SECOND
        self._limits = (width, span, limits.max_hosts, limits.max_distinct, CALLERS, pairs, sketches,
                        limits.utc_offset_minutes * 60 * SECOND, limits.day_begins, limits.day_ends)  # fmt: skip
        self._max_hosts = limits.max_hosts
        self._known, self._host_values = limits.max_known_peers, limits.max_host_peers
        self._tables, self._past = tables.empty(self._limits), self._new_past()
        self._names: dict[int, str] = {}

    @property
    def counters(self) -> dict[str, int]:
        """What was left out or forgotten so far."""
        numbers = self._tables.numbers[0]
        found = {name: int(numbers[name]) for name in COUNTERS}
        return found | {"hosts_forgotten": int(self._past.numbers[0]["forgotten"])}

    def dump(self) -> bytes:
        """The whole state."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """`dump` piece by piece: every part behind its length."""
        for part in chain(tables.parts(self._tables), self._pasts.parts(self._past)):
            yield len(part).to_bytes(8, "big")
            yield part

    def load(self, state: bytes | memoryview) -> None:
        """Go on from a dumped state."""
        parts = _parts(memoryview(state))
        self._tables = tables.load(parts[: tables.PARTS], self._limits)
        self._past = self._pasts.load(parts[tables.PARTS :], self._new_past())

    def feed(self, frame: Frame) -> list[ClosedWindow]:
        """Count the rows of `frame`; the windows that closed, in order."""
        closed: list[ClosedWindow] = []
        if not len(frame):
            return closed
        counting, (rows, words), at = self._counting, self._rows(frame), 0
        fresh = np.empty((len(frame), 2), np.int64)
        why = counting.GROW
        while why != counting.DONE:
            why, at, made = counting.count(rows, words, self._tables, at, fresh)
            hashes = b"".join([sha256(frame.raw[row]).digest() for row in fresh[:made, 1].tolist()])
            self._tables.windows["evidence"][fresh[:made, 0]] = np.frombuffer(hashes, np.uint8).reshape(-1, 32)
            if why == counting.GROW:
                self._tables = tables.grown(self._tables)
            elif why == counting.CLOSE:
                closed.extend(self._close(frame.row[at], frame.clock[at]))
        return closed

    def _new_past(self) -> Past:
        return self._pasts.empty(self._max_hosts, self._known, self._host_values)

    def _rows(self, frame: Frame) -> tuple[Array, Words]:
        """The frame as the kernel reads it."""
        src, dst, proto = (frame.coded(name) for name in ("src_ip", "dst_ip", "proto"))
        rows = np.empty(len(frame), self._counting.ROW)
        for name, column in _COPIED.items():
            rows[name] = frame.numbers(column)
        rows["src"], rows["dst"] = src.codes, dst.codes + len(src.values)
        rows["proto"] = proto.codes + (len(src.values) + len(dst.values))
        for name, (column, asked) in _ASKED.items():
            coded = frame.coded(column)
            rows[name] = np.array([asked(text) for text in coded.values], np.uint8)[coded.codes]
        service = frame.coded("service")
        classes = np.array([named(text) for text in service.values], np.int8)[service.codes]
        rows["service"] = np.where(classes < 0, BY_PORT[rows["dport"] & 0xFFFF], classes)
        return rows, self._words([*src.values, *dst.values, *proto.values])

    def _close(self, row: int, clock: Micros) -> list[ClosedWindow]:
        """Close all that is due at `clock`."""
        t = self._tables
        starts = t.starts["start"][: int(t.numbers["starts"][0])]
        due = np.sort(starts[starts + int(t.numbers["span"][0]) <= clock]).tolist()
        of = t.windows["start"][: int(t.numbers["windows"][0])]
        closed = [w for start in due for w in self._close_start(np.flatnonzero(of == start), start, row, clock)]
        self._tables = self._compaction.kept(t, clock)
        return closed

    def _close_start(self, slots: Array, start: Micros, row: int, clock: Micros) -> list[ClosedWindow]:
        """Close the windows `slots`, which are those of one start."""
        t, most = self._tables, self._host_values
        found = self._names_of(slots)
        order = sorted(range(len(found)), key=found.__getitem__)
        slots = slots[order]
        values = np.minimum(t.windows["exact"][slots], most).sum()
        self._past = self._pasts.roomy(self._past, len(slots), int(values))
        batch = Batch(t, slots, self._measures.describe(t, self._past, slots), start)
        return [ClosedWindow(row, clock, found[k], batch, number) for number, k in enumerate(order)]

    def _names_of(self, slots: Array) -> list[str]:
        """The hosts of windows; one that was named lately is the same text again, and not decoded anew."""
        keys = self._tables.windows["host"][slots].tolist()
        fresh = [number for number, key in enumerate(keys) if key not in self._names]
        if len(self._names) + len(fresh) > self._max_hosts:
            self._names, fresh = {}, list(range(len(keys)))
        texts = names_of(self._tables, self._tables.windows["text"][slots[fresh]])
        self._names.update(zip((keys[number] for number in fresh), texts, strict=True))
        return [self._names[key] for key in keys]


def _parts(state: memoryview) -> list[memoryview]:
    """The parts of a dump."""
    parts, at = [], 0
    while at < len(state):
        begin = at + 8
        at = begin + int.from_bytes(state[at:begin], "big")
        parts.append(state[begin:at])
    return parts
