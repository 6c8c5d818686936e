"""Whether the actuators could work at all: asked when a run starts, so that no incident has to find it out.

Rules:
    1. Each is asked on a thread of its own: one that does not answer holds nobody up.
    2. Asking has no effect (`Actuator.probe`); an actuator without a probe is not asked.
    3. One that failed is asked again at every look at health, until it answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Final

from agents.responder.ports import Actuator

PATIENCE: Final = 2.0
"""Seconds that the start of a run waits for the answers: what is wrong with them is said before anything else."""


class Probes:
    """Asks the actuators.

    Args:
        actuators: by name.
        warn: told once of each that does not work.
    """

    def __init__(self, actuators: Mapping[str, Actuator], warn: Callable[[str], None]) -> None:
        probes = {name: getattr(each, "probe", None) for name, each in actuators.items()}
        self._asked: dict[str, Callable[[], None]] = {name: probe for name, probe in probes.items() if probe}
        self._warn = warn
        self._wrong: dict[str, str] = {}
        self._threads: dict[str, Thread] = {}

    def begin(self, patience: float = PATIENCE) -> None:
        """Ask all of them, and wait at most so many seconds for their answers."""
        until = time.monotonic() + patience
        for name in self._asked:
            self._ask(name)
        for thread in self._threads.values():
            thread.join(max(0.0, until - time.monotonic()))

    def faults(self) -> list[str]:
        """Those that do not work, as far as is known; each is asked again."""
        wrong = dict(sorted(self._wrong.items()))
        for name in wrong:
            self._ask(name)
        return [f"actuator {name} does not work: {why}" for name, why in wrong.items()]

    def _ask(self, name: str) -> None:
        under_way = self._threads.get(name)
        if under_way is None or not under_way.is_alive():
            self._threads[name] = Thread(target=self._look, args=(name,), name=f"probe-{name}", daemon=True)
            self._threads[name].start()

    def _look(self, name: str) -> None:
        try:
            self._asked[name]()
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; it is said what
            why = " ".join(str(error).split())[:500] or type(error).__name__
            if name not in self._wrong:
                self._warn(f"actuator {name} does not work: {why}; until then every response that needs it fails")
            self._wrong[name] = why
        else:
            self._wrong.pop(name, None)
