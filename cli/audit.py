"""`myrmidon audit`: proofs over the log, and the reasons of its decisions."""

from __future__ import annotations

import json as json_text
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import context_of
from cli.facts import lines, told
from cli.output import clean, emit, fail, plural, say, table, when
from cli.reading import moment, now, one, opened, opened_log
from cli.rescore import rescore
from domain.moments import rfc3339
from domain.values import shown_risk

if TYPE_CHECKING:
    from typing import TypeAlias

    from adapters.log.base import ChainedLog
    from adapters.log.chain import Row
    from domain.journal import Recorded

    Stored: TypeAlias = tuple[Recorded, Row]

REMEDY = (
    "What to do: stop the daemon, keep the home as it is (it is evidence), restore a backup of it into another folder, "
    "and go on there (--home) once `myrmidon audit verify --checkpoint` accepts it."
)
"""What is said of every log that does not verify."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Proofs over the log, and the reasons of its decisions.", no_args_is_help=True)
    for name, command in (
        ("verify", verify),
        ("checkpoint", checkpoint),
        ("replay", replay),
        ("as-of", as_of),
        ("explain", explain),
        ("log", log),
        ("export", export),
        ("rescore", rescore),
    ):
        group.command(name)(command)
    app.add_typer(group, name="audit")


def verify(
    ctx: typer.Context,
    checkpoint: Annotated[Path | None, typer.Option(help="Also hold the log against this signed checkpoint.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Public key of the checkpoint (default: the home's, keys/checkpoint.key.pub).")
    ] = None,
) -> None:
    """Walk the chain over all stored bytes; exit code 1 names the first position that does not fit.

    Without --checkpoint the one that the daemon signed last is taken, when it is of this log. One that cannot be held
    against the log (of an unknown key, of another log) is exit code 1 too, and said to be no proof either way.
    """
    if key and not checkpoint:
        raise typer.BadParameter("a key is only needed with --checkpoint FILE", param_hint="--key")
    home = context_of(ctx).where()
    with opened_log(ctx) as journal:
        own = home.checkpoint if home.signed().get("log_id") == journal.log_id else None
        file = checkpoint or own
        if file is None:
            found = journal.verify()
        else:
            from adapters.log.checkpoint import verify_checkpoint

            found = verify_checkpoint(journal, file, home.signing_key, key)
    if found.ok and not found.events:
        found = replace(found, ok=False, reason="the log is empty: there is nothing to verify")
    emit(ctx, {**asdict(found), "checkpoint": file and str(file)}, verified)
    if not found.ok:
        raise typer.Exit(1)


def verified(found: dict[str, Any]) -> str:
    """The verdict on the chain in words."""
    whole = f"the chain of {plural(found['events'], 'event')} is whole; head {found['head']}"
    if found["ok"]:
        return f"{whole}; it holds all that was signed in {found['checkpoint']}" if found["checkpoint"] else whole
    if not found["events"] and found["first_break"] is None and not found["unproven"]:
        return str(found["reason"])
    unproven = f"{found['checkpoint']} could not be held against this log: {found['unproven']}"
    if found["unproven"] and found["reason"].endswith(found["unproven"]):
        return f"{unproven}\nBy itself {whole}: that shows neither a cut tail nor hashes that were computed anew."
    where = "" if found["first_break"] is None else f", first at position {found['first_break']:,}"
    beside = f"\n{unproven}" if found["unproven"] else ""
    return f"the log does NOT verify{where}: {found['reason']}{beside}\n{REMEDY}"


def checkpoint(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="Where to write it: keep it on another machine.")]
) -> None:
    """Sign the present end of the log into a file."""
    from adapters.log.checkpoint import write_checkpoint

    with opened_log(ctx) as journal:
        mark = write_checkpoint(journal, file, context_of(ctx).where().signing_key, now)
    document = {"file": str(file), **asdict(mark)}
    emit(
        ctx,
        document,
        lambda d: (
            f"{plural(d['events'], 'event')} up to position {d['position']:,} signed in {d['file']}: keep it elsewhere"
        ),
    )


def replay(ctx: typer.Context) -> None:
    """Fold the log from zero and hold it against the live views."""
    with opened(ctx) as reading:
        document = reading.views.replay(reading.journal)
    emit(ctx, document, replayed)
    if not document["equal"]:
        raise typer.Exit(1)


def replayed(document: dict[str, Any]) -> str:
    """The comparison in words."""
    rate = f"{plural(document['events'], 'event')} folded at {document['events_per_second']:,.0f} a second"
    if document["equal"]:
        return f"the live views are what the log says: {rate}; digest {document['live']}"
    differing = [name for name, both in document["views"].items() if both["live"] != both["replayed"]]
    return f"the live views DIFFER from the log in {', '.join(differing)} ({rate}): run `myrmidon projections rebuild`"


def as_of(
    ctx: typer.Context,
    time: Annotated[str, typer.Argument(help="RFC 3339, or an age such as 2h.")],
    recorded: Annotated[bool, typer.Option("--recorded", help="By when facts were recorded, not occurred.")] = False,
) -> None:
    """The views as they stood at a moment."""
    from domain.journal import follow
    from projections import catalog

    at = moment(time, "TIME") or 0
    with opened_log(ctx) as journal:
        views = catalog.stood(catalog.as_of(follow(journal), at, by_recorded=recorded))
    emit(ctx, {"as_of": rfc3339(at), "by": "recorded" if recorded else "occurred", **views}, stood)


def stood(document: dict[str, Any]) -> str:
    """The views of a moment in words."""
    by = {"occurred": "by when facts occurred", "recorded": "by when facts were recorded"}[document["by"]]
    lines = [f"as of {document['as_of']} ({by}):"]
    for name in ("incidents", "threats"):
        lines += ["", f"{name}: {len(document[name]):,}"]
        gravest = sorted(document[name], key=lambda row: -row["risk"])
        risks = [shown_risk(row["risk"]) for row in gravest]
        lines += [
            f"  {r['id'][:8]}  {r['level']:<8}  {risk:>4}  {r['status']:<12}  {r['title']}"
            for r, risk in zip(gravest, risks, strict=True)
        ]
    lines += ["", f"feeds: {len(document['feeds']):,}"]
    lines += [
        f"  {feed['name']}: {plural(feed['received'], 'row')} received, {feed['scored']:,} scored"
        for feed in document["feeds"]
    ]
    return "\n".join(lines)


def explain(
    ctx: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="A threat or incident, or how its id begins.")],
) -> None:
    """What, who, when, why, how sure, decided by which versions, and the chain of causes."""
    from cli.describe import describe
    from cli.explain import incident_story, threat_story

    with opened(ctx) as reading:
        view, row = one(reading, identity, ("threats", "incidents"))
        if view == "threats":
            story = threat_story(reading.journal, row)
        else:
            members = (reading.views.get("threats", threat) for threat in row["threats"])
            responses = reading.views.list_responses(incident=row["id"])
            story = incident_story(reading.journal, row, [threat for threat in members if threat], responses)
    emit(ctx, story, describe)


def log(
    ctx: typer.Context,
    *,
    after: Annotated[int | None, typer.Option(min=0, help="From this position on (else the latest).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many facts.")] = 50,
    stream: Annotated[str, typer.Option(help="Only streams that begin so: `threat/`, `feed/zeek`.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind of fact.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, a line a fact.")] = False,
) -> None:
    """The facts as they are recorded."""
    from domain.events import FACTS

    if kind and kind not in FACTS:
        fail(f"no fact is of kind {kind!r}; known are {', '.join(sorted(FACTS))}", 2)
    with opened_log(ctx) as journal:
        facts, reached = selected(journal, after, limit, lambda r: _fits(r, stream, kind))
        if follow:
            tail(ctx, journal, facts, reached, lambda r: _fits(r, stream, kind))
            return
    emit(ctx, [told(*stored) for stored in facts], listed)


def _fits(recorded: Recorded, stream: str, kind: str) -> bool:
    return recorded.stream.startswith(stream) and kind in {"", recorded.fact.kind}


def selected(
    journal: ChainedLog, after: int | None, limit: int, fits: Callable[[Recorded], bool]
) -> tuple[list[Stored], int]:
    """The first facts after a position, or the latest of all; and the position up to which was read."""
    found: deque[Stored] = deque(maxlen=None if after is not None else limit)
    reached = after or 0
    while page := journal.stored(reached):
        for recorded, row in page:
            reached = recorded.position
            if fits(recorded):
                found.append((recorded, row))
            if after is not None and len(found) == limit:
                return list(found), reached
    return list(found), reached


def tail(
    ctx: typer.Context, journal: ChainedLog, facts: list[Stored], reached: int, fits: Callable[[Recorded], bool]
) -> None:
    """Print facts, a line each (JSON Lines with --json), until the operator interrupts."""
    asked_json = context_of(ctx).json
    try:
        for stored in _endless(journal, facts, reached, fits):
            document = told(*stored)
            say(json_text.dumps(document) if asked_json else clean(line(document)))
    except KeyboardInterrupt:
        return


def _endless(
    journal: ChainedLog, facts: list[Stored], reached: int, fits: Callable[[Recorded], bool]
) -> Iterator[Stored]:
    yield from facts
    while True:
        for recorded, row in journal.stored(reached):
            reached = recorded.position
            if fits(recorded):
                yield recorded, row
        journal.wait(reached, 1.0)


def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; `-` is standard output.")],
) -> None:
    """All facts as JSON Lines, with all that the chain is computed from (docs/export.md)."""
    from adapters.artifacts import write_whole

    with opened_log(ctx) as journal:
        if file == "-":
            for each in lines(journal):
                sys.stdout.write(each.decode())
            sys.stdout.flush()
            return
        path = Path(file)
        if path.is_symlink() or (path.exists() and not path.is_file()):  # it would be replaced, not written to
            fail(f"{file} is no regular file: choose another place, or `-` for standard output")
        try:
            write_whole(path, lines(journal))
        except OSError as error:
            fail(f"{file} cannot be written ({error.strerror}): make its folder, or choose another place")
        mark = journal.fingerprint()
    emit(ctx, {"file": file, **asdict(mark)}, lambda d: f"{plural(d['events'], 'fact')} written to {d['file']}")


def line(document: dict[str, Any]) -> str:
    """A fact on one line."""
    return f"{document['position']:>8}  {_when(document):<20}  {document['kind']:<21}  {document['stream']}"


def _when(document: dict[str, Any]) -> str:
    return when(document["occurred_at"]) if document["occurred_at"] else "-"


def listed(documents: list[dict[str, Any]]) -> Any:
    """Facts for people."""
    if not documents:
        return "no fact fits: look at all with `myrmidon audit log`"
    rows = [(d["position"], _when(d), d["kind"], d["actor"], d["stream"]) for d in documents]
    return table(("POSITION", "OCCURRED", "KIND", "BY", "STREAM"), rows, right=("POSITION",))
