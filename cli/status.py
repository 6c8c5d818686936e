"""`myrmidon status`: how everything is, in a blink.

Rules:
    1. Standard library only (psycopg too when the log is on PostgreSQL, pydantic when there are settings to check): no
       view is followed, no library is started.
    2. It shows the views as they stand, and how far behind the log they are.
    3. It writes nothing.
    4. What runs is told by the leases, never by what the tables say: a dead daemon cannot correct its last words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from typing import Any, Final

import typer

from cli.asking import asking_log, asking_views
from cli.context import context_of
from cli.doubts import doubts_of
from cli.output import emit, plural, warming_up, when
from cli.reading import nothing_yet
from cli.response_words import is_rehearsed
from cli.troubles import (
    RECENT,
    down_of,
    missing,
    overdue,
    troubles_of,
    undelivered,
    unread,
    unreadable,
    unsettled,
    unsound,
)
from config.home import Home
from domain.journal import JournalError
from domain.moments import rfc3339
from domain.values import SECOND, Micros

SILENT_AFTER: Final = 300.0
"""Seconds without a batch after which an open feed degrades health, unless [run] silent_after says otherwise."""

ANSWER_WITHIN: Final = 3600.0
"""Seconds after which an unanswered proposal expires, unless [response] approval_timeout says otherwise."""

LEASES: Final = {"responses": "responder", "router": "responder"}
"""Followers that run under the lease of another agent (scheduler.crew)."""

CHANNELS: Final = (
    "SELECT a.channel, sum(CASE WHEN a.state IN ('routed', 'failed') THEN 1 ELSE 0 END) AS waiting, "
    "sum(CASE WHEN a.state = 'dead' THEN 1 ELSE 0 END) AS letters, "
    "sum(CASE WHEN a.state = 'dead' AND a.updated_at > {since:d} THEN 1 ELSE 0 END) AS given_up, "
    "sum(CASE WHEN a.state = 'failed' AND a.updated_at > {since:d} THEN 1 ELSE 0 END) AS failed, "
    "max(CASE WHEN a.updated_at = l.latest AND a.state IN ('failed', 'dead') THEN a.error ELSE '' END) AS error "
    "FROM alerts a JOIN (SELECT channel, max(updated_at) AS latest FROM alerts WHERE state IN ('failed', 'dead') "
    "GROUP BY channel) l ON l.channel = a.channel WHERE a.state IN ('routed', 'failed', 'dead') "
    "GROUP BY a.channel ORDER BY a.channel"
)
"""What is the matter with each channel of which something did not arrive, and the last error."""

GRAVITY: Final = ("healthy", "degraded", "critical")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(ctx: typer.Context) -> None:
    """Health, agents, feeds, log and jobs. Exit code 1 when the log itself cannot be read."""
    home = context_of(ctx).where()
    wrong: list[str] = []
    doubts: list[str] = []
    if home.has_settings():
        from config.settings import load_settings

        settings = load_settings(home.config_file)  # a wrong one is told, with exit code 2, whether it matters or not
        if settings.actuators or home.table("playbooks"):
            wrong, doubts = doubts_of(settings)
    document = document_of(home, time.time_ns() // 1000)
    if wrong:
        health = max(document["health"], "degraded", key=GRAVITY.index)
        document |= {"health": health, "reasons": [*document["reasons"], *wrong]}
    document["doubts"] = doubts
    nothing = not document["log"]["events"] and not document["reasons"]
    emit(ctx, document, lambda shown: nothing_yet(ctx) if nothing else render(shown))
    if document["reasons"] and "position" not in document["log"]:
        raise typer.Exit(1)


def document_of(home: Home, now: Micros) -> dict[str, Any]:
    """The JSON contract of `status`."""
    from adapters.log.peek import peek

    document: dict[str, Any] = {
        "health": "healthy",
        "reasons": [],
        "agents": [],
        "feeds": [],
        "log": {"events": 0, "head": "", "digest": ""},
        "jobs": [],
        "baselines": [],
        "evicted": {},
        "exceptions": 0,
        "dead_letters": 0,
        "old_dead_letters": 0,
        "responses": {"waiting": 0, "overdue": 0, "no_room": 0, "in_force": 0, "rehearsed": 0},
    }
    try:
        mark = peek(home.log_location)
        if mark is not None:
            document["log"] = {name: getattr(mark, name) for name in ("events", "position", "head", "digest")}
            _look(document, home, mark.position, now)
        if lost := cut(home, mark.position if mark else 0):
            document |= {"health": "critical", "reasons": [lost, *document["reasons"]]}
    except JournalError as error:
        document |= {"health": "critical", "reasons": [str(error)]}
    return document


def cut(home: Home, position: int) -> str:
    """What a log that ends before the home's newest checkpoint is told as; empty when it does not, or there is none."""
    signed = home.signed().get("position")
    if not isinstance(signed, int) or position >= signed:
        return ""
    return (
        f"the log ends at position {position:,}, its checkpoint was signed at {signed:,}: its tail was cut; keep it as "
        f"it is and run `myrmidon audit verify --checkpoint {home.checkpoint}`"
    )


