"""A small reader of captures for the engine's tests: Zeek TSV and JSON, EVE flows, the raw UNSW flows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.frame import Frame

Row = dict[str, Any]


def _open(path: Path) -> Iterator[bytes]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as lines:
        yield from (line.rstrip(b"\n") for line in lines)


def _zeek(path: Path) -> Iterator[Row]:
    log, names, types = path.name.split(".")[0], [], []
    for raw in _open(path):
        if raw.startswith(b"{"):
            row = json.loads(raw)
            for end in ("orig", "resp"):
                row.setdefault(f"id.{end}_h", row.get(f"id_{end}_h", ""))
                row.setdefault(f"id.{end}_p", row.get(f"id_{end}_p", 0))
            yield {**row, "_log": row.get("@stream", log), "_raw": raw}
        elif raw.startswith(b"#path"):
            log = raw.decode().split("\t")[1]
        elif raw.startswith(b"#fields"):
            names = raw.decode().split("\t")[1:]
        elif raw.startswith(b"#types"):
            types = raw.decode().split("\t")[1:]
        elif raw and not raw.startswith(b"#"):
            values = zip(names, types, raw.decode("utf-8", "replace").split("\t"), strict=False)
            row = {n: _typed(t, v) for n, t, v in values if v not in ("-", "(empty)")}
            yield {**row, "_log": log, "_raw": raw}


def _typed(kind: str, value: str) -> Any:
    if kind in ("count", "port", "int"):
        return int(value)
    if kind in ("time", "double", "interval"):
        return float(value)
    if kind == "bool":
        return value == "T"
    if kind.startswith(("vector", "set")):
        return value.split(",")
    return value


def zeek_rows(*paths: Path) -> list[Row]:
    """Rows of some Zeek logs, by time."""
    rows = [row for path in paths for row in _zeek(path) if "ts" in row]
    for row in rows:
        if isinstance(row["ts"], str):
            from datetime import datetime

            row["ts"] = datetime.fromisoformat(row["ts"].replace("Z", "+00:00")).timestamp()
    return sorted(rows, key=lambda row: float(row["ts"]))


def frame_of(rows: list[Row]) -> Frame:
    """The rows as one frame."""
    clock, out = 0, []
    for number, row in enumerate(rows, 1):
        ts = round(float(row["ts"]) * 1e6)
        clock = max(clock, ts)
        conn = row["_log"] == "conn"
        out.append((
            number, number, "", row["_log"], len(row["_raw"]) + 1, clock, ts < clock - 3_600_000_000, row["_log"], ts,
            row.get("id.orig_h", ""), int(row.get("id.orig_p", 0)), row.get("id.resp_h", ""),
            int(row.get("id.resp_p", 0)), row.get("proto", ""), row.get("service", "") if conn else "",
            float(row.get("duration", 0) or 0), int(row.get("orig_bytes", 0) or 0), int(row.get("resp_bytes", 0) or 0),
            int(row.get("orig_pkts", 0) or 0), int(row.get("resp_pkts", 0) or 0), row.get("conn_state", ""),
            {} if conn else {k: v for k, v in row.items() if not k.startswith(("_", "id"))}, row["_raw"],
        ))  # fmt: skip
    return Frame.of(out)


def eve_rows(path: Path) -> list[Row]:
    """Flows and DNS queries of an EVE file, as Zeek rows."""
    from datetime import datetime

    rows: list[Row] = []
    for raw in _open(path):
        event = json.loads(raw)
        base = {
            "id.orig_h": event.get("src_ip", ""),
            "id.orig_p": event.get("src_port", 0),
            "id.resp_h": event.get("dest_ip", ""),
            "id.resp_p": event.get("dest_port", 0),
            "proto": str(event.get("proto", "")).lower(),
            "_raw": raw,
        }
        when = datetime.fromisoformat(event["timestamp"].replace("+0000", "+00:00")).timestamp()
        if event["event_type"] == "flow":
            flow = event["flow"]
            start = datetime.fromisoformat(flow["start"].replace("+0000", "+00:00")).timestamp()
            rows.append({
                **base, "_log": "conn", "ts": start, "duration": flow.get("age", 0),
                "orig_bytes": flow["bytes_toserver"], "resp_bytes": flow["bytes_toclient"],
                "orig_pkts": flow["pkts_toserver"], "resp_pkts": flow["pkts_toclient"],
                "service": event.get("app_proto", ""),
                "conn_state": {"new": "S0", "established": "S1", "closed": "SF"}.get(flow.get("state", ""), ""),
            })  # fmt: skip
        elif event["event_type"] == "dns" and event["dns"].get("type") == "query":
            dns = event["dns"]
            rows.append({**base, "_log": "dns", "ts": when, "query": dns.get("rrname", ""),
                         "qtype_name": dns.get("rrtype", "")})  # fmt: skip
    return sorted(rows, key=lambda row: float(row["ts"]))


STATES = {"INT": "S0", "REQ": "S0", "FIN": "SF", "CON": "SF", "RST": "RSTO", "ECO": "S0", "ACC": "S1", "CLO": "SF"}


def unsw_rows(path: Path) -> list[Row]:
    """The raw UNSW flows as Zeek rows; the truth stays in `Label` and `attack_cat`."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    return [
        {
            "_log": "conn", "ts": row["Stime"], "id.orig_h": row["srcip"], "id.resp_h": row["dstip"],
            "id.orig_p": _port(row["sport"]), "id.resp_p": _port(row["dsport"]), "proto": row["proto"],
            "service": "" if row["service"] == "-" else row["service"], "duration": row["dur"],
            "orig_bytes": row["sbytes"], "resp_bytes": row["dbytes"], "orig_pkts": row["Spkts"],
            "resp_pkts": row["Dpkts"], "conn_state": STATES.get(row["state"], ""),
            "_raw": repr(sorted((k, str(v)) for k, v in row.items())).encode(),
            "_label": row["Label"], "_cat": row["attack_cat"],
        }
        for row in rows
    ]  # fmt: skip


def _port(value: Any) -> int:
    try:
        return int(str(value), 0)
    except ValueError:
        return 0


def capture(root: Path, name: str) -> Frame:
    """A capture of the shared data by its folder or file name."""
    path = root / name
    if path.suffix == ".parquet":
        return frame_of(unsw_rows(path))
    if name.startswith("suricata"):
        return frame_of(eve_rows(path))
    files = [path] if path.is_file() else [p for p in sorted(path.iterdir()) if ".log" in p.name or ".json" in p.name]
    return frame_of(zeek_rows(*files))
