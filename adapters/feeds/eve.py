"""Suricata's EVE: JSON lines with an `event_type`.

Rules:
    1. A flow event is a conn row: its time is `flow.start`, its duration `flow.end - flow.start`.
    2. alert, dns, http, tls (as ssl), anomaly, fileinfo (as files) and any other event are records: what stands
       under the
       event's own name is their `detail`, dns in Zeek's words; a dns event of either direction says so in
       `is_response`.
    3. The state of a flow, in Zeek's words (`state_of`): a reset by the server before it said yes is REJ, after it
       RSTR, one
       by the client RSTO; new without an answer is S0; established or closed with an answer is SF; the rest OTH.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from adapters.feeds.canon import as_text, from_iso
from adapters.feeds.errors import Malformed
from adapters.feeds.rows import Columns, RowParser, by_kind, flows, records
from adapters.feeds.zeek import decode_objects
from domain.values import SECOND, Micros

KINDS: Final = {"flow": "conn", "tls": "ssl", "fileinfo": "files"}
"""Event types whose log has another name in Zeek."""

ENDS: Final = {
    "src_ip": "src_ip",
    "src_port": "src_port",
    "dst_ip": "dest_ip",
    "dst_port": "dest_port",
    "proto": "proto",
}
_SYN, _RST = 0x02, 0x04
_COMMON: Final = frozenset({*ENDS.values(), "timestamp", "event_type", "flow", "host", "metadata"})


EVE: Final = "eve"
"""What an EVE log is called in its identity."""


class Eve(RowParser):
    """One EVE file: one log for the merge, of many log types."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, label=EVE)
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def convert(self, lines: list[bytes]) -> Columns:
        """See `RowParser`."""
        events = decode_objects(self._decode, lines)
        kinds = [event.get("event_type") for event in events]
        if not all(isinstance(kind, str) and kind for kind in kinds):
            raise Malformed("no event_type")
        return by_kind(kinds, events, self._convert)  # type: ignore[arg-type] # all texts, as was just seen

    def _convert(self, kind: str, events: Sequence[dict[str, Any]]) -> Columns:
        log = KINDS.get(kind, kind)
        if kind == "flow":
            return self._flows(events)
        ts = [_time(event.get("timestamp")) for event in events]
        ends = _ends(events)
        if kind != "dns":
            return records(self.canon, log, ts, ends, [_detail(kind, event) for event in events])
        detail = [dns_detail(_dict(event, "dns")) for event in events]
        _client_first(ends, detail)
        return records(self.canon, log, ts, ends, detail)

    def _flows(self, events: Sequence[dict[str, Any]]) -> Columns:
        parts = [_dict(event, "flow") for event in events]
        ts = [_time(flow.get("start") or event.get("timestamp")) for flow, event in zip(parts, events, strict=True)]
        raw = _ends(events) | {
            "service": [_service(event.get("app_proto")) for event in events],
            "duration": [_span(start, flow.get("end")) for start, flow in zip(ts, parts, strict=True)],
            "src_bytes": [flow.get("bytes_toserver") for flow in parts],
            "dst_bytes": [flow.get("bytes_toclient") for flow in parts],
            "src_pkts": [flow.get("pkts_toserver") for flow in parts],
            "dst_pkts": [flow.get("pkts_toclient") for flow in parts],
            "conn_state": [state_of(flow, event.get("tcp")) for flow, event in zip(parts, events, strict=True)],
        }
        return flows(self.canon, ts, raw)


def _dict(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"no {name} object")
    return value


def _time(text: Any) -> Micros:
    if not isinstance(text, str):
        raise Malformed("no time")
    return from_iso(text)


def _span(start: Micros, end: Any) -> float:
    if end is None:
        return 0.0
    span = _time(end) - start
    if span < 0:
        raise Malformed("bad duration")
    return span / SECOND


def _service(name: Any) -> Any:
    return "" if name == "failed" else name


def _ends(events: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    return {name: [event.get(field) for event in events] for name, field in ENDS.items()}


def state_of(flow: dict[str, Any], tcp: Any) -> str:
    """The state of a flow in Zeek's words: see rule 3."""
    answered = bool(flow.get("pkts_toclient"))
    if isinstance(tcp, dict):
        client, server = _flags(tcp.get("tcp_flags_ts")), _flags(tcp.get("tcp_flags_tc"))
        if server & _RST:
            return "RSTR" if server & _SYN else "REJ"
        if client & _RST:
            return "RSTO" if answered else "RSTOS0"
    if not answered:
        return "S0"
    return "SF" if flow.get("state") in {"established", "closed", "bypassed"} or tcp is None else "OTH"


def _flags(text: Any) -> int:
    try:
        return int(text or "0", 16)
    except (TypeError, ValueError):
        return 0


def _detail(kind: str, event: dict[str, Any]) -> dict[str, Any]:
    own = event.get(kind)
    detail = dict(own) if isinstance(own, dict) else {}
    others = {name: value for name, value in event.items() if name not in _COMMON and name != kind}
    return others | detail


def dns_detail(dns: dict[str, Any]) -> dict[str, Any]:
    """An EVE dns object, of version 1, 2 or 3, in Zeek's words.

    >>> dns_detail({"type": "query", "rrname": "a.b", "rrtype": "A"})
    {'query': 'a.b', 'qtype_name': 'A', 'is_response': False}
    """
    queries = dns.get("queries")
    asked = queries[0] if isinstance(queries, list) and queries and isinstance(queries[0], dict) else dns
    response = dns.get("type") in {"answer", "response"}
    detail: dict[str, Any] = {
        "query": as_text(asked.get("rrname")), "qtype_name": as_text(asked.get("rrtype")), "is_response": response
    }  # fmt: skip
    if response:
        answers = dns.get("answers")
        found = answers if isinstance(answers, list) else [dns]
        detail["rcode_name"] = as_text(dns.get("rcode"))
        detail["answers"] = [
            as_text(a["rdata"]) for a in found if isinstance(a, dict) and isinstance(a.get("rdata"), str)
        ]
        detail["rejected"] = detail["rcode_name"] == "REFUSED"
    return {name: value for name, value in detail.items() if value not in ("", None)}


def _client_first(ends: dict[str, Sequence[Any]], detail: Sequence[dict[str, Any]]) -> None:
    """Some versions write an answer from the server's side: the client is the source here, as in Zeek."""
    turned = [
        row["is_response"] and src == 53 and dst != 53
        for row, src, dst in zip(detail, ends["src_port"], ends["dst_port"], strict=True)
    ]
    for one, other in (("src_ip", "dst_ip"), ("src_port", "dst_port")):
        ends[one], ends[other] = (
            [b if turn else a for a, b, turn in zip(ends[one], ends[other], turned, strict=True)],
            [a if turn else b for a, b, turn in zip(ends[one], ends[other], turned, strict=True)],
        )
