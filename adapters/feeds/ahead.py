"""Reading ahead: a thread parses the next rows while the ones at hand are judged.

Rules:
    1. Pulses come out as they were read, in order. `cursor` says where a feed stands after the last pulse that was
       handed out, however far the thread has read on: what was not handed out is read again after a restart.
    2. What the thread raises is raised where the next pulse is asked for.
    3. After `stop` no further pulse comes out.
    4. While nothing has been read, an empty pulse comes out as soon as somebody says that there is other work (`news`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Final

from adapters.feeds.errors import Problem
from adapters.feeds.telemetry import Pulse, Telemetry
from domain.journal import Cursor

AHEAD: Final = 1
"""Pulses that wait to be handed out; one more is being read."""

PATIENCE: Final = 0.1
"""Seconds after which the thread that reads looks whether it is still wanted."""

GLANCE: Final = 0.02
"""Seconds after which the thread that waits for a pulse looks whether there is other work."""

_Read = tuple[Pulse, dict[str, Cursor]]


class ReadAhead:
    """A telemetry with a thread of its own; see the rules above."""

    def __init__(self, telemetry: Telemetry, feeds: Iterable[str]) -> None:
        self._telemetry = telemetry
        self._cursors = {feed: telemetry.cursor(feed) for feed in feeds}
        self._read: Queue[_Read | BaseException | None] = Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)

    @property
    def problems(self) -> list[Problem]:
        """Files that could not be used so far."""
        return self._telemetry.problems

    def pulses(self, news: Callable[[], bool] = lambda: False) -> Iterator[Pulse]:
        """Pulses until the end of the input, or until `stop`; empty ones when there is `news` of another kind."""
        self._thread.start()
        while not self._stopped.is_set():
            try:
                read = self._read.get(timeout=GLANCE)
            except Empty:
                if news():
                    yield Pulse()
                continue
            if read is None:
                return
            if isinstance(read, BaseException):
                raise read
            pulse, cursors = read
            self._cursors.update(cursors)
            yield pulse

    def cursor(self, feed: str) -> Cursor:
        """Where a feed stands after the last pulse."""
        return self._cursors[feed]

    def quiet_since(self, feed: str) -> float:
        """Seconds since a feed's last row, or since the opening."""
        return self._telemetry.quiet_since(feed)

    def stop(self) -> None:
        """End `pulses` after the present one."""
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
                self._hand_over((pulse, {feed: self._telemetry.cursor(feed) for feed in touched}))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the next pulse is asked for
            self._hand_over(error)
        else:
            self._hand_over((Pulse(), {feed: self._telemetry.cursor(feed) for feed in self._cursors}))
            self._hand_over(None)

    def _hand_over(self, read: _Read | BaseException | None) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._read.put(read, timeout=PATIENCE)
                return
