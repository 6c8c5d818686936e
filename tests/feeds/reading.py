"""Helpers of the feed tests: read everything that specs give, write small logs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.feeds import Problem, Telemetry, open_telemetry, parse_spec
from engine.frame import COLUMNS

HEADER = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes"
    b"\tconn_state\torig_pkts\tresp_pkts\n"
    b"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tcount\n"
)


def conn(number: int, **other: str) -> bytes:
    values = {
        "ts": f"{1_700_000_000 + number:.6f}", "uid": f"C{number}", "src": f"10.0.0.{number % 250}",
        "sport": str(1024 + number % 60000), "dst": "192.0.2.7", "dport": "443", "proto": "tcp", "service": "-",
        "duration": "0.5", "ob": "10", "rb": "20", "state": "SF", "op": "1", "rp": "2",
    }  # fmt: skip
    return "\t".join((values | other).values()).encode() + b"\n"


def conn_log(rows: int, first: int = 0) -> bytes:
    return HEADER + b"".join(conn(number) for number in range(first, first + rows))


def rows_of(telemetry: Telemetry, stop_after: int | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for pulse in telemetry.pulses():
        for name, frame in pulse.frames.items():
            table = zip(*(getattr(frame, column) for column in COLUMNS), strict=True)
            rows.extend({"feed": name, **dict(zip(COLUMNS, values, strict=True))} for values in table)
        if stop_after is not None and len(rows) >= stop_after:
            telemetry.stop()
    return rows


def read(specs: str | Sequence[str], **options: Any) -> tuple[list[dict[str, Any]], list[Problem]]:
    """All rows of the specs in merged order, and the problems."""
    given = [parse_spec(spec) for spec in ([specs] if isinstance(specs, str) else specs)]
    telemetry = open_telemetry(given, follow=False, **options)
    try:
        rows = rows_of(telemetry)
        for spec in given:
            assert telemetry.received(spec.name) == sum(row["feed"] == spec.name for row in rows)
    finally:
        telemetry.close()
    return sorted(rows, key=lambda row: row["order"]), telemetry.problems


def unfinished(spec: str) -> list[str]:
    """What a spec's files hold behind their last rows."""
    telemetry = open_telemetry([parse_spec(spec)], follow=False)
    try:
        rows_of(telemetry)
    finally:
        telemetry.close()
    return telemetry.unfinished


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One seeded kind of damage."""
    at, lines = rng.randrange(len(data) + 1), data.splitlines(keepends=True)
    line = rng.randrange(len(lines))

    def swap(old: bytes, new: bytes) -> bytes:
        return b"".join([*lines[:line], lines[line].replace(old, new), *lines[line + 1 :]])

    damages = [
        lambda: data[:at],
        lambda: data[:at] + rng.randbytes(rng.randrange(1, 300)) + data[at:],
        lambda: rng.randbytes(len(data) // 4),
        lambda: b"".join([lines[line][::-1], *lines[1:]]),
        lambda: b"".join([*lines[:line], b"x" * (1 << 20) + b"y" * rng.randrange(100), b"\n", *lines[line:]]),
        lambda: data[:at] + b"\0" * rng.randrange(1, 9) + data[at:],
        lambda: data[:at] + "größer".encode("latin-1") + data[at:],
        lambda: data[:at] + "ñ漢\ufeff".encode("utf-16") + data[at:],
        lambda: swap(b"\t10\t", b"\t-10\t") if b"\t" in data else swap(b":10", b":-10"),
        lambda: swap(b"17000", rng.choice([b"97000", b"00000", b"-17000", b"1e300", b"nan"])),
        lambda: swap(b"\t", b"\t\t") if b"\t" in data else swap(b'"', b"'"),
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: b"".join(rng.sample(lines, len(lines))),
        lambda: b"".join(lines[:line] + lines[line + 1 :]),
        lambda: data.replace(b"\n", b" "),
        lambda: b"[" * 5000 + b"\n" + data,
    ]
    return rng.choice(damages)()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
