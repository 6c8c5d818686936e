"""Zeek's rotation while a folder is followed: renamed, compressed at once, and a new file in its place."""

from __future__ import annotations

import gzip
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.feeds import open_telemetry, parse_spec
from tests.feeds.reading import HEADER, conn, conn_log, write
from tests.feeds.test_follow import Follower, append, names

SOON = 3.0
LOGS = ("conn", "dns", "http")


def keep(path: Path) -> None:
    """Leave the renamed file as it is."""
    assert path.exists()


def pack(path: Path) -> None:
    """Compress it with the tool that Zeek's scripts call."""
    subprocess.run(["gzip", str(path)], check=True)


def pack_slowly(path: Path) -> None:
    """The compressed copy is there before its first byte and grows; then the original goes."""
    data = gzip.compress(path.read_bytes())
    with Path(f"{path}.gz").open("wb") as file:
        for piece in (b"", data[:1], data[1 : len(data) // 2], data[len(data) // 2 :]):
            file.write(piece)
            file.flush()
            time.sleep(0.12)
    path.unlink()


WAYS = pytest.mark.parametrize("away", [keep, pack, pack_slowly])


def rotate(folder: Path, log: str, number: int, away: Callable[[Path], None], successor: bytes) -> None:
    old = folder / f"{log}.2026-01-01-{number:02}-00-00.log"
    (folder / f"{log}.log").rename(old)
    away(old)
    write(folder / f"{log}.log", successor)


def header(log: str) -> bytes:
    return HEADER.replace(b"#path\tconn", b"#path\t" + log.encode())


def rows(log: str, first: int, last: int) -> bytes:
    return b"".join(conn(number, uid=f"{log}{number}") for number in range(first, last))


@WAYS
@pytest.mark.parametrize(("close", "after"), [(b"", 0), (b"#close\tnow\n", 5)])
def test_a_rotated_log_is_read_to_its_end_at_once(
    tmp_path: Path, away: Callable[[Path], None], close: bytes, after: int
) -> None:
    path = write(tmp_path / "conn.log", conn_log(300))
    with Follower(f"zeek:{tmp_path}") as follower:
        assert follower.until(lambda: len(follower.uids) == 300)
        append(path, b"".join(conn(number) for number in range(300, 310)) + close)
        rotate(tmp_path, "conn", 1, away, conn_log(after, first=310))
        assert follower.until(lambda: len(follower.uids) >= 310 + after, SOON)
        time.sleep(1.3)  # the old file is given up by now
        append(path, b"".join(conn(number) for number in range(310 + after, 320)))
        assert follower.until(lambda: len(follower.uids) >= 320, SOON)
        time.sleep(0.2)
        assert follower.uids == names(0, 320)
        assert follower.telemetry.problems == []
        assert follower.released == []


@WAYS
def test_several_logs_that_rotate_at_once_lose_nothing_and_repeat_nothing(
    tmp_path: Path, away: Callable[[Path], None]
) -> None:
    for log in LOGS:
        write(tmp_path / f"{log}.log", header(log) + rows(log, 0, 50))
    with Follower(f"zeek:{tmp_path}") as follower:
        for turn in range(1, 3):
            for log in LOGS:
                append(tmp_path / f"{log}.log", rows(log, turn * 50, turn * 50 + 40))
                rotate(tmp_path, log, turn, away, header(log) + rows(log, turn * 50 + 40, turn * 50 + 50))
            # the last row of all waits for what the other logs will say next
            wanted = 3 * (turn * 50 + 50) - 2
            assert follower.until(lambda least=wanted: len(follower.uids) >= least, SOON)  # type: ignore[misc]
        for log in LOGS:
            append(tmp_path / f"{log}.log", rows(log, 150, 151))
        assert follower.until(lambda: len(follower.uids) >= 451, SOON)
        expected = {f"{log}{number}" for log in LOGS for number in range(150)}
        assert len(follower.uids) == len(set(follower.uids))
        assert expected <= set(follower.uids)
        assert follower.telemetry.problems == []
        assert follower.released == []


@WAYS
def test_a_single_file_that_is_rotated_is_followed_without_a_problem(
    tmp_path: Path, away: Callable[[Path], None]
) -> None:
    path = write(tmp_path / "conn.log", conn_log(20))
    with Follower(f"zeek:{path}") as follower:
        assert follower.until(lambda: len(follower.uids) == 20)
        append(path, conn(20) + b"#close\tnow\n")
        rotate(tmp_path, "conn", 1, away, conn_log(4, first=21))
        assert follower.until(lambda: follower.uids == names(0, 25), SOON)
        assert follower.telemetry.problems == []


def test_a_renamed_log_that_grows_after_it_was_given_up_is_read_on(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(20))
    with Follower(f"zeek:{tmp_path}") as follower:
        assert follower.until(lambda: len(follower.uids) == 20)
        rotate(tmp_path, "conn", 1, keep, conn_log(5, first=20))
        assert follower.until(lambda: len(follower.uids) == 25, SOON)
        append(tmp_path / "conn.2026-01-01-01-00-00.log", conn(90) + conn(91))
        append(path, conn(100))
        assert follower.until(lambda: follower.uids[25:] == ["C90", "C91", "C100"], SOON)


def test_a_copy_that_was_made_before_the_file_was_cut_goes_on_where_the_file_stood(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(20))
    with Follower(f"zeek:{tmp_path}", batch_wait=0.3) as follower:
        assert follower.until(lambda: len(follower.uids) == 20)
        write(tmp_path / "conn.log.1", path.read_bytes() + conn(20))
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(HEADER + conn(21))
        assert follower.until(lambda: sorted(follower.uids) == sorted(names(0, 22)), SOON)
        assert follower.telemetry.problems == []


def test_a_log_without_a_row_does_not_hold_back_the_others(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", conn_log(5))
    write(tmp_path / "dns.log", header("dns"))
    with Follower(f"zeek:{tmp_path}") as follower:
        assert follower.until(lambda: follower.uids == names(0, 5), SOON)
        append(tmp_path / "dns.log", conn(9, uid="D9"))
        append(tmp_path / "conn.log", conn(10) + conn(11))
        assert follower.until(lambda: "D9" in follower.uids, SOON)


def test_a_half_written_gzip_file_holds_back_the_others_for_a_second_only(tmp_path: Path) -> None:
    packed = gzip.compress(conn_log(4000), compresslevel=1)
    write(tmp_path / "conn.old.log.gz", packed[: len(packed) // 2])
    write(tmp_path / "dns.log", header("dns") + rows("D", 5000, 5010))
    with Follower(f"zeek:{tmp_path}") as follower:
        assert follower.until(lambda: "D5000" in follower.uids, SOON)
        assert len(follower.released) == 1
        append(tmp_path / "conn.old.log.gz", packed[len(packed) // 2 :])
        assert follower.until(lambda: len(follower.uids) == 4010, SOON)
        assert len(set(follower.uids)) == 4010
        assert follower.telemetry.problems == []


def test_a_cursor_right_after_a_restart_keeps_the_clock_of_a_log_that_has_not_grown(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(30))
    bodies: list[bytes] = []
    for _ in range(3):
        resume = {"zeek": bodies[-1]} if bodies else None
        telemetry = open_telemetry([parse_spec(f"zeek:{path}")], follow=True, resume=resume)
        for pulse in telemetry.pulses():
            if not pulse.frames:
                telemetry.stop()
        bodies.append(telemetry.cursor("zeek").body)
        telemetry.close()
    assert bodies[0] == bodies[1] == bodies[2]


def test_quiet_since_is_the_time_since_the_last_row(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(3))
    now = [5000.0]
    with Follower(f"zeek:{path}", monotonic=lambda: now[0]) as follower:
        assert follower.until(lambda: len(follower.uids) == 3)
        assert follower.telemetry.quiet_since("zeek") == 0
        now[0] += 300
        assert follower.telemetry.quiet_since("zeek") == 300
        append(path, conn(3))
        assert follower.until(lambda: len(follower.uids) == 4)
        assert follower.telemetry.quiet_since("zeek") == 0
