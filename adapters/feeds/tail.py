"""Following files: what is new, renamed, cut or gone.

Rules:
    1. A file is known by its inode. What a rotation renames is read on through its open handle to its end, and is
       closed
       when it did not grow for a second; the file that took its name is a new log.
    2. A file that is cut in place is a new log from its beginning.
    3. Of a feed that names one file, files that a rotation leaves beside it are read too: those that appear while we
       follow, and after a restart those that the cursor knows and any written after them.
"""

from __future__ import annotations

from pathlib import Path

from adapters.feeds.discover import discover, siblings
from adapters.feeds.errors import FeedError
from adapters.feeds.log import Log
from adapters.feeds.sniff import log_type
from adapters.feeds.spec import FeedSpec

GRACE = 1.0
_Inode = tuple[int, int]
_Mark = tuple[int, int]


class Tail:
    """The files of one feed over time."""

    def __init__(self, spec: FeedSpec, *, follow: bool) -> None:
        self.spec = spec
        self._open: dict[_Inode, Log] = {}
        self._seen: dict[_Inode, _Mark] = {}
        self._quiet: dict[Log, float] = {}
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
        if error and not fresh and not self._open:
            raise error
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
        self._remember(log.path)

    def failed(self, path: Path) -> None:
        """A file could not be opened: not again until it changes."""
        self._remember(path)

    def _remember(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError:
            return
        self._seen[status.st_dev, status.st_ino] = (status.st_size, status.st_mtime_ns)

    def watch(self, log: Log, now: float) -> bool:
        """See what happened to an idle log's file; whether it was cut, so that it is a new log."""
        if log.lines is None or log.lines.final:
            return False
        if log.lines.cut:
            return True
        try:
            status = log.path.stat()
            rotated = (status.st_dev, status.st_ino) != log.lines.inode
        except OSError:
            rotated = True
        if self._one and log.path != Path(self.spec.path):
            rotated = True
        if not rotated:
            self._quiet.pop(log, None)
        elif now - self._quiet.setdefault(log, now) >= GRACE:
            log.lines.final = True
        return False
