"""Tampering with the stored rows is found, and the position is named; a checkpoint finds what the chain cannot."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.log.chain import COLUMNS, EMPTY, NAMES, seal
from adapters.log.checkpoint import verify_checkpoint, write_checkpoint
from adapters.log.postgres import PostgresLog
from adapters.log.sqlite import SQLiteLog
from domain.journal import JournalError
from tests.log.story import note, ticking

Execute = Callable[..., Any]
ROWS = 12


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "log.sqlite"
    with closing(SQLiteLog(file, ticking())) as log:
        log.append([note(n, f"incident/{n % 2}") for n in range(ROWS)])
    return file


@pytest.fixture
def execute(file: Path) -> Iterator[Execute]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


@pytest.fixture
def log(file: Path) -> Iterator[SQLiteLog]:
    with closing(SQLiteLog(file, ticking())) as log:
        yield log


def changed(value: int | str | bytes) -> int | str | bytes:
    """The value with one byte changed (or added to nothing)."""
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
    return bytes([value[0] ^ 1]) + value[1:] if value else b"x"


@pytest.mark.parametrize("position", [1, 7, ROWS])
@pytest.mark.parametrize("column", [name for name, _ in COLUMNS if name != "position"])
def test_one_byte_changed_in_any_column_is_found_at_its_position(
    log: SQLiteLog, execute: Execute, column: str, position: int
) -> None:
    ((value,),) = execute(f"SELECT {column} FROM events WHERE position = ?", position)
    if column == "version":
        value += 1000  # its unique index forbids a neighbour's number
    execute(f"UPDATE events SET {column} = ? WHERE position = ?", changed(value), position)
    answer = log.verify()
    assert (answer.ok, answer.first_break, answer.events) == (False, position, position - 1)


@pytest.mark.parametrize("column", [name for name, _ in COLUMNS if name != "position"])
def test_one_byte_changed_in_any_column_is_found_on_postgres(postgres_dsn: str, fresh_schema: str, column: str) -> None:
    import psycopg

    with closing(PostgresLog(postgres_dsn, ticking(), fresh_schema)) as log:
        log.append([note(n) for n in range(5)])
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            found = connection.execute(f"SELECT {column} FROM {fresh_schema}.events WHERE position = 3").fetchone()
            assert found
            value = found[0] + 1000 if column == "version" else found[0]
            connection.execute(f"UPDATE {fresh_schema}.events SET {column} = %s WHERE position = 3", (changed(value),))
        answer = log.verify()
        assert (answer.ok, answer.first_break) == (False, 3)


def test_a_moved_position_is_found(log: SQLiteLog, execute: Execute) -> None:
    execute("UPDATE events SET position = 99 WHERE position = 5")
    assert log.verify().first_break == 5


def test_a_deleted_middle_is_found(log: SQLiteLog, execute: Execute) -> None:
    execute("DELETE FROM events WHERE position IN (4, 5)")
    assert log.verify().first_break == 4


def test_a_row_behind_the_end_is_found_at_its_position(log: SQLiteLog, execute: Execute) -> None:
    names = ", ".join(name for name, _ in COLUMNS if name not in {"position", "event_id", "version"})
    execute(
        f"INSERT INTO events (position, event_id, version, {names}, hash) "
        f"SELECT {ROWS + 1}, zeroblob(16), 1000, {names}, zeroblob(32) FROM events WHERE position = {ROWS}"
    )
    answer = log.verify()
    assert (answer.ok, answer.first_break) == (False, ROWS + 1)


def test_a_cut_end_is_found_by_the_recorded_tail(log: SQLiteLog, execute: Execute) -> None:
    execute("DELETE FROM events WHERE position > 10")
    answer = log.verify()
    assert (answer.ok, answer.first_break) == (False, 11)
    assert "positions 11 to 12 (2 facts) are missing" in answer.reason


@pytest.mark.parametrize("change", ["digest = zeroblob(32)", "events = 11", "head = zeroblob(32)", "position = 11"])
def test_a_changed_tail_is_found(log: SQLiteLog, execute: Execute, change: str) -> None:
    execute(f"UPDATE log SET {change}")
    assert not log.verify().ok


def test_bytes_changed_in_the_file_itself_are_found(file: Path) -> None:
    data = file.read_bytes()
    place = data.rindex(b"note 6")
    file.write_bytes(data[:place] + b"nope 6" + data[place + 6 :])
    with closing(SQLiteLog(file, ticking())) as log:
        assert log.verify().first_break == 7


def wiped(file: Path, name: str) -> None:
    """The first page of a table or an index, all zeros."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    with file.open("r+b") as stored:
        stored.seek((page - 1) * size)
        stored.write(bytes(size))


