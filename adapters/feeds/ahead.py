"""Reading ahead: a thread parses the next rows while the ones at hand are judged.

Rules:
    1. Pulses come out as they were read, in order, each with where the feeds stand behind it.
    2. What the thread raises is raised where the next pulse is asked for.
    3. After `stop` no further pulse comes out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Final

from adapters.feeds.errors import Problem
from adapters.feeds.telemetry import Pulse, Telemetry
from domain.journal import Cursor

AHEAD: Final = 1
"""Pulses that wait to be handed out; one more is being read."""

PATIENCE: Final = 0.1
"""Seconds after which a waiting thread looks whether it is still wanted."""


@dataclass(frozen=True, slots=True)
class Read:
    """A pulse, and where the feeds that it touched stand behind it."""

    pulse: Pulse
    cursors: dict[str, Cursor]


class ReadAhead:
    """A telemetry with a thread of its own; see the rules above."""

    def __init__(self, telemetry: Telemetry, feeds: Iterable[str]) -> None:
        self._telemetry = telemetry
        self.cursors: Mapping[str, Cursor] = {feed: telemetry.cursor(feed) for feed in feeds}
        """Where the feeds stand at the beginning."""
        self.ended = False
        """Whether the last pulse was handed out."""
        self._read: Queue[Read | BaseException | None] = Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)

    @property
    def problems(self) -> list[Problem]:
        """Files that could not be used so far."""
        return self._telemetry.problems

    @property
    def unfinished(self) -> list[str]:
        """What stands in files behind their last rows."""
        return self._telemetry.unfinished

    def next(self, patience: float = PATIENCE) -> Read | None:
        """The next pulse; None when none came within `patience` seconds, or when `ended`."""
        if self._thread.ident is None:
            self._thread.start()
        try:
            read = None if self._stopped.is_set() else self._read.get(timeout=patience)
        except Empty:
            return None
        if isinstance(read, BaseException):
            raise read
        self.ended = read is None
        return read

    def quiet_since(self, feed: str) -> float:
        """Seconds since a feed's last row, or since the opening."""
        return self._telemetry.quiet_since(feed)

    def stop(self) -> None:
        """Hand out no further pulse."""
        self._stopped.set()
        self._telemetry.stop()

    def close(self) -> None:
        """Let go of the thread and of all files."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._telemetry.close()

    def _work(self) -> None:
        try:
            for pulse in self._telemetry.pulses():
                touched = {*pulse.frames, *(feed for feed, _, _ in pulse.released)}
                self._hand_over(Read(pulse, {feed: self._telemetry.cursor(feed) for feed in touched}))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the next pulse is asked for
            self._hand_over(error)
        else:
            self._hand_over(Read(Pulse(), {feed: self._telemetry.cursor(feed) for feed in self.cursors}))
            self._hand_over(None)

    def _hand_over(self, read: Read | BaseException | None) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._read.put(read, timeout=PATIENCE)
                return
