"""The program as a user has it: a process of its own, its JSON and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from cli import main

PROGRAM = [sys.executable, "-c", "from cli.start import run_program; run_program()"]


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**settings: str) -> dict[str, str]:
    """Our environment without any setting of ours, plus the ones given."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("MYRMIDON_")}
    return {**base, **settings}


WORKING = frozenset({"run", "demo"})
"""Commands that start threads and processes: they get a process of their own."""


def myrmidon(home: Path, *arguments: str, as_json: bool = True, timeout: float = 300, **settings: str) -> Answer:
    """What the program answers. A question is asked in this process: a process of its own costs a second of imports."""
    words = ["--home", str(home), *(["--json"] if as_json else []), *arguments]
    answer = outside(words, timeout, settings) if settings or WORKING.intersection(arguments) else inside(words)
    assert "Traceback" not in answer.err, answer.err
    assert "internal error" not in answer.err, answer.err
    return answer


def outside(words: list[str], timeout: float, settings: dict[str, str]) -> Answer:
    done = subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, timeout=timeout, env=environment(**settings), check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def inside(words: list[str]) -> Answer:
    out, err = StringIO(), StringIO()
    with (
        patch.dict(os.environ, environment(), clear=True),
        patch.object(sys, "argv", ["myrmidon", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main.run_program()
    return Answer(ended.value.code or 0, out.getvalue(), err.getvalue())


def start(home: Path, *arguments: str, own_group: bool = False, **settings: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, "--home", str(home), "--json", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**settings),
        start_new_session=own_group,
    )


def until(true: Callable[[], object], seconds: float = 150.0) -> None:
    """Wait for something that a daemon does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
