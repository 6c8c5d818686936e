"""Flow tables: CSV line by line, Parquet by record batches. Which column is what says a mapping.

Rules:
    1. The first line of a CSV file is its header; where it comes again, it is no row. A row is one line. Bytes that are
       not UTF-8 matter in mapped columns only.
    2. Of a Parquet file only the mapped columns are read; their JSON is the row's `raw`. Its rows have no size.
"""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.feeds.block import Block
from adapters.feeds.errors import FeedError, Malformed
from adapters.feeds.lines import open_regular
from adapters.feeds.mapping import Mapper, mapping_for, mapping_named
from adapters.feeds.rows import BAD, Columns, RowParser, malformed, reason_of

BATCH: Final = 2048
REPLACED: Final = "\ufffd"
"""What stands for bytes that are not UTF-8."""


class CsvTable(RowParser):
    """One CSV file of flows."""

    strict = False

    def __init__(self, header: bytes, asked: str | None, path: Path) -> None:
        super().__init__("conn", label="conn")
        self._header = header
        self.asides = frozenset({b"", header[:1]})
        text = header.decode("utf-8-sig", "replace")
        delimiter = next((mark for mark in ",;\t|" if mark in text), ",")
        if asked is not None and Path(asked).suffix == ".toml":
            delimiter = mapping_named(asked).delimiter
        try:
            names = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error as error:
            raise FeedError(
                f"{path}: is no CSV file with a header line ({error}); check the kind of the feed"
            ) from None
        self._delimiter, self._width = delimiter, len(names)
        self._mapper = Mapper(mapping_for(asked, names, path), names)

    def _set_aside(self, line: bytes) -> bool:
        return not line or line == self._header

    def convert(self, lines: list[bytes]) -> Columns:
        """See `RowParser`."""
        try:
            texts = [line.decode("utf-8", "replace") for line in lines]
            rows = list(csv.reader(texts, delimiter=self._delimiter, strict=True))
        except csv.Error:
            raise Malformed("bad quoting") from None
        if len(rows) != len(lines) or set(map(len, rows)) != {self._width}:
            raise Malformed("wrong number of fields")
        table = list(zip(*rows, strict=True))
        for place in self._mapper.used if any(REPLACED in text for text in texts) else ():
            if any(REPLACED in value for value in table[place]):
                raise Malformed("not UTF-8")
        return self._mapper.columns(table)


class ParquetTable:
    """One Parquet file of flows; `take` gives its next rows."""

    def __init__(self, path: Path, asked: str | None) -> None:
        import pyarrow
        from pyarrow import parquet

        self._errors = (pyarrow.ArrowException, OSError, ValueError)
        self.path = path
        self.source = ""
        self._stream = open_regular(path)
        try:
            self._file = parquet.ParquetFile(self._stream)
            names = list(self._file.schema_arrow.names)
            mapper = Mapper(mapping_for(asked, names, path), names)
            self._names = [names[place] for place in mapper.used]
            self._mapper = Mapper(mapper.mapping, self._names)
            self._batches = self._file.iter_batches(batch_size=BATCH, columns=self._names)
        except FeedError:
            self._stream.close()
            raise
        except self._errors as error:
            self._stream.close()
            raise FeedError(
                f"{path}: is no Parquet file that can be read ({_short(error)}); check what wrote it"
            ) from error

    def take(self) -> Block:
        """The next rows; an empty block at the end.

        Raises:
            FeedError: the file is damaged here.
        """
        try:
            batch = next(self._batches, None)
            while batch is not None and not batch.num_rows:
                batch = next(self._batches, None)
        except self._errors as error:
            raise FeedError(f"{self.path}: is damaged ({_short(error)}); fetch it again") from error
        block = Block()
        if batch is None:
            return block
        table = [batch.column(name).to_pylist() for name in self._names]
        raws = [msgspec.json.encode(row) for row in zip(*table, strict=True)]
        if not self.source:
            self.source = f"conn:{sha256(raws[0]).hexdigest()}"
        self._rows(table, raws, block)
        return block

    def _rows(self, table: list[list[Any]], raws: list[bytes], block: Block) -> None:
        try:
            status, log, ts, *rest = self._mapper.columns(table)
        except BAD as error:
            if len(raws) > 1:
                half = len(raws) // 2
                self._rows([column[:half] for column in table], raws[:half], block)
                self._rows([column[half:] for column in table], raws[half:], block)
            else:
                row = malformed(reason_of(error), self.source, 0, "conn", raws[0])
                block.extend([[value] for value in row], [None], {})
            return
        rows = len(raws)
        block.extend((status, [self.source] * rows, [0] * rows, log, ts, *rest, raws), ts, {})

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._stream.close()


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
