"""Which records a rule is about, and which field of ours each of its field names means: tables, one a log source.

Rules:
    1. A log source leads to one log type; a log source that no record of ours fits makes the rule *ignored*, with the
       reason, and not an error.
    2. A name that its table does not list is a field of that log under its Zeek name.
    3. A column has one name, Zeek's; where Suricata names the same thing differently, `OTHER_NAMES` says so, and the
       first that is set counts. A dotted name is looked up as it is, with underscores, and as nested objects.
    4. `cs-uri-query` of web servers is the whole URI: rules of the public collections put paths there too. Whether it
       is null asks for what follows the question mark.
    5. `c-uri` and `cs-uri` of a proxy are the whole address with its scheme and host; a text that must stand at its
       beginning and begins with a slash means the address without them, since rules are written either way.
    6. A firewall's `action` and `blocked` are told from the state of the connection: answered is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.rules.conditions import Field

CANONICAL_TEXTS: Final = frozenset({"src_ip", "dst_ip", "proto"})
"""Text columns of every frame, whatever the log."""

CANONICAL_NUMBERS: Final = frozenset({"ts", "src_port", "dst_port"})
"""Number columns of every frame, whatever the log."""

FLOW_TEXTS: Final = CANONICAL_TEXTS | {"service", "conn_state"}
FLOW_NUMBERS: Final = CANONICAL_NUMBERS | {"duration", "src_bytes", "dst_bytes", "src_pkts", "dst_pkts"}
"""Canonical columns of conn rows; in other logs `service` and `duration` are fields of their own."""

URL: Final = "url"
"""The column that joins host and URI into one address."""

EVERYTHING: Final = "*"
"""The column that holds all texts of a row."""

_ENDS: Final = {
    "ts": "ts", "id.orig_h": "src_ip", "id_orig_h": "src_ip", "id.orig_p": "src_port", "id_orig_p": "src_port",
    "id.resp_h": "dst_ip", "id_resp_h": "dst_ip", "id.resp_p": "dst_port", "id_resp_p": "dst_port", "proto": "proto",
    "src_ip": "src_ip", "src_port": "src_port", "dst_ip": "dst_ip", "dst_port": "dst_port", "dest_ip": "dst_ip",
    "dest_port": "dst_port", "SourceIp": "src_ip", "SourcePort": "src_port", "DestinationIp": "dst_ip",
    "DestinationPort": "dst_port",
}  # fmt: skip

_FLOW: Final = _ENDS | {
    "orig_bytes": "src_bytes", "resp_bytes": "dst_bytes", "orig_pkts": "src_pkts", "resp_pkts": "dst_pkts",
    "protocol": "proto", "transport": "proto", "app_proto": "service", "flow.bytes_toserver": "src_bytes",
    "flow.bytes_toclient": "dst_bytes", "flow.pkts_toserver": "src_pkts", "flow.pkts_toclient": "dst_pkts",
}  # fmt: skip

_FIREWALL: Final = _FLOW | {"action": "conn_state/action", "blocked": "conn_state/blocked"}

_DNS: Final = _ENDS | {
    "query": "query", "QueryName": "query", "record_type": "qtype_name", "RecordType": "qtype_name",
    "question_length": "query/length", "answer": "answers", "QueryResults": "answers", "response_code": "rcode_name",
    "ResponseCode": "rcode_name", "rrname": "query", "rrtype": "qtype_name", "rcode": "rcode_name",
}  # fmt: skip

_WEB: Final = _ENDS | {
    "c-ip": "src_ip", "s-ip": "dst_ip", "s-port": "dst_port", "cs-host": "host", "r-dns": "host",
    "cs-method": "method", "sc-status": "status_code", "cs-version": "version", "cs-uri-stem": "uri/path",
    "c-uri-stem": "uri/path", "c-uri-extension": "uri/extension", "cs-user-agent": "user_agent",
    "c-useragent": "user_agent", "cs-referer": "referrer", "cs-referrer": "referrer", "c-referer": "referrer",
    "cs-cookie": "cookie", "cs-username": "username", "cs-bytes": "request_body_len", "sc-bytes": "response_body_len",
    "cs-content-type": "orig_mime_types", "rs-content-type": "resp_mime_types", "sc-content-type": "resp_mime_types",
}  # fmt: skip

_PROXY: Final = _WEB | {"c-uri": URL, "cs-uri": URL, "c-uri-query": "uri/query", "cs-uri-query": "uri/query"}
_WEBSERVER: Final = _WEB | {"cs-uri": "uri", "c-uri": "uri", "cs-uri-query": "uri", "c-uri-query": "uri"}

_ZEEK_HTTP: Final = _ENDS | {name: target for name, target in _PROXY.items() if "-" in name}
"""Some Zeek rules use a proxy's names."""

QUERY_IS_NULL: Final = {("http", "cs-uri-query"): "uri/query", ("http", "c-uri-query"): "uri/query"}
"""See rule 4."""

