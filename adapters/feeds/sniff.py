"""What a file is, told by its first lines; and what it would be by its name.

Rules:
    1. A Zeek log has a `#fields` header or JSON objects with a `ts`; an EVE file JSON objects with an `event_type`;
       a CSV
       file a header that a mapping fits. Among the first lines, bad ones are passed over: they are malformed rows.
    2. A file without any line is an empty log, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.feeds.errors import FeedError
from adapters.feeds.eve import Eve
from adapters.feeds.rows import RowParser
from adapters.feeds.spec import FeedSpec
from adapters.feeds.table import CsvTable
from adapters.feeds.zeek import ZeekJson, ZeekTsv

SNIFFED: Final = 100
_STEM: Final = re.compile(r"[^.\-]+")


def log_type(spec: FeedSpec, path: Path) -> str:
    """The log type that a file's name tells.

    >>> log_type(FeedSpec(name="z", kind="zeek", path=""), Path("conn.16h.log.gz"))
    'conn'
    """
    if spec.kind in {"csv", "parquet"}:
        return "conn"
    found = _STEM.match(path.name)
    return found[0] if found else path.name


def choose(spec: FeedSpec, path: Path, lines: Sequence[bytes], *, final: bool) -> RowParser | None:
    """The parser for a file that begins with `lines`; None when that cannot be said yet.

    Raises:
        FeedError: the file is not what the feed claims.
    """
    head = [line for line in lines[:SNIFFED] if line.strip()]
    if not head:
        return None
    kind = log_type(spec, path)
    if spec.kind == "csv":
        return CsvTable(head[0], spec.mapping, path)
    if spec.kind == "eve":
        if any("event_type" in row for row in _objects(head)):
            return Eve(kind)
        raise FeedError(
            f"{path}: is no Suricata EVE file (JSON lines with event_type); check the kind of feed {spec.name}"
        )
    if any(line.startswith(b"#fields") for line in head):
        return ZeekTsv(kind)
    if any("ts" in row and "event_type" not in row for row in _objects(head)):
        return ZeekJson(kind)
    if not final and all(line[:1] == b"#" for line in head):
        return None
    raise FeedError(
        f"{path}: is no Zeek log (neither a #fields header nor JSON lines with ts); check the kind of feed {spec.name}"
    )


def _objects(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    out = []
    for line in lines:
        try:
            row = msgspec.json.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            out.append(row)
    return out
