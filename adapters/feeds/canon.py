"""Values of any format as canonical columns: one function a column, each over a whole block.

Rules:
    1. A value may be bytes (TSV), text (CSV) or what JSON and Parquet give. Unset ("", "-", "(empty)", none) is 0 or
       "".
    2. What cannot be right raises `Malformed`: an address that is none, a number that is negative, not whole or not
       finite, a time that is missing. The caller then finds the rows that are to blame.
    3. A flow of which neither its state nor anything of the other side is known is in state "OTH": it did not fail.
    4. Conversions that repeat are remembered in bounded tables; equal keys convert equally, whatever came before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from socket import AF_INET, inet_ntop, inet_pton
from typing import Any, Final

from adapters.feeds.errors import Malformed
from domain.values import Micros

UNSET: Final = frozenset({"", "-", "(empty)"})
_UNSET: Final = UNSET | {text.encode() for text in UNSET} | {None}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
LAST_MOMENT: Final = 253_402_300_799_000_000
"""The last second of the year 9999."""

PROTOCOLS: Final = {
    "0": "", "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "51": "ah", "58": "icmp",
    "89": "ospf", "132": "sctp", "ipv6-icmp": "icmp", "icmp6": "icmp", "icmpv6": "icmp", "unknown_transport": "",
}  # fmt: skip
"""Protocol numbers and other spellings, by the name that Zeek uses."""


class Memo(dict[Any, Any]):
    """A table that fills itself from a function and starts anew when it is full."""

    def __init__(self, convert: Callable[[Any], Any], bound: int = 1 << 16) -> None:
        super().__init__()
        self._convert = convert
        self._bound = bound

    def __missing__(self, raw: Any) -> Any:
        if len(self) >= self._bound:
            self.clear()
        value = self[raw] = self._convert(raw)
        return value


def as_text(raw: Any) -> str:
    r"""A value as text; Zeek's `\x09` escapes are undone, unset is "".

    >>> as_text(b"a\\x09b"), as_text(b"-"), as_text(6.0)
    ('a\tb', '', '6')
    """
    if raw is None:
        return ""
    if isinstance(raw, bytes):
        if b"\\x" in raw:
            raw = _unescape(raw)
        raw = raw.decode()
    elif isinstance(raw, int | float):
        if math.isnan(raw):
            return ""
        raw = str(int(raw)) if raw == int(raw) else str(raw)
    elif not isinstance(raw, str):
        raise Malformed("text expected")
    if raw in UNSET:
        return ""
    return str(raw)


def _unescape(raw: bytes) -> bytes:
    first, *parts = raw.split(b"\\x")
    out = [first]
    for part in parts:
        try:
            out.append(bytes.fromhex(part[:2].decode("ascii")) + part[2:])
        except ValueError:
            out.append(b"\\x" + part)
    return b"".join(out)


def as_address(raw: Any) -> str:
    """An address in its usual spelling, "" when unset."""
    text = raw if isinstance(raw, str) else as_text(raw)
    if text in UNSET:
        return ""
    try:
        if ":" not in text:
            return inet_ntop(AF_INET, inet_pton(AF_INET, text))  # five times as fast as ip_address
        return str(ip_address(text))
    except (ValueError, OSError):
        raise Malformed("bad address") from None


def as_count(raw: Any) -> int:
    """A whole number that is not negative, 0 when unset."""
    if isinstance(raw, int | float):
        if not 0 <= raw < 1 << 63 or raw != int(raw):
            raise Malformed("bad number")
        return int(raw)
    text = as_text(raw)
    try:
        return as_count(int(text)) if text else 0
    except ValueError:
        return _as_whole(text)


def _as_whole(text: str) -> int:
    """Numbers that are written with a fraction of zero, as some tables have them."""
    try:
        return as_count(float(text))
    except (ValueError, OverflowError):
        raise Malformed("bad number") from None


def as_port(raw: Any) -> int:
    """A port number, 0 when unset."""
    try:
        port = as_count(raw)
    except Malformed:
        raise Malformed("bad port") from None
    if port > 65535:
        raise Malformed("bad port")
    return port


def as_proto(raw: Any) -> str:
    """A protocol by its name, in small letters."""
    text = as_text(raw).lower()
    return PROTOCOLS.get(text, text)


def as_seconds(raw: Any) -> float:
    """A span of time in seconds, 0 when unset."""
    if isinstance(raw, int | float):
        value = float(raw)
    else:
        text = as_text(raw).strip()
        try:
            value = float(text) if text else 0.0
        except ValueError:
            raise Malformed("bad duration") from None
    if not 0.0 <= value < math.inf:
        raise Malformed("bad duration")
    return value


def as_micros(raw: Any) -> Micros:
    """A moment: epoch seconds, or an ISO 8601 text (UTC when it names no zone)."""
    if isinstance(raw, int | float):
        value = raw
    else:
        text = as_text(raw).strip()
        if not text:
            raise Malformed("no time")
        try:
            value = float(text)
        except ValueError:
            return from_iso(text)
    if not math.isfinite(value) or not 0 <= value * 1e6 <= LAST_MOMENT:
        raise Malformed("bad time")
    return round(value * 1e6)


def from_iso(text: str) -> Micros:
    """An ISO 8601 text as microseconds; UTC when it names no zone.

    >>> from_iso("1970-01-01T01:00:00.000001+0100")
    1
    """
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Malformed("bad time") from None
    return from_datetime(moment)


def from_datetime(moment: datetime) -> Micros:
    """A datetime as microseconds; UTC when it has no zone."""
    micros = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICRO
    if micros < 0:
        raise Malformed("bad time")
    return micros


def times(column: Iterable[Any]) -> list[Micros]:
    """A column of moments."""
    column = list(column)
    try:
        out = [round(float(raw) * 1e6) for raw in column]
    except (TypeError, ValueError, OverflowError):
        return [as_micros(raw) for raw in column]
    if out and not (min(out) >= 0 and max(out) <= LAST_MOMENT):
        raise Malformed("bad time")
    return out


def seconds(column: Sequence[Any]) -> list[float]:
    """A column of time spans."""
    try:
        out = [0.0 if raw in _UNSET else float(raw) for raw in column]
    except (TypeError, ValueError, OverflowError):
        return [as_seconds(raw) for raw in column]
    if out and not (min(out) >= 0.0 and math.isfinite(sum(out))):
        return [as_seconds(raw) for raw in column]
    return out


def counts(column: Sequence[Any]) -> Sequence[int]:
    """A column of whole numbers."""
    kinds = set(map(type, column))
    if kinds == {int}:
        out = column
    elif kinds <= {bytes, str}:
        try:
            out = [0 if raw in _UNSET else int(raw) for raw in column]
        except ValueError:
            return [as_count(raw) for raw in column]
    else:
        return [as_count(raw) for raw in column]
    if out and not (min(out) >= 0 and max(out) < 1 << 63):
        raise Malformed("bad number")
    return out


CONVERT: Final[dict[str, Callable[[Any], Any]]] = {
    "src_ip": as_address,
    "src_port": as_port,
    "dst_ip": as_address,
    "dst_port": as_port,
    "proto": as_proto,
    "service": as_text,
    "duration": as_seconds,
    "src_bytes": as_count,
    "dst_bytes": as_count,
    "src_pkts": as_count,
    "dst_pkts": as_count,
    "conn_state": as_text,
}
"""The canonical columns after `ts`, in the order of a frame, and how one value of each is read."""

BLANK: Final[tuple[Any, ...]] = ("", 0, "", 0, "", "", 0.0, 0, 0, 0, 0, "")
"""What those columns hold when they are unset."""

UNKNOWN: Final = "OTH"
"""The state of a flow of which nothing says how it went (Zeek's word for what it saw in the middle only)."""


class Canon:
    """Converters with a memory, for one log."""

    def __init__(self) -> None:
        memos = {convert: Memo(convert) for convert in (as_address, as_port, as_proto, as_text)}
        self.remembered = {name: memos[convert].__getitem__ for name, convert in CONVERT.items() if convert in memos}

    def columns(self, raw: dict[str, Sequence[Any]], rows: int) -> list[Sequence[Any]]:
        """The canonical columns after `ts`, from those raw columns that there are."""
        out: list[Sequence[Any]] = []
        for (name, _), blank in zip(CONVERT.items(), BLANK, strict=True):
            column = raw.get(name)
            if column is None:
                out.append((blank,) * rows)
            elif name == "duration":
                out.append(seconds(column))
            elif name in self.remembered:
                out.append(list(map(self.remembered[name], column)))
            else:
                out.append(counts(column))
        return out


def states(given: Sequence[str], raw: dict[str, Sequence[Any]]) -> Sequence[str]:
    """The column of states of flows, with a word for what is not known; `raw` are the columns as they came."""
    if "" not in given:
        return given
    told = [raw[name] for name in ("dst_bytes", "dst_pkts") if name in raw]
    return [
        state or ("" if any(column[row] not in _UNSET for column in told) else UNKNOWN)
        for row, state in enumerate(given)
    ]


def check_ends(columns: Sequence[Sequence[Any]]) -> None:
    """A flow needs at least one address.

    Raises:
        Malformed: a row has none.
    """
    if "" in columns[0] and any(not src and not dst for src, dst in zip(columns[0], columns[2], strict=True)):
        raise Malformed("no address")
