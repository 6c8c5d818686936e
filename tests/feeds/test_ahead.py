"""Reading ahead changes neither what comes nor where a feed is said to stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.feeds import ReadAhead, open_telemetry, parse_spec
from tests.feeds.reading import conn_log, write


def opened(path: Path, batch: int):
    return open_telemetry([parse_spec(f"zeek:{path}")], follow=False, batch_rows=batch)


def test_rows_and_cursors_are_those_of_reading_pulse_by_pulse(tmp_path: Path) -> None:
    path = write(tmp_path / "conn.log", conn_log(50))
    plain, ahead = opened(path, 7), ReadAhead(opened(path, 7), ["zeek"])
    expected = [(pulse.frames["zeek"].raw, plain.cursor("zeek")) for pulse in plain.pulses()]
    found, last = [], None
    while not ahead.ended:
        if (read := ahead.next()) is not None:
            last = read.cursors["zeek"]
            found += [(read.pulse.frames["zeek"].raw, last)] if read.pulse.frames else []
    assert found == expected
    assert last == plain.cursor("zeek")
    plain.close()
    ahead.close()


def test_what_was_read_and_not_handed_out_is_not_in_the_cursor(tmp_path: Path) -> None:
    ahead = ReadAhead(opened(write(tmp_path / "conn.log", conn_log(50)), 7), ["zeek"])
    read = ahead.next(10.0)
    ahead.close()
    assert read.cursors["zeek"].rows == 7
    assert ahead.next() is None
    assert ahead.ended


def test_what_the_thread_raises_is_raised_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = opened(write(tmp_path / "conn.log", conn_log(5)), 7)
    ahead = ReadAhead(telemetry, ["zeek"])
    monkeypatch.setattr(telemetry, "_pulse", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ahead.next(10.0)
    ahead.close()
