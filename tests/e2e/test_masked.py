"""What means no harm hides nothing: a second peer of the same client is told, judged and silenced by itself."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.e2e.swarm import myrmidon

T0 = 1_772_409_600
CLIENT, VENDOR, COMMAND = "10.80.1.14", "193.209.185.69", "141.105.163.1"


def calls(peer: str, port: int, every: int, jitter: float, hours: int) -> list[dict[str, object]]:
    """Calls of the client at a beat."""
    rng = random.Random(port)
    times = [T0 + n * every + rng.uniform(-jitter, jitter) * every for n in range(hours * 3600 // every)]
    return [
        {
            "ts": round(max(ts, T0), 6), "uid": f"C{port}{n}", "id.orig_h": CLIENT,
            "id.orig_p": rng.randint(32768, 60999), "id.resp_h": peer, "id.resp_p": port, "proto": "tcp",
            "conn_state": "SF", "duration": 0.4, "orig_bytes": 310, "resp_bytes": 520, "orig_pkts": 4, "resp_pkts": 4,
        }
        for n, ts in enumerate(times)
    ]  # fmt: skip


def write(folder: Path, rows: list[dict[str, object]]) -> str:
    folder.mkdir()
    rows.sort(key=lambda row: row["ts"])
    (folder / "conn.log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"zeek:{folder}"


def test_a_call_home_is_told_beside_the_harmless_one_of_the_same_client(tmp_path):
    feed = write(tmp_path / "logs", calls(VENDOR, 8883, 60, 0.01, 4) + calls(COMMAND, 8081, 75, 0.15, 4))
    home = tmp_path / "home"
    told = myrmidon(home, "run", "--feed", feed, "--until-eof").json
    assert (told["threats"], told["incidents"]) == (2, 1)
    threats = {threat["peers"][0]: threat for threat in myrmidon(home, "threats", "list").json}
    assert set(threats) == {VENDOR, COMMAND}

    assert myrmidon(home, "feedback", threats[VENDOR]["id"], "incorrect").code == 0
    (incident,) = myrmidon(home, "incidents", "list").json
    assert incident["status"] == "open"

    words = ("--peer", VENDOR, "--kind", "beacon", "--for", "7d", "--reason", "its maker", "--dry-run")
    preview = myrmidon(home, "suppress", "add", *words).json["preview"]
    assert (preview["covered"], preview["incidents"]) == (1, [])
    assert myrmidon(home, "audit", "replay").json["equal"] is True
