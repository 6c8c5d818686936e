"""News of the log: a waiter wakes when there is a fact after the one it knows, whoever wrote it.

Rules:
    1. An append of this process tells its watch at once.
    2. Appends of other processes are found by a look of a few microseconds, at most one per `pause` for all waiters.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from time import monotonic

PAUSE = 0.05
"""Seconds between two looks: 20 a second."""


class Watch:
    """The last position that this process knows of.

    Args:
        look: returns the log's last position as stored, or None when nothing has changed since the last look.
        pause: least time between two looks, seconds.
    """

    def __init__(self, look: Callable[[], int | None], pause: float = PAUSE) -> None:
        self._look = look
        self._pause = pause
        self._news = Condition()
        self._position = 0
        self._looked = float("-inf")
        self._closed = False

    @property
    def position(self) -> int:
        """The last position told or seen."""
        return self._position

    def tell(self, position: int) -> None:
        """There are facts up to `position`."""
        with self._news:
            if position > self._position:
                self._position = position
                self._news.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is a fact after `after`, or `timeout` seconds went by, or the watch is closed."""
        deadline = monotonic() + timeout
        with self._news:
            while True:
                self._look_round()
                left = deadline - monotonic()
                if self._position > after or self._closed or left <= 0:
                    return self._position > after
                self._news.wait(min(self._pause, left))

    def close(self) -> None:
        """Wake and send home all waiters."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _look_round(self) -> None:
        now = monotonic()
        if self._closed or now - self._looked < self._pause:
            return
        self._looked = now
        position = self._look()
        if position is not None and position > self._position:
            self._position = position
            self._news.notify_all()