@pytest.mark.parametrize("name", ["sqlite_autoindex_events_1", "sqlite_autoindex_events_2", "cursors"])
def test_damage_beside_the_rows_is_found_and_not_said_to_be_of_a_row(file: Path, name: str) -> None:
    wiped(file, name)
    with closing(SQLiteLog(file, ticking())) as log:
        answer = log.verify()
    assert (answer.ok, answer.first_break, answer.events) == (False, None, ROWS)
    assert "damaged beside them" in answer.reason


def test_a_log_that_cannot_be_opened_for_damage_says_so(file: Path) -> None:
    wiped(file, "log")
    with pytest.raises(JournalError, match="go on with a backup"):
        SQLiteLog(file, ticking())


def test_text_that_is_no_utf8_is_found(log: SQLiteLog, execute: Execute) -> None:
    execute("UPDATE events SET actor = CAST(x'ff' AS TEXT) WHERE position = 6")
    answer = log.verify()
    assert (answer.ok, answer.first_break) == (False, 6)


def hash_anew(execute: Execute, upto: int) -> None:
    """What a careful forger does: rebuild the chain, and the tail, over what is stored."""
    end = EMPTY
    execute("DELETE FROM events WHERE position > ?", upto)
    for row in execute(f"SELECT {NAMES} FROM events ORDER BY position"):
        digest, leaf = seal(end.head, row[:-1])
        execute("UPDATE events SET hash = ? WHERE position = ?", digest, row[0])
        end = end.extended((*row[:-1], digest), leaf)
    execute("UPDATE log SET position = ?, events = ?, head = ?, digest = ?", end.position, end.events, end.head,
            end.digest.to_bytes(32, "big"))  # fmt: skip


