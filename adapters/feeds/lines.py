"""Bytes of a file as lines, plain or gzip (told by its first bytes, not by its name), from any position.

Rules:
    1. `take` gives the next complete lines and what each takes in the uncompressed file, its line end included; an
       empty answer means that there is no more for now. Lines end with LF or CR LF.
    2. A last line without an end is a line once `final` is set and `whole` says that nothing of it is missing; before,
       it waits for its end. What is left of it then is told by `left`: somebody is still writing it.
    3. Of a line over 1 MiB only the first bytes are kept, but all are counted: memory stays bounded.
    4. With `keep` off the file is closed between two reads: thousands of logs can be merged without as many handles.
    5. A gzip file that breaks off, or that ends in something else, gives what came before, then raises.
    6. While a file is still being written, neither its first bytes nor the position to go on from need be there yet.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from adapters.feeds.errors import FeedError

MAX_LINE: Final = 1 << 20
BLOCK: Final = 1 << 18
BOM: Final = b"\xef\xbb\xbf"
"""What some editors write before the first line: it counts as bytes of that line, and is no part of it."""

_MAGIC: Final = b"\x1f\x8b"


def open_regular(path: Path) -> BinaryIO:
    """Open a file, and nothing that would block (a pipe) or never end (a device).

    Raises:
        FeedError: the path is no regular file, or it cannot be opened.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FeedError(f"{path}: is no regular file; name a file, a folder or a glob of logs")
        return path.open("rb")
    except OSError as error:
        raise FeedError(f"{path}: {error.strerror or error}; check the path and its permissions") from error


def always(_line: bytes) -> bool:
    """Take every last line for a whole one."""
    return True


class Lines:
    """The lines of one file. `position` is how many uncompressed bytes were taken as lines."""

    def __init__(self, path: Path, *, final: bool, keep: bool = True, whole: Callable[[bytes], bool] = always) -> None:
        self.path = path
        self.final = final
        self.left = 0
        """Bytes of a last line that is not all there."""
        self._whole = whole
        self.position = 0
        self._keep = keep
        self._block = BLOCK if keep else BLOCK // 32
        self._file = open_regular(path)
        self.inode = self._which()
        """Which file this is, whatever its name has become."""
        self._told = 0
        self.gzip = False
        self._broken: FeedError | None = None
        self.seek(0)

    def seek(self, position: int) -> None:
        """Go to an uncompressed position where a line begins."""
        self._rest, self._lost, self._exhausted, self.left = b"", 0, False, 0
        self._unzip = zlib.decompressobj(31)
        self._zipped = b""
        self.position = position
        self._told, self._ahead = (0, position) if self._sniff() else (position, 0)
        self._reopen().seek(self._told)

    def _sniff(self) -> bool:
        """Whether this is a gzip file, as far as its first bytes are there."""
        file = self._reopen()
        file.seek(0)
        head = file.read(2)
        file.seek(0)
        self.gzip = head == _MAGIC
        self._sniffed = self.final or len(head) == len(_MAGIC)
        return self.gzip

    def take(self) -> tuple[list[bytes], list[int]]:
        """The next lines, without their ends, and their sizes.

        Raises:
            FeedError: the file breaks off here.
        """
        while data := self._read(self._block):
            *lines, rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
            lost, self._lost = self._lost, (0 if lines else self._lost)
            if len(rest) > MAX_LINE:
                self._lost += len(rest) - MAX_LINE - 1
                rest = rest[: MAX_LINE + 1]
            self._rest = rest
            if lines:
                return self._give(lines, lost, 1)
        if self._broken:
            raise self._broken
        self._exhausted = self._sniffed
        if (self.final or self.gzip_ended) and self._rest:
            if not self.gzip and not self._whole(self._rest.removesuffix(b"\r")):
                self.left = len(self._rest) + self._lost
                return [], []
            last, self._rest = self._rest, b""
            lost, self._lost = self._lost, 0
            return self._give([last], lost, 0)
        return [], []

    def _give(self, lines: list[bytes], lost: int, end: int) -> tuple[list[bytes], list[int]]:
        sizes = [len(line) + end for line in lines]
        sizes[0] += lost
        if not self.position:
            lines[0] = lines[0].removeprefix(BOM)
        self.position += sum(sizes)
        if lines[0][MAX_LINE:]:  # only the first can be so long: a block is much shorter
            lines[0] = lines[0][: MAX_LINE + 1]
        if any(line[-1:] == b"\r" for line in lines):
            lines = [line.removesuffix(b"\r") for line in lines]
        return lines, sizes

    def _read(self, size: int) -> bytes:
        if not self._sniffed:
            self._sniff()
            if not self._sniffed:
                return b""
        while data := self._plain(size) if self.gzip else self._raw(size):
            data, self._ahead = data[self._ahead :], max(0, self._ahead - len(data))
            if data:
                break
        return data

    def _plain(self, size: int) -> bytes:
        """What comes next in a gzip file."""
        while not self._broken:
            if self._unzip.eof and not self._next_member():
                return b""
            self._zipped = self._zipped or self._raw(self._block)
            if not self._zipped:
                if self.final:
                    self._broken = FeedError(
                        f"{self.path}: the gzip file breaks off; fetch it again, its end is missing"
                    )
                return b""
            try:
                data = self._unzip.decompress(self._zipped, size)
            except zlib.error as error:
                self._broken = FeedError(f"{self.path}: the gzip file is damaged ({error}); fetch it again")
                return b""
            self._zipped = self._unzip.unconsumed_tail or self._unzip.unused_data
            if data:
                return data
        return b""

    def _raw(self, size: int) -> bytes:
        data = self._reopen().read(size)
        self._told += len(data)
        if not self._keep:
            self._file.close()
        return data

    def _reopen(self) -> BinaryIO:
        if self._file.closed:
            self._file = open_regular(self.path)
            if self._which() != self.inode:
                self._file.close()
                raise FeedError(f"{self.path}: was replaced while it was read; read it again with a follower")
            self._file.seek(self._told)
        return self._file

    def _next_member(self) -> bool:
        """Whether another gzip member follows (zeros that follow are padding)."""
        self._zipped = self._zipped or self._raw(self._block)
        if len(self._zipped) < 2:
            self._zipped += self._raw(self._block)
        if self._zipped[:2] != _MAGIC:
            if self._zipped.strip(b"\0") and (self.final or len(self._zipped) >= len(_MAGIC)):
                self._broken = FeedError(
                    f"{self.path}: something that is not gzip stands behind its end; check what wrote it"
                )
            return False
        self._unzip = zlib.decompressobj(31)
        return True

    @property
    def gzip_ended(self) -> bool:
        """Whether this is a gzip file that was read to its end: nobody appends to one."""
        return self.gzip and self._unzip.eof

    @property
    def state(self) -> tuple[int, int]:
        """Size and time of the file: others mean that it has changed."""
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    @property
    def mark(self) -> tuple[int, int]:
        """The state of what was read: a plain file that has grown since its end was seen has another."""
        size, changed = self.state
        return (self._told if self._exhausted and not self.gzip else size), changed

    def _which(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_dev, status.st_ino

    @property
    def cut(self) -> bool:
        """Whether the file is now shorter than what was read of it: it was truncated in place."""
        return not self.final and self.state[0] < self._told

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
