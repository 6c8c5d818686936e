"""A host's flows as a text: one letter a flow, which a sequence model reads.

A letter tells three things of a flow: how it ended, how much went over it, and when it came after the flow before of
the same host in the same window. [The idea of the letters: Garcia, Modelling the Network Behaviour of Malware to
Block Malicious Patterns (Stratosphere), 2015]
"""

from __future__ import annotations

from typing import Final

ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
"""The letter of number `(outcome * 4 + size) * 4 + gap`."""

OUTCOMES: Final = ("unanswered", "answered without a byte", "answered with data")
SIZES: Final = ("up to 300 bytes", "up to 3,000", "up to 100,000", "more")
GAPS: Final = ("first of the window, or not later than the one before", "as long as the gap before, within a quarter",
               "under 10 s", "longer")  # fmt: skip

LETTERS: Final = 64
"""Flows of a window that have a letter."""


def meaning(letter: int) -> str:
    """What a letter (its code) says, in words.

    >>> meaning(ord("A"))
    'unanswered, up to 300 bytes, first of the window, or not later than the one before'
    """
    number = ALPHABET.index(letter)
    return f"{OUTCOMES[number // 16]}, {SIZES[number // 4 % 4]}, {GAPS[number % 4]}"
