"""What is forgotten, and when: by time, by room, and never what was decided a moment ago."""

from __future__ import annotations

import msgspec

from domain.values import HOUR
from engine.behaviours.memory import Fading, Generations, Trail
from engine.pieces import pieces


class Entry(msgspec.Struct, array_like=True):
    name: str = ""
    trail: Trail = msgspec.field(default_factory=Trail)


def fading(cap: int = 30) -> Fading[str, Entry]:
    memory: Fading[str, Entry] = Fading(cap, str, Entry, span=HOUR, quiet=24 * HOUR)
    memory.turn(0)
    return memory


def test_what_is_not_touched_for_two_spans_is_forgotten():
    memory = fading()
    memory.put("a", Entry("a"))
    memory.put("b", Entry("b"))
    memory.turn(HOUR)
    assert memory.get("a")
    memory.turn(2 * HOUR)
    assert memory.peek("a")
    assert memory.peek("b") is None
    assert memory.evicted == 0  # time went by: that is no want of room


def test_a_clock_that_stands_still_forgets_nothing():
    memory = fading()
    memory.put("a", Entry("a"))
    for _ in range(5):
        memory.turn(HOUR - 1)
    assert memory.peek("a")


def test_a_decided_entry_stays_until_another_is_decided_much_later():
    memory = fading()
    memory.put("old", Entry("old", Trail(step=1.0, last=1)))
    for hour in range(1, 6):
        memory.turn(hour * HOUR)
    assert memory.peek("old")
    memory.put("new", Entry("new", Trail(step=2.0, last=30 * HOUR)))
    for hour in range(30, 33):
        memory.turn(hour * HOUR)
    assert memory.peek("old") is None
    assert memory.peek("new")


def test_the_room_is_never_exceeded_and_the_coldest_go_first():
    memory = fading(cap=30)
    for number in range(500):
        memory.put(str(number), Entry(str(number), Trail(step=float(number % 3))))
        assert len(memory) <= 30
    assert memory.evicted > 0
    assert memory.peek("499")
    assert memory.peek("100") is None


def test_a_memory_that_was_written_down_goes_on_as_it_was():
    memory: Generations[str, int] = Generations(9, str, int, span=HOUR)
    memory.turn(5)
    for number in range(8):
        memory.put(str(number), number + 1)
    again: Generations[str, int] = Generations(9, str, int, span=HOUR)
    young, old = again.young, again.old
    again.load(msgspec.msgpack.decode(b"".join(pieces(memory.dump()))))
    assert list(pieces(again.dump())) == list(pieces(memory.dump()))
    assert again.young is young
    assert again.old is old
