"""A follower begins again with the very state it had: its own facts fold right after what caused them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.log import open_log
from domain.facts.incident import NoteAdded
from domain.facts.operation import JobFinished, JobStarted
from domain.journal import Draft, JournalError, Progress
from scheduler.follower import Following, Worked, caused
from tests.projections.story import NOON, uid


class Diary:
    """Writes down everything in the order in which it is worked; answers every third job with two notes."""

    def __init__(self):
        self.pages = []

    def fold(self, recorded):
        self.pages.append(recorded.event_id)

    def decide(self, recorded):
        self.fold(recorded)
        if not isinstance(recorded.fact, JobStarted) or int(recorded.fact.job) % 3:
            return []
        drafts = [
            caused(recorded, f"incident/{uid(n)}", NoteAdded(incident=uid(n), text=recorded.fact.job), actor="diary",
                   ordinal=n)
            for n in range(2)
        ]  # fmt: skip
        for draft in drafts:
            self.pages.append(draft.event_id)
        return drafts


def jobs(numbers):
    return [
        Draft(event_id=uid(("job", n)), stream="job/x", fact=JobStarted(job=str(n)), occurred_at=NOON, actor="clock")
        for n in numbers
    ]


@pytest.mark.parametrize("room", [1, 3, 20_000])
@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_follower_folds_in_the_order_in_which_it_worked(room, cuts, seed):
    draw, log, number = Random(seed), open_log("memory:", lambda: NOON), 0
    follower = Following("diary", log, Diary, batch=draw.choice([1, 2, 1000]))
    for cut in cuts:
        log.append(jobs(range(number, number + cut)))
        number += cut
        if draw.random() < 0.6:
            follower.catch_up()
            follower.settle()
    before, Worked.ROOM = Worked.ROOM, room
    try:
        again = Following("diary", log, Diary)
    finally:
        Worked.ROOM = before
    assert again.position <= follower.position
    if again.position == follower.position:
        assert again.mind.pages == follower.mind.pages
    again.catch_up()
    follower.catch_up()
    assert again.mind.pages == follower.mind.pages
    log.close()


def test_a_follower_is_shown_the_kinds_that_it_asks_for_and_moves_past_the_others():
    log = open_log("memory:", lambda: NOON)
    seen: list[str] = []

    class Watching(Diary):
        def decide(self, recorded):
            seen.append(recorded.fact.kind)
            return super().decide(recorded)

    follower = Following("diary", log, Watching, batch=2, kinds=frozenset({"job-started", "note-added"}))
    log.append(jobs(range(4)))
    follower.catch_up()
    log.append(
        [
            Draft(
                event_id=uid("end"),
                stream="job/x",
                fact=JobFinished(job="0", result=""),
                occurred_at=NOON,
                actor="clock",
            )
        ]
    )
    follower.catch_up()
    assert seen == ["job-started"] * 4
    assert follower.position == log.fingerprint().position
    log.close()


def test_a_follower_that_has_read_beyond_the_end_of_the_log_does_not_go_on():
    log = open_log("memory:", lambda: NOON)
    log.append(jobs(range(3)), progress=Progress(tracking={"diary": 300}))
    with pytest.raises(JournalError, match=r"up to position 300, and the log ends at 3: .* audit verify"):
        Following("diary", log, Diary).catch_up()
