"""Which column of a flow table is what: the TOML files of config/mappings, or the user's own.

A mapping names, for each canonical column, the source's column or several spellings of it; how times, durations, ports
and states are written; and which texts mean "unset". Names are compared without the blanks around them. Every key is
told in docs/mappings.md. A mapping that cannot be meant is a `UsageError`; a file that it does not fit a `FeedError`.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from adapters.feeds import canon
from adapters.feeds.canon import CONVERT, Memo
from adapters.feeds.errors import FeedError, Malformed, UsageError
from adapters.feeds.rows import Columns, flows
from domain.values import Micros

NEEDED: Final = ("ts", "src_ip", "dst_ip")
_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PARTS: Final = {
    "columns", "minus", "time", "duration", "addresses", "ports", "states", "name", "delimiter", "missing",
    "state_from_packets",
}  # fmt: skip
_SECTIONS: Final = {"time": {"formats", "unit"}, "duration": {"unit"}, "addresses": {"invalid"}, "ports": {"invalid"}}
_COUNTS: Final = {name for name, convert in CONVERT.items() if convert is canon.as_count}
_ISO: Final = {"rfc3339", "iso8601"}
_NAMED: Final = {"epoch", *_ISO}
"""Time formats that have a name; any other is one of strptime."""
SHIPPED: Final = Path(__file__).resolve().parent.parent.parent / "config" / "mappings"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """One mapping file."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    minus: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    missing: frozenset[str] = canon.UNSET
    formats: tuple[str, ...] = ("epoch",)
    time_unit: float = 1.0
    duration_unit: float = 1.0
    bad_address: str | None = None
    bad_port: int | None = None
    states: tuple[tuple[re.Pattern[str], str], ...] = ()
    state_from_packets: bool = False

    def fits(self, header: Iterable[str]) -> bool:
        """Whether all its columns are in a header."""
        there = {name.strip() for name in header}
        return all(there.intersection(names) for names in self.columns.values())


