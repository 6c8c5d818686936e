"""What is kept packed is what was kept unpacked, takes little room, and is written down in small pieces."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.thresholds import Thresholds
from engine.behaviours import ports
from engine.behaviours.beacon import Beacon
from engine.behaviours.memory import SAMPLES, Trail, prune
from engine.behaviours.places import Places
from engine.behaviours.samples import flow_at
from engine.pieces import TOGETHER, pieces
from engine.rows import BLOCK, Rows
from engine.senses import PIECE, Senses
from tests.engine import rows


@pytest.mark.parametrize("seen", [1, SAMPLES, SAMPLES + 3, 5 * SAMPLES])
def test_a_trail_keeps_its_first_and_its_last_records(seen: int):
    made = rows.Rows()
    for number in range(seen):
        made.add(number, src_ip=f"10.0.{number}.1", dst_ip=rows.OUTSIDE if number % 2 else "2001:db8::7")
    frame, trail = made.frame(), Trail()
    for i in range(seen):
        trail.see(frame, i, frame.dst_ip[i], "note é")
    flows = [flow_at(frame, i, "note é") for i in range(seen)]
    assert trail.flows() == (flows[:SAMPLES], flows[SAMPLES:][-SAMPLES:])
    assert trail.evidence == sha256(frame.raw[0]).digest()
    assert trail.peers == tuple(dict.fromkeys(frame.dst_ip))
    again = msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(trail)), Trail)
    again.hold(*trail.flows())
    assert again == trail


def test_packed_ports_are_a_table_in_order():
    dice, packed, table = random.Random(4), b"", {}
    for step in range(4_000):
        port = dice.choice((1, 256, 257, dice.randrange(70_000)))
        ts, cap = 99 + step - dice.randrange(9), dice.randrange(1, 9)
        at = ports.place(packed, port)
        assert (ports.time_at(packed, at) if at >= 0 else None) == table.get(port)
        if dice.random() < 0.5:
            packed = ports.noted(packed, at, port, ts, 9)
            table[port] = ts
            prune(table, 0, 9)
        else:
            packed = ports.pruned(ports.seen(packed, port, ts), ts - 40, cap)
            table.pop(port, None)
            table[port] = ts
            prune(table, ts - 40, cap)
        assert list(ports.PORTED.iter_unpack(packed)) == list(table.items())


def test_pieces_are_what_the_whole_is():
    table = {f"host {number}": (number, [number] * 3) for number in range(3 * TOGETHER + 5)}
    state: tuple[Any, ...] = (7, list(table.items()), ((), "text", {"a": 1}), None)
    parts = list(pieces((7, table.items(), ((), "text", {"a": 1}), None)))
    assert msgspec.msgpack.decode(b"".join(parts)) == msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    assert sum(len(part) > 100 for part in parts) == 4


def _beacon(pairs: int) -> Beacon:
    thresholds, made = Thresholds(), rows.Rows()
    for number in range(pairs):
        for call in range(3):
            made.add(call * 600 + number / 100, dst_ip=f"203.0.{113 + number // 250}.{number % 250 + 1}")
    made.rows.sort(key=lambda row: row[8])
    beacon = Beacon(thresholds, Places(thresholds.local_networks))
    beacon.sense(made.frame())
    return beacon


def test_a_working_state_is_dumped_in_small_pieces():
    dumped = list(Senses([_beacon(3_000)], None, 1).dump("beacon"))
    assert len(dumped) > 1
    assert max(map(len, dumped)) < PIECE


def test_a_pair_of_three_calls_takes_less_than_a_kilobyte_beside_its_key():
    beats = list(_beacon(100).memory.young.values())
    assert len(beats) == 100
    for beat in beats:
        assert beat.calls == 3
        packed = (beat.intervals, beat.sizes, beat.ports, beat.trail.head, beat.trail.tail, beat.trail.evidence)
        assert sum(part.__sizeof__() for part in (beat, beat.trail, beat.trail.peers, *packed)) < 1024


@pytest.mark.parametrize("size", [5, 24, BLOCK, 40])
def test_rows_take_no_more_room_than_may_ever_be_used(size: int):
    table, known = Rows(width=2, size=size), []
    for number in range(2 * size + 3):
        known.append([float(number), 1.0])
        table.keep(np.array([3]), np.array([known[-1]]))
        assert sorted(table.rows(3).tolist()) == known[-size:]
    assert table._data.shape[0] * table._data.shape[2] < size + BLOCK
