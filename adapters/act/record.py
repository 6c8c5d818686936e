"""What an actuator did, by action: a small file of its own in the home, so that it can answer after a restart.

Rules:
    1. The file is replaced whole (written beside it, synced, renamed): a crash leaves the old one or the new one.
    2. A lock file keeps two processes from writing at once.
    3. It is bounded: what expired more than a day ago is forgotten, and then the oldest beyond `ROOM`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from agents.responder.ports import ActuatorError
from domain.values import DAY, Micros

ROOM: Final = 20_000
"""Actions that are remembered at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One action that was carried out and not taken back.

    Attributes:
        what: in words.
        expires_at: when it is over by itself.
        reference: how the other side calls it (a ticket's number).
    """

    what: str
    expires_at: Micros
    reference: str = ""


class Record:
    """The file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, action: UUID) -> Done | None:
        """What is known of the action; None when it was not carried out, or was taken back.

        Raises:
            ActuatorError: the file cannot be read.
        """
        return self._read().get(str(action))

    def put(self, action: UUID, done: Done, now: Micros) -> None:
        """Remember that it was carried out.

        Raises:
            ActuatorError: the file cannot be written.
        """
        with self._locked() as held:
            held[str(action)] = done
            fresh = {key: one for key, one in held.items() if one.expires_at + DAY >= now}
            self._write(dict(list(fresh.items())[-ROOM:]))

    def drop(self, action: UUID) -> bool:
        """Forget it; whether it was known.

        Raises:
            ActuatorError: the file cannot be written.
        """
        with self._locked() as held:
            known = held.pop(str(action), None) is not None
            if known:
                self._write(held)
        return known

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Done]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read()
        except OSError as error:
            raise ActuatorError(f"{self.path}: cannot be written ({error.strerror}); check the home") from error

    def _read(self) -> dict[str, Done]:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ActuatorError(f"{self.path}: cannot be read ({error}); check the home") from error
        try:
            return {key: Done(**one) for key, one in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise ActuatorError(f"{self.path}: is damaged ({error}); move it away: what it held is unknown") from error

    def _write(self, held: dict[str, Done]) -> None:
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump({key: asdict(done) for key, done in held.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
