r"""Zeek logs: TSV with a `#fields` header, and JSON lines.

Rules:
    1. TSV: `#separator`, `#set_separator`, `#empty_field` and `#unset_field` hold; a header may come again in the
       middle
       of a file. The log type is `#path`.
    2. JSON: the log type is in the field `@stream`, `_path` or `@path` of each row, else in the file's name before the
       first dot. `id.orig_h` and `id_orig_h` are the same.
    3. A conn row is a flow. A row of another log is a record: its addresses, ports and protocol are canonical columns,
       all other set fields are `detail` under their Zeek names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from adapters.feeds.canon import UNSET, as_text, times
from adapters.feeds.conn import ConnColumns
from adapters.feeds.errors import Malformed
from adapters.feeds.rows import NOTHING, Columns, RowParser, by_kind, flows, records

ENDS: Final = {
    "src_ip": "id.orig_h", "src_port": "id.orig_p", "dst_ip": "id.resp_h", "dst_port": "id.resp_p", "proto": "proto",
}  # fmt: skip
"""Canonical columns that any log may have."""

FLOW: Final = ENDS | {
    "service": "service", "duration": "duration", "src_bytes": "orig_bytes", "dst_bytes": "resp_bytes",
    "src_pkts": "orig_pkts", "dst_pkts": "resp_pkts", "conn_state": "conn_state",
}  # fmt: skip

TYPE_FIELDS: Final = ("@stream", "_path", "@path")
_CANONICAL: Final = frozenset(ENDS.values()) | {"ts"}
_OLD: Final = {name.replace(".", "_"): name for name in ENDS.values() if "." in name}


class ZeekTsv(RowParser):
    """Tab-separated logs as Zeek writes them by default."""

    asides = frozenset({b"", b"#"})

    def __init__(self, kind: str) -> None:
        super().__init__(kind, label="tsv")
        self._separator = b"\t"
        self._sets, self._empty, self._unset = b",", b"(empty)", b"-"
        self._fields: list[str] = []
        self._types: list[str] = []
        self._lines: dict[bytes, bytes] = {}
        self._conn: ConnColumns | None = None
        """Made with the first row: a header comes in several lines."""
        self._plan()

    def header(self, line: bytes) -> bool:
        """Take note of a `#` line."""
        name = line.split(b" ", 1)[0].split(self._separator, 1)[0]
        value = line[len(name) + 1 :]
        if name == b"#separator":
            self._separator = (
                value.decode("ascii", "replace").encode().decode("unicode_escape", "replace").encode()[:8] or b"\t"
            )
        elif name == b"#fields":
            names = value.decode("utf-8", "replace").split(self._separator.decode("utf-8", "replace"))
            self._fields = [_OLD.get(field, field) for field in names]
        elif name == b"#types":
            self._types = value.decode("utf-8", "replace").split(self._separator.decode("utf-8", "replace"))
        elif name == b"#path":
            self.kind = value.decode("utf-8", "replace") or self.kind
            self.label = self.kind if value else self.label
        elif name == b"#set_separator":
            self._sets = value or b","
        elif name in {b"#empty_field", b"#unset_field"}:
            self._empty, self._unset = (value, self._unset) if name == b"#empty_field" else (self._empty, value)
        else:
            self.closed = self.closed or name == b"#close"
            return False
        self._lines[name] = line
        self._plan()
        return True

    @property
    def context(self) -> bytes:
        """The header in force."""
        return b"\n".join(self._lines.values())

    def restore(self, context: bytes) -> None:
        """Put a header in force."""
        super().restore(context)
        for line in context.split(b"\n"):
            self.header(line)

    def _plan(self) -> None:
        """Where the wanted columns stand: worked out once a header, not once a row."""
        where = {name: place for place, name in enumerate(self._fields)}
        self._ts = where.get("ts")
        self._columns = {name: where[field] for name, field in FLOW.items() if field in where}
        self._ends = {name: where[field] for name, field in ENDS.items() if field in where}
        types = [*self._types, *("string",) * len(self._fields)]
        self._detail = [
            (field, place, self._reader(types[place])) for field, place in where.items() if field not in _CANONICAL
        ]
        self._plain = self._empty == b"(empty)" and self._unset == b"-"
        usual = self._plain and self._separator == b"\t" and self._ts is not None
        self._common = usual and self.kind == "conn" and "conn_state" in self._columns
        self._conn = None

    def _by_column(self, lines: list[bytes]) -> Columns | None:
        if self._conn is None:
            places = {"ts": self._ts or 0, **self._columns}
            self._conn = ConnColumns(places, len(self._fields), self.canon)
        found = self._conn.read(lines)
        if found is None:
            return None
        ts, columns, self.arrays = found
        rows = len(lines)
        return [[""] * rows, [self.kind] * rows, ts, *columns, [NOTHING] * rows]

    def _reader(self, kind: str) -> Callable[[bytes], Any]:
        if kind.startswith(("set[", "vector[")):
            return lambda raw: [] if raw == self._empty else [as_text(item) for item in raw.split(self._sets)]
        return _READERS.get(kind, as_text)

    def convert(self, lines: list[bytes]) -> Columns:
        """See `RowParser`."""
        if self._common and (found := self._by_column(lines)) is not None:
            return found
        separator = self._separator
        table = [line.split(separator) for line in lines]
        if set(map(len, table)) != {len(self._fields)}:
            raise Malformed("wrong number of fields" if self._fields else "no #fields header before it")
        columns: list[Sequence[bytes]] = list(zip(*table, strict=True))
        if not self._plain:
            unset = {self._empty, self._unset}
            columns = [[b"-" if raw in unset else raw for raw in column] for column in columns]
        if self._ts is None:
            raise Malformed("no time")
        ts = times(columns[self._ts])
        if self.kind == "conn":
            return flows(self.canon, ts, {name: columns[place] for name, place in self._columns.items()})
        ends = {name: columns[place] for name, place in self._ends.items()}
        return records(self.canon, self.kind, ts, ends, [self._record(row) for row in zip(*columns, strict=True)])

    def _record(self, row: Sequence[bytes]) -> dict[str, Any]:
        return {field: read(row[place]) for field, place, read in self._detail if row[place] != b"-"}


def _number(kind: type[int] | type[float]) -> Callable[[bytes], Any]:
    def read(raw: bytes) -> Any:
        try:
            return kind(raw)
        except ValueError:
            return as_text(raw)

    return read


_READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "count": _number(int),
    "int": _number(int),
    "port": _number(int),
    "double": _number(float),
    "interval": _number(float),
    "time": _number(float),
    "bool": lambda raw: raw == b"T",
}


class ZeekJson(RowParser):
    """JSON lines, of one log or of many in one file."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, label="json")
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def convert(self, lines: list[bytes]) -> Columns:
        """See `RowParser`."""
        objects = decode_objects(self._decode, lines)
        return by_kind([self._kind_of(row) for row in objects], objects, self._convert)

    def _kind_of(self, row: dict[str, Any]) -> str:
        for field in TYPE_FIELDS:
            if field in row:
                kind = row[field]
                if not isinstance(kind, str) or not kind:
                    raise Malformed("log type is no text")
                return kind
        return self.kind

    def _convert(self, kind: str, rows: Sequence[dict[str, Any]]) -> Columns:
        ts = times([row.get("ts") for row in rows])
        if kind == "conn":
            return flows(self.canon, ts, _pick(FLOW, rows))
        return records(self.canon, kind, ts, _pick(ENDS, rows), [_rest(row) for row in rows])


def decode_objects(decode: Callable[[bytes], dict[str, Any]], lines: list[bytes]) -> list[dict[str, Any]]:
    """JSON lines as objects.

    Raises:
        Malformed: a line is no JSON object.
    """
    try:
        return list(map(decode, lines))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise Malformed("not a JSON object") from None


def _pick(names: dict[str, str], rows: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    return {name: _column(field, rows) for name, field in names.items()}


def _column(field: str, rows: Sequence[dict[str, Any]]) -> list[Any]:
    if "." not in field:
        return [row.get(field) for row in rows]
    try:
        return list(map(itemgetter(field), rows))
    except KeyError:
        old = field.replace(".", "_")
        return [row[field] if field in row else row.get(old) for row in rows]


def _rest(row: dict[str, Any]) -> dict[str, Any]:
    return {
        field: value
        for field, value in row.items()
        if field not in _CANONICAL
        and field not in _OLD
        and value is not None
        and not (isinstance(value, str) and value in UNSET)
    }