def _questions(now: Micros) -> dict[str, str]:
    """What is asked of the live views, by name."""
    return {
        "feeds": "SELECT * FROM feeds ORDER BY name",
        "parts": "SELECT * FROM health ORDER BY part",
        "parked": "SELECT * FROM parked ORDER BY position",
        "progress": "SELECT position FROM progress",
        "channels": CHANNELS.format(since=now - RECENT),
        "acting": "SELECT r.id, r.status, r.actions, r.updated_at, i.status AS incident FROM responses r "
        "JOIN incidents i ON i.id = r.incident WHERE r.status IN ('failing', 'undoing', 'failed') ORDER BY r.position",
        "standing": "SELECT * FROM responses "
        "WHERE status IN ('proposed', 'approved', 'starting', 'in force', 'contained')",
        "stalled": "SELECT id, waiting FROM workflows WHERE status = 'stalled'",
        "exceptions": f"SELECT id FROM suppressions WHERE removed_at IS NULL AND expires_at > {now:d}",
    }


def _look(document: dict[str, Any], home: Home, end: int, now: Micros) -> None:
    """Fill the document from the tables of log and views, and from the leases."""
    from adapters.lease import holders

    with asking_log(home) as ask:
        tracked = ask("SELECT application_name AS name, notification_id AS position FROM tracking ORDER BY 1")
        cursors = ask("SELECT feed, body FROM cursors")
        [last] = ask("SELECT max(position) AS position FROM events") or [{"position": None}]
    with asking_views(home) as ask:
        found = {name: ask(question) for name, question in _questions(now).items()}
    feeds, parts, standing = found["feeds"], found["parts"], found["standing"]
    totals = {row["feed"]: totals_of(bytes(row["body"])) for row in cursors}
    followers = [row for row in tracked if not row["name"].startswith("__")]
    names = [f"agent-{name}" for name in ("detector", "responder")] + [f"feed-{row['name']}" for row in feeds]
    held = holders(home.log_location, names)
    troubles = [*missing(end, last["position"] or 0, followers), *_troubles(found, home, held, now)]
    document |= {
        "feeds": [feed_of(row, totals.get(row["name"], {})) for row in feeds],
        "jobs": [part_of(row) for row in parts if row["kind"] == "job"],
        "baselines": [baseline_of(row) for row in parts if row["kind"] == "baseline"],
        "evicted": {row["name"]: json.loads(row["detail"]) for row in parts if row["kind"] == "evicted"},
        "agents": agents_of(end, followers, found["progress"], held, has_parked=bool(found["parked"])),
        "exceptions": len(found["exceptions"]),
        "dead_letters": sum(row["letters"] for row in found["channels"]),
        "old_dead_letters": sum(row["letters"] for row in found["channels"] if not row["given_up"]),
        "responses": responses_of(standing, home, now),
        "health": max((gravity for gravity, _ in troubles), key=GRAVITY.index, default="healthy"),
        "reasons": [reason for _, reason in troubles],
    }


def responses_of(standing: list[dict[str, Any]], home: Home, now: Micros) -> dict[str, int]:
    """How many responses wait for an answer (and longer than they should), for room, are in force, or rehearsed."""
    timeout = float(home.table("response").get("approval_timeout", ANSWER_WITHIN)) * SECOND
    acting = [row for row in standing if row["status"] not in {"proposed", "approved"}]
    unanswered = [row for row in standing if row["status"] == "proposed"]
    return {
        "waiting": len(unanswered),
        "overdue": sum((row.get("waiting_since") or row["proposed_at"]) + timeout <= now for row in unanswered),
        "no_room": len(standing) - len(acting) - len(unanswered),
        "in_force": len(acting),
        "rehearsed": sum(is_rehearsed(json.loads(row["actions"])) for row in acting),
    }


def _troubles(
    found: dict[str, list[dict[str, Any]]], home: Home, held: Collection[str], now: Micros
) -> Iterator[tuple[str, str]]:
    """What is not well, from the answers of the views."""
    feeds = found["feeds"]
    silent = float(home.table("run").get("silent_after", SILENT_AFTER)) * SECOND
    read = [feed for feed in feeds if f"feed-{feed['name']}" in held]
    tended = "agent-responder" in held
    yield from unread(feeds, held)
    yield from unreadable(feeds)
    yield from unsound(found["parts"], home)
    yield from troubles_of(read, found["parts"], found["parked"], now, silent, tended=tended)
    yield from undelivered(found["channels"], down_of(found["parts"]), tended=tended)
    yield from unsettled(found["acting"], found["stalled"], now, tended=tended)
    yield from overdue(found["standing"], now, tended=tended)


