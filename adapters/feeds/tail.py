"""Following files: what is new, renamed, cut or gone.

Rules:
    1. A file is known by its inode. What a rotation renames is read on through its open handle to its end, and is
       closed when it did not grow for a second; the file that took its name is a new log.
    2. So is a log that stands beside the live one of its type (conn.01-02.log beside conn.log), and one that another
       file had given to its end before (its compressed copy). A closed log that grows after all is opened again.
    3. A file that is cut in place is a new log from its beginning; a copy that was made before the cut goes on.
    4. Of a feed that names one file, files that a rotation leaves beside it are read too: those that appear while we
       follow, and after a restart those that the cursor knows and any written after them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.feeds.discover import discover, siblings
from adapters.feeds.errors import FeedError
from adapters.feeds.lines import Lines
from adapters.feeds.log import Log
from adapters.feeds.sniff import log_type
from adapters.feeds.spec import FeedSpec

GRACE: Final = 1.0
LIVE: Final = {"zeek": ".log", "eve": ".json"}
"""How the names end of logs that are being written."""

_Inode = tuple[int, int]
_Mark = tuple[int, int]


class Tail:
    """The files of one feed over time."""

    def __init__(self, spec: FeedSpec, *, follow: bool) -> None:
        self.spec = spec
        self._follow = follow
        self._found = False
        self._open: dict[_Inode, Log] = {}
        self._seen: dict[_Inode, _Mark] = {}
        self._quiet: dict[Log, tuple[_Mark, float]] = {}
        self._one = follow and not Path(spec.path).is_dir() and not any(mark in spec.path for mark in "*?[")

    def ignore_siblings(self) -> None:
        """What lies beside a single file from the beginning was not asked for."""
        for path in siblings(Path(self.spec.path)) if self._one else []:
            self._remember(path)

    def new_files(self) -> list[Path]:
        """Files to be opened now, sorted.

        Raises:
            FeedError: the path names nothing.
        """
        fresh: list[Path] = []
        error: FeedError | None = None
        try:
            paths = discover(self.spec)
        except FeedError as found:
            paths, error = [], found
        if self._one:
            path = Path(self.spec.path)
            paths += [
                p for p in siblings(path) if p.suffix != ".gz" and log_type(self.spec, p) == log_type(self.spec, path)
            ]
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            inode, mark = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
            if inode not in self._open and self._seen.get(inode) != mark:
                fresh.append(path)
        if error and not fresh and not self._open and not self._found:
            raise error
        self._found = self._follow and (self._found or bool(fresh))
        return fresh

    def opened(self, log: Log) -> None:
        """Note an open log."""
        if log.lines is not None:
            self._open[log.lines.inode] = log

    def finished(self, log: Log) -> None:
        """Forget a log that has ended, but not which file it was."""
        self._quiet.pop(log, None)
        for inode in [inode for inode, held in self._open.items() if held is log]:
            del self._open[inode]
        if log.lines is None or not self._follow:
            self._remember(log.path)
        else:
            self._seen[log.lines.inode] = log.lines.mark

    def again(self, inode: tuple[int, int]) -> None:
        """Open a file anew, although it was finished."""
        self._seen.pop(inode, None)

    def failed(self, path: Path) -> None:
        """A file could not be opened: not again until it changes."""
        self._remember(path)

    def _remember(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError:
            return
        self._seen[status.st_dev, status.st_ino] = (status.st_size, status.st_mtime_ns)

    def watch(self, log: Log, now: float) -> None:
        """See whether a log's file was rotated and does not grow any more."""
        if log.lines is None or log.lines.final:
            return
        state = log.lines.state
        known, since = self._quiet.get(log, (state, now))
        if known != state or not self._rotated(log, log.lines):
            since = now
        self._quiet[log] = (state, since)
        log.lines.final = now - since >= GRACE

    def _rotated(self, log: Log, lines: Lines) -> bool:
        try:
            status = log.path.stat()
        except OSError:
            return True
        if (status.st_dev, status.st_ino) != lines.inode:
            return True
        if lines.gzip:
            return False  # it ends by itself; one that does not is not all there yet
        if log.again or (self._one and log.path != Path(self.spec.path)):
            return True
        ending = LIVE.get(self.spec.kind)
        live = log.path.with_name(f"{log_type(self.spec, log.path)}{ending}")
        return ending is not None and live != log.path and live.exists()
