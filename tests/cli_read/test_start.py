"""Signals that come before a command handles them."""

from __future__ import annotations

import subprocess
import sys

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
