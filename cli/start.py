"""The console script: SIGINT and SIGTERM end the program without a traceback, however early they come.

Rules:
    1. A command that knows better (`run`, `audit log --follow`) handles them itself, once it has begun.
    2. Before that, and in all other commands, what was begun is let go of in order, and the exit code is 128 and the
       signal's number: 130 or 143, as a shell tells it.
"""

from __future__ import annotations

import signal
from typing import NoReturn


def end(number: int, _frame: object) -> NoReturn:
    """Unwind: every context manager on the way closes what it opened."""
    raise SystemExit(128 + number)


def run_program() -> None:
    """Import the program, which takes a moment, and run it."""
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    from cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands tell an interruption from other errors
    main.run_program()
