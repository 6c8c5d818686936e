"""The writer of Zeek logs: TSV with the headers and the row order of Zeek itself.

Rules:
    1. A log's fields and types stand in `SCHEMAS`, in order.
    2. Rows are written in the order of their end (a connection is logged when it is over), so `ts` runs out of order.
    3. An unset field is `-`, an empty set `(empty)`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from domain.values import SECOND, Micros

IDS: Final = "ts:time uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "
SCHEMAS: Final[dict[str, str]] = {
    "conn": IDS + "proto:enum service:string duration:interval orig_bytes:count resp_bytes:count conn_state:string "
    "local_orig:bool local_resp:bool missed_bytes:count history:string orig_pkts:count orig_ip_bytes:count "
    "resp_pkts:count resp_ip_bytes:count tunnel_parents:set[string]",
    "dns": IDS + "proto:enum trans_id:count rtt:interval query:string qclass:count qclass_name:string qtype:count "
    "qtype_name:string rcode:count rcode_name:string AA:bool TC:bool RD:bool RA:bool Z:count "
    "answers:vector[string] TTLs:vector[interval] rejected:bool",
    "http": IDS + "trans_depth:count method:string host:string uri:string referrer:string version:string "
    "user_agent:string origin:string request_body_len:count response_body_len:count status_code:count "
    "status_msg:string info_code:count info_msg:string tags:set[enum] username:string password:string "
    "proxied:set[string] orig_fuids:vector[string] orig_filenames:vector[string] orig_mime_types:vector[string] "
    "resp_fuids:vector[string] resp_filenames:vector[string] resp_mime_types:vector[string]",
    "ssl": IDS + "version:string cipher:string curve:string server_name:string resumed:bool last_alert:string "
    "next_protocol:string established:bool ssl_history:string cert_chain_fps:vector[string] "
    "client_cert_chain_fps:vector[string] sni_matches_cert:bool",
    "ssh": IDS + "version:count auth_success:bool auth_attempts:count direction:enum client:string server:string "
    "cipher_alg:string mac_alg:string compression_alg:string kex_alg:string host_key_alg:string host_key:string",
}
"""Fields of each log as `name:type`."""


def stamp(at: Micros) -> str:
    """Seconds with six places, as Zeek prints a time.

    >>> stamp(1_500_000)
    '1.500000'
    """
    return f"{at // SECOND}.{at % SECOND:06d}"


def header(log: str, opened: Micros) -> str:
    """The comment lines that a log begins with."""
    names, types = zip(*(item.split(":", 1) for item in SCHEMAS[log].split()), strict=True)
    lines = (
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        f"#path\t{log}",
        f"#open\t{_moment(opened)}",
        "\t".join(("#fields", *names)),
        "\t".join(("#types", *types)),
    )
    return "\n".join(lines) + "\n"


def footer(closed: Micros) -> str:
    """The comment line that a log ends with."""
    return f"#close\t{_moment(closed)}\n"


def write_log(path: Path, log: str, rows: list[tuple[Micros, str]], *, opened: Micros, closed: Micros) -> None:
    """Write one log; a row is the moment Zeek wrote it and its line (which breaks ties)."""
    rows.sort()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(header(log, opened))
        file.writelines(line for _, line in rows)
        file.write(footer(closed))


def _moment(at: Micros) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%d-%H-%M-%S")
