"""The program as a user has it: a process of its own, its JSON and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def myrmidon(home: Path, *arguments: str, as_json: bool = True, timeout: float = 300, **settings: str) -> Answer:
    done = subprocess.run(
        [*PROGRAM, "--home", str(home), *(["--json"] if as_json else []), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**settings),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "internal error" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def start(home: Path, *arguments: str, own_group: bool = False, **settings: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, "--home", str(home), "--json", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**settings),
        start_new_session=own_group,
    )
