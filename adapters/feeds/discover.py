"""Which files a feed's path means.

Rules:
    1. A path is a file, a folder or a glob (`**` crosses folders); an existing path is never taken for a glob.
    2. Of a folder, only files directly in it whose names look like logs of the feed's kind are taken; hidden files,

Notes:
       and what Zeek writes about itself (stderr.log, stdout.log) are not. A file that is named outright is always
       taken.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Final

from adapters.feeds.errors import FeedError
from adapters.feeds.spec import FeedSpec

_LINES: Final = re.compile(r"(?!stderr|stdout)[^.].*\.(log|json|jsonl|ndjson)([.-].*)?")
NAMES: Final = {
    "zeek": _LINES,
    "eve": _LINES,
    "csv": re.compile(r"[^.].*\.(csv|binetflow)([.-].*)?", re.IGNORECASE),
    "parquet": re.compile(r"[^.].*\.(parquet|pq)", re.IGNORECASE),
}
"""What names of logs look like, by kind of feed."""


def discover(spec: FeedSpec) -> list[Path]:
    """The files of a feed, sorted.

    Raises:
        FeedError: there are none.
    """
    path = Path(spec.path)
    try:
        if path.is_dir():
            looks = NAMES[spec.kind]
            found = sorted(entry for entry in path.iterdir() if looks.fullmatch(entry.name) and not entry.is_dir())
            if not found:
                raise FeedError(
                    f"{path}: the folder holds no {spec.kind} logs; folders inside need a glob: {spec.kind}:{path}/**/*"
                )
            return found
        if path.exists():
            return [path]
    except OSError as error:
        raise FeedError(f"{path}: {error.strerror or error}; check the path and its permissions") from error
    if not glob.has_magic(spec.path):
        raise FeedError(f"{path}: does not exist; check the path of feed {spec.name}")
    found = sorted(Path(name) for name in glob.glob(spec.path, recursive=True) if not Path(name).is_dir())  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        raise FeedError(f"{path}: the glob matches no file; check the path of feed {spec.name}")
    return found


def siblings(path: Path) -> list[Path]:
    """Files beside `path` with names that a rotation gives: conn.log.1, conn.log-20260101.gz, conn.15h.log.gz."""
    stem = path.name.partition(".")[0]
    rotated = re.compile(rf"{re.escape(path.name)}[.-].+|{re.escape(stem)}[.-]\d.*")
    try:
        return sorted(p for p in path.parent.iterdir() if p != path and rotated.fullmatch(p.name) and p.is_file())
    except OSError:
        return []
