"""The console script: SIGINT and SIGTERM end the program without a traceback, however early they come.

Rules:
    1. A command that knows better (`run`, `audit log --follow`) handles them itself, once it has begun.
    2. Before that, and in all other commands, what was begun is let go of in order, and the exit code is 128 and the
       signal's number: 130 or 143, as a shell tells it.
    3. A standard stream that the caller closed is replaced by nothing: an answer that nobody wants is no error.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def end(number: int, _frame: object) -> NoReturn:
    """Unwind: every context manager on the way closes what it opened."""
    raise SystemExit(128 + number)


def run_program() -> None:
    """Import the program, which takes a moment, and run it."""
    for name, place in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the place of the closed one: no database may get it
            setattr(sys, name, os.fdopen(place, "w" if place else "r", encoding="utf-8", closefd=False))
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    from cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands tell an interruption from other errors
    main.run_program()