OTHER_NAMES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "http": {
        "host": ("hostname",), "uri": ("url",), "user_agent": ("http_user_agent",), "method": ("http_method",),
        "status_code": ("status",), "referrer": ("http_refer",), "resp_mime_types": ("http_content_type",),
        "response_body_len": ("length",), "cookie": ("cookie_vars",),
    },
    "ssl": {
        "server_name": ("sni",), "issuer": ("issuerdn",), "ja3": ("ja3.hash",), "ja3s": ("ja3s.hash",),
        "cert_chain_fps": ("fingerprint",),
    },
    "files": {"mime_type": ("magic",), "total_bytes": ("size",), "filename": ()},
    "ssh": {"client": ("client.software_version",), "server": ("server.software_version",)},
}  # fmt: skip
"""Log type -> column -> Suricata's names for it."""

KEYWORD_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("uri", "host", "user_agent", "referrer", "method", "status_code", "username", "cookie", "orig_mime_types"),
    "dns": ("query", "answers", "qtype_name", "rcode_name"),
    "conn": ("src_ip", "dst_ip", "proto", "service", "conn_state"),
}
"""Where keywords (values without a field) are looked for; in other logs, in all texts of the row."""

ANSWERED: Final = frozenset({"SF", "S1", "S2", "S3", "RSTO", "RSTR"})
REFUSED: Final = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"})


def _rest(text: str) -> str | None:
    scheme, mark, address = text.partition("://")
    if not mark or not scheme.isalpha():
        return text
    _, slash, rest = address.partition("/")
    return slash + rest or None


def _path(text: str) -> str | None:
    return (_rest(text) or "").partition("?")[0] or None


def _query(text: str) -> str | None:
    return text.partition("?")[2] or None


def _extension(text: str) -> str | None:
    last = text.partition("?")[0].rpartition("/")[2]
    return last.rpartition(".")[2] if "." in last else None


def _action(text: str) -> str | None:
    return "accept" if text in ANSWERED else "deny" if text in REFUSED else None


def _blocked(text: str) -> str | None:
    action = _action(text)
    return None if action is None else str(action == "deny").lower()


def _length(text: str) -> str | None:
    return str(len(text))


VIEWS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "rest": _rest,
    "path": _path,
    "query": _query,
    "extension": _extension,
    "action": _action,
    "blocked": _blocked,
    "length": _length,
}
"""Parts and readings of a text by name; None when there is none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A log source that our records fit: their log type, and what the rule's names mean there."""

    log: str
    names: Mapping[str, str]
    prefix: str = ""

    def field(self, name: str) -> Field:
        """The field that a name of the rule means."""
        bare = name.removeprefix(self.prefix)
        column, _, view = (self.names.get(name) or self.names.get(bare) or bare).partition("/")
        return Field(column, view) if view in VIEWS or not view else Field(bare)

    def null_field(self, name: str) -> Field:
        """The field whose absence is meant when a rule asks whether `name` is null."""
        column, _, view = QUERY_IS_NULL.get((self.log, name), "").partition("/")
        return Field(column, view) if column else self.field(name)

    def keyword_fields(self) -> tuple[Field, ...]:
        """Where a value without a field is looked for."""
        return tuple(Field(column) for column in KEYWORD_COLUMNS.get(self.log, (EVERYTHING,)))


CATEGORIES: Final[Mapping[str, Source]] = {
    "dns": Source("dns", _DNS),
    "proxy": Source("http", _PROXY),
    "webserver": Source("http", _WEBSERVER),
    "firewall": Source("conn", _FIREWALL),
}
"""Generic log sources by category."""

BEHIND: Final = frozenset({None, "zeek", "suricata", "apache", "nginx"})
"""Products whose generic categories our records stand for."""

ZEEK: Final[Mapping[str, Mapping[str, str]]] = {"conn": _FLOW, "http": _ZEEK_HTTP}
"""Names in Zeek services that are not simply Zeek's own."""

EVE: Final[Mapping[str, Source]] = {
    "flow": Source("conn", _FLOW, "flow."),
    "dns": Source("dns", _DNS, "dns."),
    "tls": Source("ssl", _ENDS | {"tls.sni": "server_name", "tls.issuerdn": "issuer"}, "tls."),
    "http": Source(
        "http",
        _ENDS
        | {
            "http.hostname": "host", "http.url": "uri", "http.http_user_agent": "user_agent",
            "http.http_method": "method", "http.status": "status_code", "http.http_refer": "referrer",
            "http.http_content_type": "resp_mime_types",
        },
        "http.",
    ),
    "fileinfo": Source("files", _ENDS, "fileinfo."),
}  # fmt: skip
"""Suricata's event types that have another name or other names here."""


def source_of(category: str | None, product: str | None, service: str | None) -> Source | str:
    """The source that a rule's log source means here, or why none does."""
    if category and product in BEHIND and category in CATEGORIES:
        return CATEGORIES[category]
    if product in {"apache", "nginx"} and category is None and service in {None, "access"}:
        return CATEGORIES["webserver"]
    if product == "zeek" and service and category is None:
        return Source(service, ZEEK.get(service, _ENDS))
    if product == "suricata" and service and category is None:
        return EVE.get(service, Source(service, _ENDS, f"{service}."))
    words = (("category", category), ("product", product), ("service", service))
    told = ", ".join(f"{name} {value}" for name, value in words if value)
    return f"no record that is read here is of {told or 'an empty log source'}"