def load_mapping(path: Path) -> TableMapping:
    """Read a mapping file.

    Raises:
        UsageError: it cannot be read or says something that is not known.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        return _mapping_of(raw, path)
    except LookupError as error:
        reason = f"{error} is missing or not known"
    except (OSError, ValueError, TypeError, AttributeError, re.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    here = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
    raise UsageError(f"{path}: is no column mapping ({reason}); shipped are {here}; docs/mappings.md has an example")


def shipped() -> dict[str, Path]:
    """The mappings that come with the house, by name."""
    return {load_mapping(file).name: file for file in sorted(SHIPPED.glob("*.toml"))}


def mapping_named(asked: str) -> TableMapping:
    """The shipped mapping of that name, or the one in that file.

    Raises:
        UsageError: there is none, or it says something that is not known.
    """
    here = shipped()
    file = here.get(asked) or next((file for file in here.values() if file.stem == asked), Path(asked))
    if not file.is_file():
        raise UsageError(
            f"mapping {asked!r}: neither a shipped mapping ({', '.join(here)}) nor a file; name one of them"
        )
    return load_mapping(file)


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"a text or a list of texts expected, not {value!r}")
    return texts


def _check_names(raw: dict[str, Any], columns: Mapping[str, Any]) -> None:
    unknown = (
        sorted({*raw} - _PARTS) + sorted({*columns} - {"ts", *CONVERT}) + sorted({*raw.get("minus", {})} - _COUNTS)
    )
    for section, keys in _SECTIONS.items():
        unknown += [f"{section}.{key}" for key in sorted({*raw.get(section, {})} - keys)]
    missing = [name for name in NEEDED if name not in columns]
    if raw.get("state_from_packets") and "dst_pkts" not in columns:
        missing.append("dst_pkts")
    missing += [name for name in raw.get("minus", {}) if name not in columns]
    if unknown or missing:
        raise ValueError(f"unknown: {', '.join(unknown) or '-'}; missing: {', '.join(missing) or '-'}")


def _formats(value: Any) -> tuple[str, ...]:
    formats = _texts(value)
    for form in formats:
        if form not in _NAMED and "%" not in form:
            raise ValueError(f"time format {form!r}: neither {', '.join(sorted(_NAMED))} nor one with % directives")
        try:
            datetime.strptime("", form)  # noqa: DTZ007 - only the format is of interest
        except ValueError as error:
            if "does not match" not in str(error):
                raise ValueError(f"time format {form!r}: {error}") from None
    return formats


def _delimiter(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '\r\n"':
        raise ValueError(f"delimiter {value!r}: one character expected")
    return value


def _mapping_of(raw: dict[str, Any], path: Path) -> TableMapping:
    columns = {name: _texts(value) for name, value in raw["columns"].items()}
    _check_names(raw, columns)
    time, ports, addresses = raw.get("time", {}), raw.get("ports", {}), raw.get("addresses", {})
    invalid = ports.get("invalid", "malformed")
    return TableMapping(
        name=raw.get("name", path.stem),
        columns=columns,
        minus=raw.get("minus", {}),
        delimiter=_delimiter(raw.get("delimiter", ",")),
        missing=frozenset(_texts(raw["missing"])) if raw.get("missing") else canon.UNSET,
        formats=_formats(time.get("formats", "epoch")),
        time_unit=_UNITS[time.get("unit", "s")],
        duration_unit=_UNITS[raw.get("duration", {}).get("unit", "s")],
        bad_address=addresses.get("invalid"),
        bad_port=None if invalid == "malformed" else int(invalid),
        states=tuple((re.compile(pattern), state) for pattern, state in raw.get("states", {}).items()),
        state_from_packets=bool(raw.get("state_from_packets", False)),
    )


def mapping_for(asked: str | None, header: Sequence[str], path: Path) -> TableMapping:
    """The mapping that was asked for, or the shipped one that fits the header.

    Raises:
        FeedError: there is none, or the one asked for does not fit.
    """
    if asked is None:
        for file in shipped().values():
            if (mapping := load_mapping(file)).fits(header):
                return mapping
        raise FeedError(
            f"{path}: no shipped column mapping fits its header; "
            "write one in TOML and name it: KIND:PATH?mapping=FILE.toml"
        )
    try:
        mapping = mapping_named(asked)
    except UsageError as error:  # it was there when the run began
        raise FeedError(f"{path}: {error}") from error
    if not mapping.fits(header):
        there = {name.strip() for name in header}
        lacking = [names[0] for names in mapping.columns.values() if not there.intersection(names)]
        raise FeedError(
            f"{path}: lacks the columns {', '.join(lacking)} of mapping {mapping.name}; choose another: ?mapping="
        )
    return mapping


class Mapper:
    """Turns the mapped columns of a block into canonical ones."""

    def __init__(self, mapping: TableMapping, header: Sequence[str]) -> None:
        self.mapping = mapping
        self.canon = canon.Canon()
        where = {name.strip(): place for place, name in reversed(list(enumerate(header)))}
        self.places = {
            name: next(where[spelling] for spelling in spellings if spelling in where)
            for name, spellings in mapping.columns.items()
        }
        self.minus = {name: where[column] for name, column in mapping.minus.items() if column in where}
        self.used = sorted({*self.places.values(), *self.minus.values()})
        self._ports = Memo(self._port)
        self._addresses = Memo(self._address)
        self._states = Memo(self._state)
        self._convert: dict[str, Callable[[Any], Any]] = {
            "src_port": self._ports.__getitem__, "dst_port": self._ports.__getitem__,
            "src_ip": self._addresses.__getitem__, "dst_ip": self._addresses.__getitem__,
            "duration": self._duration, "conn_state": self._states.__getitem__,
        }  # fmt: skip

    def columns(self, table: Sequence[Sequence[Any]]) -> Columns:
        """Columns of flow rows from the source's columns.

        Raises:
            Malformed: a row is bad.
        """
        ts = [self._moment(raw) for raw in table[self.places["ts"]]]
        raw: dict[str, Sequence[Any]] = {}
        for name, place in self.places.items():
            if name != "ts":
                raw[name] = list(map(self._convert.get(name, self._plain), table[place]))
        for name, place in self.minus.items():
            less = [canon.as_count(self._plain(value)) for value in table[place]]
            raw[name] = [max(0, canon.as_count(a) - b) for a, b in zip(raw[name], less, strict=True)]
        if self.mapping.state_from_packets:
            raw["conn_state"] = ["SF" if canon.as_count(packets) else "S0" for packets in raw["dst_pkts"]]
        return flows(self.canon, ts, raw)

    def _plain(self, raw: Any) -> Any:
        if isinstance(raw, str):
            raw = raw.strip()
            return None if raw in self.mapping.missing else raw
        return None if raw is None or (isinstance(raw, float) and math.isnan(raw)) else raw

    def _moment(self, raw: Any) -> Micros:
        raw = self._plain(raw)
        if raw is None:
            raise Malformed("no time")
        if isinstance(raw, datetime):
            return canon.from_datetime(raw)
        if isinstance(raw, int | float):
            return canon.as_micros(raw * self.mapping.time_unit)
        for form in self.mapping.formats:
            try:
                if form == "epoch":
                    return canon.as_micros(float(raw) * self.mapping.time_unit)
                if form in _ISO:
                    return canon.from_datetime(datetime.fromisoformat(raw))
                return canon.from_datetime(datetime.strptime(raw, form))  # noqa: DTZ007 - from_datetime takes it as UTC
            except Malformed:
                raise
            except ValueError:
                continue
        raise Malformed("bad time")

    def _duration(self, raw: Any) -> float:
        span = canon.as_seconds(self._plain(raw)) * self.mapping.duration_unit
        return span if math.isfinite(span) else 0.0

    def _port(self, raw: Any) -> int:
        raw = self._plain(raw)
        try:
            if isinstance(raw, str) and raw[:2].lower() == "0x":
                return canon.as_port(int(raw, 16))
            return canon.as_port(raw)
        except ValueError:
            if self.mapping.bad_port is None:
                raise Malformed("bad port") from None
            return self.mapping.bad_port

    def _address(self, raw: Any) -> str:
        try:
            return canon.as_address(self._plain(raw))
        except Malformed:
            if self.mapping.bad_address is None:
                raise
            return self.mapping.bad_address

    def _state(self, raw: Any) -> str:
        text = canon.as_text(self._plain(raw))
        return next((state for pattern, state in self.mapping.states if pattern.fullmatch(text)), text)
