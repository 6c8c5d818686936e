from __future__ import annotations

import random

from adapters.feeds.clock import AGREEING, JumpClock
from domain.values import DAY, HOUR

START = 1_000 * DAY


def test_a_wild_time_stamp_does_not_move_the_clock() -> None:
    assert JumpClock().run([START, START + 99 * DAY, START + 1]) == [START, START, START + 1]


def test_a_hundred_agreeing_rows_take_the_clock_forward() -> None:
    ahead = START + 30 * DAY
    clocks = JumpClock().run([START, *(ahead + i for i in range(AGREEING + 1))])
    assert clocks[AGREEING - 1] == START
    assert clocks[AGREEING] == ahead + AGREEING - 1


def test_a_hundred_agreeing_rows_take_the_clock_back() -> None:
    clocks = JumpClock().run([START + 400 * DAY, *(START + i for i in range(AGREEING))])
    assert clocks[-2:] == [START + 400 * DAY, START + AGREEING - 1]


def test_rows_that_do_not_agree_or_are_interrupted_do_not_take_the_clock() -> None:
    scattered = [START + (40 + 2 * i) * DAY for i in range(3 * AGREEING)]
    interrupted = [START if i % 50 == 49 else START + 40 * DAY for i in range(3 * AGREEING)]
    assert set(JumpClock().run([START, *scattered])) == {START}
    assert set(JumpClock().run([START, *interrupted])) == {START}


def test_the_clock_is_the_same_however_the_rows_are_cut() -> None:
    rng = random.Random(7)
    stamps: list[int | None] = []
    for base in (START, START + 10 * DAY, START - 50 * DAY):
        stamps += [rng.choice([None, *[base + rng.randrange(-2 * HOUR, 26 * HOUR)] * 9]) for _ in range(400)]
    whole = JumpClock().run(stamps)
    for cut in (1, 37, 100):
        clock, out = JumpClock(), []
        for at in range(0, len(stamps), cut):
            out += clock.run(stamps[at : at + cut])
            clock = JumpClock(*clock.state)
        assert out == whole