class TestCheckpoint:
    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        return tmp_path / "home" / "signing.key"

    @pytest.fixture
    def checkpoint(self, log: SQLiteLog, tmp_path: Path, key: Path) -> Path:
        file = tmp_path / "outside" / "checkpoint.json"
        file.parent.mkdir()
        assert write_checkpoint(log, file, key, ticking()) == log.fingerprint()
        return file

    def test_an_untouched_log_agrees_also_when_it_has_grown(self, log: SQLiteLog, checkpoint: Path, key: Path) -> None:
        assert verify_checkpoint(log, checkpoint, key).ok
        log.append([note(100)])
        answer = verify_checkpoint(log, checkpoint, key)
        assert (answer.ok, answer.events) == (True, ROWS + 1)

    def test_a_cut_tail_is_found(self, log: SQLiteLog, checkpoint: Path, key: Path, execute: Execute) -> None:
        hash_anew(execute, upto=9)
        assert log.verify().ok
        answer = verify_checkpoint(log, checkpoint, key)
        assert (answer.ok, answer.first_break) == (False, 10)
        assert "tail was cut" in answer.reason

    def test_an_edit_with_all_hashes_recomputed_is_found(
        self, log: SQLiteLog, checkpoint: Path, key: Path, execute: Execute
    ) -> None:
        execute("UPDATE events SET actor = 'nobody' WHERE position = 4")
        hash_anew(execute, upto=ROWS)
        assert log.verify().ok
        answer = verify_checkpoint(log, checkpoint, key)
        assert (answer.ok, answer.first_break) == (False, ROWS)
        assert "edited" in answer.reason

    @pytest.mark.parametrize("field", ["head", "position", "events", "made_at", "digest", "log_id"])
    def test_a_changed_checkpoint_is_found(self, log: SQLiteLog, checkpoint: Path, key: Path, field: str) -> None:
        told = json.loads(checkpoint.read_text())
        told[field] = told[field] + 1 if isinstance(told[field], int) else "0" * 64
        checkpoint.write_text(json.dumps(told))
        answer = verify_checkpoint(log, checkpoint, key)
        assert not answer.ok
        assert "signature" in answer.reason

    def test_a_checkpoint_of_another_key_is_a_forgery(
        self, log: SQLiteLog, checkpoint: Path, key: Path, tmp_path: Path, execute: Execute
    ) -> None:
        hash_anew(execute, upto=3)
        write_checkpoint(log, tmp_path / "forged", tmp_path / "forger.key", ticking())
        answer = verify_checkpoint(log, tmp_path / "forged", key)
        assert not answer.ok
        assert "forgery" in answer.reason

    def test_the_key_is_private(self, checkpoint: Path, key: Path) -> None:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert sorted(path.name for path in key.parent.iterdir()) == ["signing.key", "signing.key.pub"]

    def test_a_checkpoint_of_another_log_is_refused(self, checkpoint: Path, key: Path, tmp_path: Path) -> None:
        with (
            closing(SQLiteLog(tmp_path / "other.sqlite", ticking())) as other,
            pytest.raises(JournalError, match="its own"),
        ):
            verify_checkpoint(other, checkpoint, key)

    def test_a_checkpoint_makes_no_folders(self, log: SQLiteLog, key: Path, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match="make its folder"):
            write_checkpoint(log, tmp_path / "no" / "where" / "mark", key, ticking())
        assert not (tmp_path / "no").exists()

    def test_a_checkpoint_alone_proves_nothing(self, log: SQLiteLog, checkpoint: Path, key: Path) -> None:
        public = key.with_name(key.name + ".pub").rename(key.with_name("kept.pub"))
        key.unlink()
        answer = verify_checkpoint(log, checkpoint, key)
        assert not answer.ok
        assert "give --key" in answer.reason
        assert verify_checkpoint(log, checkpoint, key, public).ok
        assert not key.exists()

    @pytest.mark.parametrize("text", ["", "no hex", "ab", "\xff"])
    def test_what_is_no_public_key_is_refused(
        self, log: SQLiteLog, checkpoint: Path, key: Path, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "other.pub").write_text(text, "latin-1")
        with pytest.raises(JournalError, match="no public key"):
            verify_checkpoint(log, checkpoint, key, tmp_path / "other.pub")
        with pytest.raises(JournalError, match="No such file"):
            verify_checkpoint(log, checkpoint, key, tmp_path / "none.pub")

    def test_a_grown_log_may_sign_over_an_older_checkpoint(self, log: SQLiteLog, checkpoint: Path, key: Path) -> None:
        log.append([note(100)])
        assert write_checkpoint(log, checkpoint, key, ticking()).events == ROWS + 1
        assert json.loads(checkpoint.read_text())["events"] == ROWS + 1
        assert [file.name for file in checkpoint.parent.iterdir()] == [checkpoint.name]

    def test_evidence_is_not_overwritten(
        self, log: SQLiteLog, checkpoint: Path, key: Path, tmp_path: Path, execute: Execute
    ) -> None:
        before = checkpoint.read_bytes()
        with pytest.raises(JournalError, match="not overwritten"):
            write_checkpoint(log, checkpoint, tmp_path / "forger.key", ticking())
        hash_anew(execute, upto=9)
        with pytest.raises(JournalError, match="as evidence"):
            write_checkpoint(log, checkpoint, key, ticking())
        assert checkpoint.read_bytes() == before

    @pytest.mark.parametrize("junk", ["1e400", "134.5", '"134"', "true", "-1", "9223372036854775808", "NaN", "null"])
    def test_a_position_that_is_none_is_one_clear_line(
        self, log: SQLiteLog, checkpoint: Path, key: Path, junk: str
    ) -> None:
        checkpoint.write_text(checkpoint.read_text().replace(f'"position": {ROWS}', f'"position": {junk}'))
        with pytest.raises(JournalError, match=r"position is (missing or no whole number|out of range)"):
            verify_checkpoint(log, checkpoint, key)

    @pytest.mark.parametrize("text", ["", "{}", "[]", "\x00", "[" * 100_000, '{"format": "other"}'])
    def test_what_is_no_checkpoint_is_refused(self, log: SQLiteLog, tmp_path: Path, text: str) -> None:
        (tmp_path / "bad").write_text(text)
        with pytest.raises(JournalError, match="cannot be read as a checkpoint"):
            verify_checkpoint(log, tmp_path / "bad")

    def test_a_file_that_cannot_be_read_says_why(self, log: SQLiteLog, tmp_path: Path) -> None:
        for file, why in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
            with pytest.raises(JournalError, match=rf"{why}.*myrmidon audit checkpoint"):
                verify_checkpoint(log, file)

    def test_an_empty_log_can_be_signed(self, tmp_path: Path, key: Path) -> None:
        with closing(SQLiteLog(tmp_path / "empty.sqlite", ticking())) as log:
            write_checkpoint(log, tmp_path / "c", key, ticking())
            log.append([note(1)])
            assert verify_checkpoint(log, tmp_path / "c", key).ok
