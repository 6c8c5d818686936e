"""The contract of `domain.journal.Journal`: what every log must do. Subclassed once for each store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.log.base import ChainedLog
from adapters.log.chain import GENESIS, seal
from domain.journal import Conflict, Contradiction, Cursor, Progress, Wanted, follow
from tests.log.story import health, note

Open = Callable[[], ChainedLog]
EMPTY = "0" * 64


class JournalContract:
    """A subclass gives a fixture `opened`: a function that opens the same fresh log again and again."""

    lasting = True

    @pytest.fixture
    def log(self, opened: Open) -> Iterator[ChainedLog]:
        log = opened()
        yield log
        log.close()

    def test_an_empty_log_has_the_documented_fingerprints(self, log: ChainedLog) -> None:
        end = log.fingerprint()
        assert (end.events, end.position, end.head, end.digest) == (0, 0, EMPTY, EMPTY)
        assert log.verify().ok
        assert (log.read(), log.version("x"), log.tracked("x"), log.cursor("x")) == ([], 0, 0, Cursor())

    def test_what_was_appended_is_read_back_in_order(self, log: ChainedLog) -> None:
        drafts = [note(n, f"incident/{n % 3}") for n in range(10)]
        positions = log.append(drafts)
        found = log.read()
        assert positions == [fact.position for fact in found] == sorted(positions)
        for draft, fact in zip(drafts, found, strict=True):
            for column in ("event_id", "stream", "fact", "occurred_at", "actor", "causation", "correlation", "tags"):
                assert getattr(fact, column) == getattr(draft, column)
            assert fact.region == "local"
            assert fact.recorded_at >= 1_700_000_000_000_000

    def test_a_reader_is_given_the_kinds_that_it_wants_and_nothing_of_its_own(self, log: ChainedLog) -> None:
        own = [replace(note(n, "a"), actor="me") for n in (1, 4)]
        log.append([own[0], note(2, "b"), health(3), own[1], note(5, "a"), health(6), note(7, "c")])
        notes = Wanted(kinds=frozenset({"note-added"}), but_of="me")
        assert [fact.occurred_at for fact in log.read(wanted=notes)] == [2, 5, 7]
        assert [fact.occurred_at for fact in log.read(2, 1, wanted=notes)] == [5]
        assert [fact.occurred_at for fact in log.read(upto=5, wanted=notes)] == [2, 5]
        others = log.read(wanted=Wanted(kinds=None, but_of="me"))
        assert [fact.position for fact in others] == [fact.position for fact in log.read() if fact.actor != "me"]

    def test_versions_count_within_their_stream(self, log: ChainedLog) -> None:
        log.append([note(1, "a"), note(2, "b"), note(3, "a")])
        log.append([note(4, "a")])
        assert [fact.version for fact in log.read_stream("a")] == [1, 2, 3]
        assert [fact.occurred_at for fact in log.read_stream("a", after=1)] == [3, 4]
        assert (log.version("a"), log.version("b"), log.version("c")) == (3, 1, 0)

    def test_versions_of_several_streams_are_one_answer(self, log: ChainedLog) -> None:
        log.append([note(1, "a"), note(2, "b"), note(3, "a")])
        assert log.versions(["b", "a", "c"]) == {"b": 1, "a": 2, "c": 0}
        assert log.versions([]) == {}

    def test_stored_rows_come_with_their_facts_and_make_up_the_chain(self, log: ChainedLog) -> None:
        log.append([note(n) for n in range(5)])
        pages = [*log.stored(0, 2, upto=4), *log.stored(2, 9, upto=4), *log.stored(4)]
        assert [recorded for recorded, _ in pages] == log.read()
        head = GENESIS
        for recorded, row in pages:
            head = seal(head, row[:-1])[0]
            assert (row[0], row[-1]) == (recorded.position, head)
        assert head.hex() == log.fingerprint().head

    def test_pages_have_bounds(self, log: ChainedLog) -> None:
        positions = log.append([note(n) for n in range(7)])
        assert [fact.occurred_at for fact in log.read(positions[1], 3)] == [2, 3, 4]
        assert [fact.occurred_at for fact in log.read(positions[1], 30, upto=positions[3])] == [2, 3]
        assert [len(page) for page in follow(log, batch=3)] == [3, 3, 1]

    def test_a_fact_is_found_by_its_id(self, log: ChainedLog) -> None:
        log.append([note(n) for n in range(3)])
        found = log.find(note(1).event_id)
        assert found is not None
        assert found.fact == note(1).fact
        assert log.find(uuid4()) is None

    def test_a_repeated_append_returns_the_old_positions(self, log: ChainedLog) -> None:
        first = log.append([note(n) for n in range(3)], expected={"incident/a": 0})
        before = log.fingerprint()
        assert log.append([note(n) for n in range(3)], expected={"incident/a": 0}) == first
        assert log.fingerprint() == before

    def test_only_the_new_part_of_an_append_is_written(self, log: ChainedLog) -> None:
        first = log.append([note(0), note(2)])
        again = log.append([note(0), note(1), note(2), note(1)])
        assert [again[0], again[2]] == first
        assert again[1] == again[3] > first[1]
        assert log.version("incident/a") == 3

    @pytest.mark.parametrize(
        "change",
        [
            {"fact": note(9).fact},
            {"occurred_at": 99},
            {"actor": "other"},
            {"stream": "elsewhere"},
            {"causation": uuid4()},
            {"correlation": None},
            {"region": "mars"},
            {"tags": ("x",)},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_the_same_id_with_other_content_is_a_contradiction(
        self, log: ChainedLog, change: dict[str, object]
    ) -> None:
        log.append([note(1)])
        with pytest.raises(Contradiction, match="position 1"):
            log.append([note(2), replace(note(1), **change)])  # type: ignore[arg-type]
        assert log.fingerprint().events == 1

    def test_the_same_id_twice_in_one_append_must_agree(self, log: ChainedLog) -> None:
        with pytest.raises(Contradiction):
            log.append([note(1), replace(note(1), actor="other")])
        assert log.append([note(1), note(1)]) == [1, 1]

    def test_another_version_than_expected_is_a_conflict(self, log: ChainedLog) -> None:
        log.append([note(1, "a")], expected={"a": 0})
        with pytest.raises(Conflict, match="stream a is at version 1, not 0"):
            log.append([note(2, "a")], expected={"a": 0})
        with pytest.raises(Conflict):
            log.append([note(3, "b")], expected={"a": 7})
        log.append([note(4, "b")], expected={"a": 1, "b": 0})
        assert log.fingerprint().events == 2

    def test_a_half_repeated_append_is_still_held_to_its_expected_version(self, log: ChainedLog) -> None:
        log.append([note(1, "a")])
        with pytest.raises(Conflict):
            log.append([note(1, "a"), note(2, "a")], expected={"a": 0})

    def test_drafts_tracking_and_cursors_are_recorded_together(self, log: ChainedLog) -> None:
        progress = Progress(tracking={"one": 5, "two": 7}, cursors={"zeek": Cursor(rows=3, body=b"\x00x")})
        log.append([note(1)], progress=progress)
        assert (log.tracked("one"), log.tracked("two")) == (5, 7)
        assert log.cursor("zeek") == Cursor(rows=3, body=b"\x00x")

    @pytest.mark.parametrize(
        "progress",
        [Progress(tracking={"new": 9, "one": 4}), Progress(tracking={"new": 9}, cursors={"zeek": Cursor(rows=2)})],
        ids=["follower", "cursor"],
    )
    def test_going_back_is_a_conflict_and_nothing_of_the_append_is_recorded(
        self, log: ChainedLog, progress: Progress
    ) -> None:
        log.append([note(1)], progress=Progress(tracking={"one": 5}, cursors={"zeek": Cursor(rows=3)}))
        before = log.fingerprint()
        with pytest.raises(Conflict, match="running twice"):
            log.append([note(2)], progress=progress)
        assert log.fingerprint() == before
        assert (log.tracked("one"), log.tracked("new"), log.cursor("zeek").rows) == (5, 0, 3)
        assert log.find(note(2).event_id) is None

    def test_a_failed_append_records_no_progress(self, log: ChainedLog) -> None:
        log.append([note(1)])
        with pytest.raises(Contradiction):
            log.append([replace(note(1), actor="x")], progress=Progress(tracking={"one": 1}))
        with pytest.raises(Conflict):
            log.append([note(2)], expected={"incident/a": 9}, progress=Progress(tracking={"one": 1}))
        assert log.tracked("one") == 0

    def test_the_same_progress_again_changes_nothing(self, log: ChainedLog) -> None:
        progress = Progress(tracking={"one": 5}, cursors={"zeek": Cursor(rows=3, body=b"x")})
        log.append([], progress=progress)
        log.append([], progress=progress)
        assert (log.tracked("one"), log.cursor("zeek").body) == (5, b"x")
        assert log.fingerprint().events == 0

    def test_a_log_goes_on_after_a_restart(self, opened: Open) -> None:
        if not self.lasting:
            pytest.skip("a log in memory ends with its process")
        log = opened()
        log.append([note(1), health(2)], progress=Progress(tracking={"one": 2}))
        name, before = log.log_id, log.fingerprint()
        log.close()
        log = opened()
        assert (log.log_id, log.fingerprint(), log.tracked("one")) == (name, before, 2)
        assert log.append([note(1), note(3)], expected={"incident/a": 1}) == [1, 3]
        assert log.verify().ok
        log.close()

    def test_the_digest_does_not_see_how_streams_were_interleaved(self, log: ChainedLog, other: ChainedLog) -> None:
        log.append([note(1, "a"), note(2, "b")])
        log.append([note(3, "a"), health(1), note(4, "b")])
        other.append([note(2, "b"), health(8)])
        other.append([health(7), note(4, "b"), note(1, "a"), note(3, "a")])
        assert log.fingerprint().digest == other.fingerprint().digest != EMPTY
        assert log.fingerprint().head != other.fingerprint().head

    def test_the_digest_sees_the_order_within_a_stream(self, log: ChainedLog, other: ChainedLog) -> None:
        log.append([note(1, "a"), note(2, "a")])
        other.append([note(2, "a"), note(1, "a")])
        assert log.fingerprint().digest != other.fingerprint().digest

    def test_the_digest_does_not_see_sensed_facts_amid_a_stream(self, log: ChainedLog, other: ChainedLog) -> None:
        log.append([note(1, "a"), health(5, "a"), note(2, "a")])
        other.append([note(1, "a")])
        other.append([note(2, "a")])
        assert log.fingerprint().digest == other.fingerprint().digest

    def test_the_digest_is_the_same_on_every_store(self, log: ChainedLog) -> None:
        log.append([note(n, f"incident/{n % 2}") for n in range(20)])
        assert log.fingerprint().digest == "4e5179ff3642695ea0d07e1d377e8a283cdca50a6cc474730cbacaa819317392"

    def test_writers_in_threads_lose_nothing(self, opened: Open) -> None:
        logs = [opened(), opened()]
        with ThreadPoolExecutor(4) as pool:
            for number in range(40):
                pool.submit(logs[number % 2].append, [note(number, f"s{number % 4}"), note(number + 100, "shared")])
        log = logs[0]
        assert log.fingerprint().events == 80
        assert [fact.version for fact in log.read_stream("shared")] == list(range(1, 41))
        assert log.verify().ok
        for each in logs:
            each.close()

    def test_of_two_writers_with_the_same_expectation_one_wins(self, opened: Open) -> None:
        logs = [opened(), opened()]
        outcomes = []
        for number, log in enumerate(logs):
            try:
                log.append([note(number, "a")], expected={"a": 0})
                outcomes.append("won")
            except Conflict:
                outcomes.append("lost")
        assert outcomes == ["won", "lost"]
        for log in logs:
            log.close()

    def test_who_waits_is_woken_by_an_append_of_this_process(self, log: ChainedLog) -> None:
        assert not log.wait(0, 0.05)
        thread = threading.Timer(0.05, log.append, [[note(1)]])
        thread.start()
        began = time.monotonic()
        assert log.wait(0, 10)
        assert time.monotonic() - began < 5
        thread.join()
        assert log.wait(0, 0)
        assert not log.wait(1, 0)

    def test_closing_sends_waiters_home(self, opened: Open) -> None:
        log = opened()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(log.wait, 0, 30)
            time.sleep(0.1)
            began = time.monotonic()
            log.close()
            assert waiting.result() is False
            assert time.monotonic() - began < 5

    def test_verify_walks_every_row(self, log: ChainedLog) -> None:
        log.append([note(n) for n in range(5)])
        answer = log.verify()
        assert (answer.ok, answer.events, answer.head) == (True, 5, log.fingerprint().head)
        assert (answer.first_break, answer.reason) == (None, "")
