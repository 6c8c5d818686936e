"""Following files that grow, rotate and are cut. Time is injected where it decides something."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from adapters.feeds import Telemetry, open_telemetry, parse_spec
from tests.feeds.reading import HEADER, conn, conn_log, write
from tests.feeds.test_order import DNS


class Follower:
    """Reads in a thread until told to stop."""

    def __init__(self, spec: str, **options: object) -> None:
        self.uids: list[str] = []
        self.released: list[tuple[str, str, int]] = []
        self.empty = 0
        self.telemetry: Telemetry = open_telemetry([parse_spec(spec)], follow=True, **options)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for pulse in self.telemetry.pulses():
            self.released += pulse.released
            self.empty += not pulse.frames
            for frame in pulse.frames.values():
                self.uids += [raw.split(b"\t")[1].decode() for raw in frame.raw]

    def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> bool:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)
        return condition()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.telemetry.stop()
        self._thread.join(10)
        self.telemetry.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def names(first: int, last: int) -> list[str]:
    return [f"C{number}" for number in range(first, last)]


def test_four_rotations_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", HEADER)
    write(tmp_path / "conn.log.9", conn_log(5, first=9000))
    with Follower(f"zeek:{path}") as follower:
        for rotation in range(5):
            for number in range(rotation * 400, rotation * 400 + 400):
                append(path, conn(number))
            if rotation < 4:
                for old in range(rotation, 0, -1):
                    (tmp_path / f"conn.log.{old}").rename(tmp_path / f"conn.log.{old + 1}")
                path.rename(tmp_path / "conn.log.1")
                append(tmp_path / "conn.log.1", b"#close\tnow\n")
                write(path, HEADER)
        assert follower.until(lambda: len(follower.uids) >= 2000)
        time.sleep(0.2)
        assert sorted(follower.uids) == sorted(names(0, 2000))
        assert follower.telemetry.problems == []


def test_a_partial_line_waits_for_its_end(tmp_path: Path) -> None:
    row = conn(2)
    path = write(tmp_path / "conn.log", HEADER + conn(1) + row[:20])
    with Follower(f"zeek:{path}") as follower:
        assert follower.until(lambda: follower.uids == ["C1"])
        assert follower.until(lambda: follower.empty > 0)
        assert follower.uids == ["C1"]
        append(path, row[20:])
        assert follower.until(lambda: follower.uids == ["C1", "C2"])


def test_a_file_that_is_cut_in_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(50))
    with Follower(f"zeek:{path}") as follower:
        assert follower.until(lambda: len(follower.uids) == 50)
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(HEADER + conn(777))
        assert follower.until(lambda: follower.uids[50:] == ["C777"])


def test_a_file_that_appears_in_a_followed_folder_is_read(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", conn_log(3))
    with Follower(f"zeek:{tmp_path}", idle_release=0.1) as follower:
        assert follower.until(lambda: len(follower.uids) == 3)
        write(tmp_path / "dns.log", DNS + conn(99))
        assert follower.until(lambda: "C99" in follower.uids)


def test_an_idle_log_holds_back_the_merge_until_it_is_released_and_comes_back_when_it_grows(tmp_path: Path) -> None:
    write(tmp_path / "conn.log", conn_log(5))
    write(tmp_path / "dns.log", DNS + conn(2, uid="D2"))
    now = [1000.0]
    with Follower(f"zeek:{tmp_path}", idle_release=60.0, monotonic=lambda: now[0]) as follower:
        assert follower.until(lambda: follower.uids == ["C0", "C1", "C2", "D2"])
        now[0] += 59
        time.sleep(0.2)
        assert len(follower.uids) == 4
        now[0] += 2
        assert follower.until(lambda: len(follower.uids) == 6)
        assert [(feed, log.partition(":")[0], row) for feed, log, row in follower.released] == [("zeek", "dns", 4)]
        append(tmp_path / "dns.log", conn(3, uid="D3") + conn(5, uid="D5"))
        assert follower.until(lambda: follower.uids[-1] == "D3")  # conn.log can give nothing that comes before it
        time.sleep(0.2)
        assert follower.uids[-1] == "D3"  # now it is conn.log that is waited for
        now[0] += 61
        assert follower.until(lambda: follower.uids[-1] == "D5")


def test_after_a_restart_a_rotated_file_is_read_on_from_where_it_stood(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(30))
    with Follower(f"zeek:{path}") as follower:
        assert follower.until(lambda: len(follower.uids) == 30)
        body = follower.telemetry.cursor("zeek").body
    append(path, b"".join(conn(number) for number in range(30, 40)))
    path.rename(tmp_path / "conn.2026-01-01.log")
    write(path, conn_log(5, first=40))
    with Follower(f"zeek:{path}", resume={"zeek": body}) as follower:
        assert follower.until(lambda: len(follower.uids) >= 15)
        time.sleep(0.2)
        assert follower.uids == names(30, 45)
        assert follower.telemetry.received("zeek") == 45
