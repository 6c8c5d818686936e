"""Write the golden history of this version: every fact as it is on disk, and the views it must give.

Run once for a release (`make golden`). A written history is never edited, so that old logs stay readable for ever.
"""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

from adapters.log import open_log
from adapters.log.codec import decode, encode
from bench.story import write_day
from domain.events import VERSIONS
from domain.journal import Recorded, follow
from projections.catalog import digests, replay
from tests.e2e.swarm import myrmidon

FOLDER = Path(__file__).parent


def to_line(recorded: Recorded) -> str:
    """A fact as one JSON line; the body is the text that the log holds."""
    return json.dumps(
        {
            "position": recorded.position,
            "event_id": str(recorded.event_id),
            "stream": recorded.stream,
            "version": recorded.version,
            "kind": recorded.fact.kind,
            "schema_version": VERSIONS[recorded.fact.kind],
            "occurred_at": recorded.occurred_at,
            "recorded_at": recorded.recorded_at,
            "actor": recorded.actor,
            "causation": recorded.causation and str(recorded.causation),
            "correlation": recorded.correlation and str(recorded.correlation),
            "region": recorded.region,
            "tags": list(recorded.tags),
            "body": encode(recorded.fact).decode(),
        }
    )


def from_line(line: str) -> Recorded:
    """A fact from its line, read by today's codec."""
    row = json.loads(line)
    return Recorded(
        position=row["position"],
        event_id=UUID(row["event_id"]),
        stream=row["stream"],
        version=row["version"],
        fact=decode(row["kind"], row["schema_version"], row["body"].encode()),
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        actor=row["actor"],
        causation=row["causation"] and UUID(row["causation"]),
        correlation=row["correlation"] and UUID(row["correlation"]),
        region=row["region"],
        tags=tuple(row["tags"]),
    )


def record(name: str) -> None:
    """Write `<version>-<name>.jsonl` and the digests of its views."""
    history = FOLDER / f"{version('myrmidon')}-{name}.jsonl"
    if history.exists():
        raise SystemExit(f"{history.name} is written already and is never edited")
    with tempfile.TemporaryDirectory() as scratch:
        write_day(Path(scratch), seed=1, hosts=20, hours=1.5)
        home = Path(scratch) / "home"
        myrmidon(home, "run", "--feed", f"zeek:{scratch}/zeek", "--until-eof")
        incident = myrmidon(home, "incidents", "list").json[0]
        myrmidon(home, "feedback", incident["threats"][0], "correct", "--correction", "seen before")
        myrmidon(home, "incidents", "note", incident["id"], "called the owner")
        myrmidon(home, "incidents", "ack", incident["id"])
        myrmidon(home, "incidents", "resolve", incident["id"])
        journal = open_log(home / "log.db", lambda: 0)
        batches = list(follow(journal))
        journal.close()
    history.write_text("".join(to_line(recorded) + "\n" for batch in batches for recorded in batch), "utf-8")
    history.with_suffix(".views.json").write_text(json.dumps(digests(replay(batches)), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    record("office")
