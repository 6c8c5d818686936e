"""The outbox: urgent first, lanes apart, bounded, results on the thread that asks."""

from __future__ import annotations

from threading import Event, get_ident

from scheduler.outbox import Outbox


def wait_for(outbox, number):
    done = []
    came = Event()
    while len(done) < number:
        came.wait(0.005)
        done += outbox.results()
    return done


def test_the_most_urgent_job_of_a_lane_is_done_first():
    begun, gate = Event(), Event()
    outbox = Outbox(lambda _lane, job: begun.set() or (gate.wait(5) and job))
    outbox.offer("a", 0, "first")  # holds the lane until the gate opens
    assert begun.wait(5)
    for key, (job, urgency) in enumerate([("low", 1.0), ("critical", 9.5), ("high", 7.0), ("high too", 7.0)], 1):
        outbox.offer("a", key, job, urgency=urgency)
    gate.set()
    assert wait_for(outbox, 5) == ["first", "critical", "high", "high too", "low"]
    outbox.close()


def test_a_lane_that_hangs_holds_back_no_other():
    gate = Event()
    outbox = Outbox(lambda lane, job: (gate.wait(5) if lane == "slow" else None, job)[1])
    outbox.offer("slow", 0, "slow")
    outbox.offer("quick", 1, "quick")
    assert wait_for(outbox, 1) == ["quick"]
    gate.set()
    assert wait_for(outbox, 1) == ["slow"]
    outbox.close()


def test_what_finds_no_room_is_refused_and_a_key_is_held_once():
    gate = Event()
    outbox = Outbox(lambda _lane, job: gate.wait(5) and job, room=2)
    assert outbox.offer("a", 0, "x")
    assert outbox.offer("a", 1, "y")
    assert outbox.offer("a", 1, "y again")
    assert not outbox.offer("a", 2, "z")
    gate.set()
    assert wait_for(outbox, 2) == ["x", "y"]
    assert outbox.offer("a", 2, "z")
    assert wait_for(outbox, 1) == ["z"]
    outbox.close()


def test_a_job_for_later_lets_others_pass():
    now = [0.0]
    outbox = Outbox(lambda _lane, job: job, clock=lambda: now[0])
    outbox.offer("a", 0, "later", not_before=10.0, urgency=9.0)
    outbox.offer("a", 1, "now")
    assert wait_for(outbox, 1) == ["now"]
    now[0] = 11.0
    outbox.offer("a", 2, "wakes the lane")
    assert wait_for(outbox, 2) == ["later", "wakes the lane"]
    outbox.close()


def test_work_is_done_off_the_thread_that_offers():
    outbox = Outbox(lambda _lane, _job: get_ident())
    outbox.offer("a", 0, None)
    assert wait_for(outbox, 1) != [get_ident()]
    outbox.close()
