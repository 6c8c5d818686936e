"""Signals that come before a command handles them; standard streams that take nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORTING = """
import os, sys
from cli import start

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "cli.main":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Interrupting())
start.run_program()
"""

WORKING = """
import os
from contextlib import contextmanager
from cli import main, start

@contextmanager
def holding():
    try:
        yield
    finally:
        print("let go")

def command():
    with holding():
        os.kill(os.getpid(), {number})

main.app = lambda **_: command()
start.run_program()
"""


def ended(program: str, number: int) -> tuple[int, str, str]:
    words = [sys.executable, "-c", program.format(number=number)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_while_the_program_is_imported_ends_it_in_silence(number):
    assert ended(IMPORTING, number) == (128 + number, "", "")


def test_a_sigterm_before_the_command_handles_it_lets_go_of_what_was_begun():
    assert ended(WORKING, 15) == (143, "let go\n", "")


def started(*words, **streams):
    code = "from cli.start import run_program; run_program()"
    return subprocess.run([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, check=False, **streams)


@pytest.mark.parametrize("words", [("--help",), ("threats", "list"), ("--json", "status")])
def test_an_answer_that_finds_no_room_is_one_line(tmp_path, words):
    with Path("/dev/full").open("wb") as full:
        found = started("--home", str(tmp_path), *words, stdout=full)
    said = found.stderr.decode()
    assert (found.returncode, said.count("\n")) == (1, 1)
    assert "the answer cannot be written to standard output (No space left on device): make room" in said


def test_an_answer_that_nobody_reads_any_more_ends_in_silence(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        found = started("--home", str(tmp_path), "status", stdout=pipe)
    assert (found.returncode, found.stderr) == (1, b"")


def test_a_closed_standard_output_is_no_error(tmp_path):
    found = started("--home", str(tmp_path), "status", preexec_fn=lambda: os.close(1))
    assert (found.returncode, found.stderr) == (0, b"")