def agents_of(
    end: int,
    followers: list[dict[str, Any]],
    progress: list[dict[str, Any]],
    held: Collection[str],
    *,
    has_parked: bool,
) -> list[dict[str, Any]]:
    """Who has read how far, and who is alive: `running`, `behind` (and running), `stopped` or `parked`.

    The detector writes at the end of the log and is never behind it; the projections have no lease, they follow in
    every run.
    """
    known = [("detector", end, "agent-detector" in held, False)]
    for row in followers:
        lease = f"agent-{LEASES.get(row['name'], row['name'])}"
        known.append((row["name"], row["position"], lease in held, False))
    known += [("projections", row["position"], bool(held), has_parked) for row in progress]
    agents = []
    for name, position, alive, is_parked in known:
        lag = max(0, end - position)
        state = "parked" if is_parked else "stopped" if not alive else "behind" if lag else "running"
        agents.append({"name": name, "state": state, "position": position, "lag": lag})
    return agents


def totals_of(body: bytes) -> dict[str, int]:
    """The totals in a cursor; none in one that another version wrote (the views then say what they know)."""
    try:
        return dict(json.loads(body)["totals"])
    except (ValueError, KeyError, TypeError):
        return {}


def feed_of(row: dict[str, Any], totals: dict[str, int]) -> dict[str, Any]:
    """A feed of the document: its totals are those of the recorded cursor, which the open ledger entry is part of."""
    names = ("received", "scored", "malformed", "skipped", "late", "faults", "batches")
    counts = {name: totals.get(name, row[name]) for name in names}
    return {
        "name": row["name"],
        **counts,
        "source": row["source"],
        "clock": rfc3339(row["watermark"]) if row["watermark"] else None,
        "heard_at": rfc3339(row["heard_at"]),
        "closed": row["closed_at"] is not None,
    }


def part_of(row: dict[str, Any]) -> dict[str, Any]:
    """A job of the document."""
    detail = json.loads(row["detail"])
    return {"name": row["name"], "state": row["state"], "since": rfc3339(row["since"]), "runs": row["count"], **detail}


def baseline_of(row: dict[str, Any]) -> dict[str, Any]:
    """A profile of the document: whether it warms up, and how many windows it saw of those that it needs."""
    detail = json.loads(row["detail"])
    seen = detail.get("seen", detail["windows"])
    return {"name": row["name"], "state": row["state"], "seen": seen, "needed": detail["windows"]}


def render(document: dict[str, Any]) -> str:
    """The document in words."""
    mark = document["log"]
    lines = [f"{document['health']}", *(f"  {reason}" for reason in document["reasons"])]
    lines += ["", f"log    {mark['events']:,} events, head {mark['head'][:16]}, digest {mark['digest'][:16]}", ""]
    lines += [
        f"agent  {a['name']:<14} {a['state']:<8} at {a['position']:,}, {a['lag']:,} behind" for a in document["agents"]
    ]
    for feed in document["feeds"]:
        counts = ", ".join(f"{feed[name]:,} {name}" for name in ("received", "scored", "skipped", "malformed", "late"))
        ended = "closed" if feed["closed"] else "open"
        clock = f", clock {when(feed['clock'])}" if feed["clock"] else ""
        lines.append(f"feed   {feed['name']:<14} {ended:<8} {counts}{clock}")
    lines += [
        f"learn  {warming_up(each['name'], each['seen'], each['needed'])}"
        for each in document["baselines"]
        if each["state"] == "warming-up"
    ]
    for name, totals in document["evicted"].items():
        counts = ", ".join(f"{what} {count:,}" for what, count in totals.items())
        lines.append(f"room   feed {name}: forgotten or left out for want of room: {counts}")
    lines += [f"job    {job['name']:<14} {job['state']:<8} since {when(job['since'])}" for job in document["jobs"]]
    lines += [f"doubt  {doubt}" for doubt in document.get("doubts", ())]
    if document["exceptions"]:
        lines.append(f"except {plural(document['exceptions'], 'exception')} in force: see `myrmidon suppress list`")
    if waiting := document["responses"]["waiting"]:
        overdue = document["responses"]["overdue"]
        late = f" ({overdue} for too long: over when `myrmidon run` is started)" if overdue else ""
        lines.append(
            f"act    {plural(waiting, 'response')} {'waits' if waiting == 1 else 'wait'} for an answer{late}: see "
            "`myrmidon responses list --status proposed`"
        )
    if no_room := document["responses"]["no_room"]:
        lines.append(
            f"act    {plural(no_room, 'approved response')} {'waits' if no_room == 1 else 'wait'} for room: see "
            "`myrmidon responses list --status approved`"
        )
    if in_force := document["responses"]["in_force"]:
        dry = f" ({rehearsed} of them dry run)" if (rehearsed := document["responses"]["rehearsed"]) else ""
        lines.append(f"act    {plural(in_force, 'response')} in force{dry}: see `myrmidon responses list`")
    if document["old_dead_letters"]:  # of the others a reason tells
        letters = plural(document["old_dead_letters"], "old dead letter")
        lines.append(f"alerts {letters}: see `myrmidon alerts list --status dead`, then `myrmidon alerts retry ID`")
    return "\n".join(lines)
