"""`myrmidon demo`: a generated attack story through the real pipeline."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.context import context_of
from cli.output import emit, note
from cli.run import hunt, summary


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    ctx: typer.Context,
    seed: Annotated[int, typer.Option(help="Another seed tells another day.")] = 1,
    hosts: Annotated[int, typer.Option(min=20, max=2000, help="Clients of the office.")] = 40,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the generated Zeek logs and the truth in this folder.")
    ] = None,
) -> None:
    """Generate an office day with five attacks in it, read it back as Zeek logs, show what was found."""
    from adapters.feeds import parse_spec
    from bench.story import write_day
    from scheduler.bootstrap import AGENTS, opened

    context = context_of(ctx)
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        note(f"writing a generated office day (seed {seed}, {hosts} clients) as Zeek logs")
        truth = write_day(folder, seed=seed, hosts=hosts)
        with opened(context.opened_home()) as parts:
            specs = [parse_spec(f"demo=zeek:{folder / 'zeek'}")]
            document, problems = hunt(parts, specs, list(AGENTS), until_eof=True, quiet=context.json)
            verified = parts.journal.verify()
            document["program"] = program(context.home)
            document["audit"] = {"ok": verified.ok, "events": verified.events, "head": verified.head}
            document["incidents_found"] = parts.views.list_incidents()
            document["story"] = [
                {"kind": attack.kind, "entity": attack.entity, "found": was_found(parts.views, attack)}
                for attack in truth.attacks
            ]
    emit(ctx, document, render)
    raise typer.Exit(1 if problems or not verified.ok else 0)


def program(home: Path) -> str:
    """How this program was called, so that the commands to try next can be copied."""
    called = sys.argv[0] if "/" in sys.argv[0] else "myrmidon"
    if Path(called).is_absolute() and Path(called).is_relative_to(Path.cwd()):
        called = str(Path(called).relative_to(Path.cwd()))
    return called if home == Path(".myrmidon") else f"{called} --home {home}"


def was_found(views: Any, attack: Any) -> bool:
    """Whether a threat of the attack's kind names its entity."""
    return any(threat["kind"] == attack.kind and threat["entity"] == attack.entity for threat in views.list_threats())


def render(document: dict[str, Any]) -> str:
    """The end of the story: incidents, what was hidden and found, the audit, what to try next."""
    incidents = [
        f"  {incident['id'][:8]}  {incident['level']:<8}  {incident['title']}"
        for incident in document["incidents_found"]
        if incident["status"] != "merged"
    ]
    story = [
        f"  {'found ' if attack['found'] else 'MISSED'}  {attack['kind']:<18}  {attack['entity']}"
        for attack in document["story"]
    ]
    audit = document["audit"]
    whole = "whole" if audit["ok"] else "BROKEN"
    first = document["incidents_found"][0]["threats"][0][:8] if document["incidents_found"] else "ID"
    return "\n".join(
        [
            summary(document),
            "",
            "Incidents:",
            *incidents,
            "",
            "Hidden in the generated day:",
            *story,
            "",
            f"Audit: the chain of {audit['events']} facts is {whole} (head {audit['head'][:16]})",
            "",
            "Try next:",
            *(
                f"  {document['program']} {command}"
                for command in ("incidents list", f"audit explain {first}", "audit replay")
            ),
        ]
    )
