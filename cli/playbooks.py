"""`myrmidon playbooks list | show | check`: what can be done about a threat, and whether a playbook is right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.context import context_of
from cli.output import emit, fail, note, plural, table
from domain.values import HOUR, KINDS, MINUTE, SECOND, Micros

if TYPE_CHECKING:
    from adapters.playbooks import Library
    from adapters.playbooks.shape import Problem
    from agents.responder.playbook import Playbook
    from agents.responder.ports import Actuator

WORDS: Final = {
    ("deny", "ipv4_net"): "block",
    ("deny", "domain_name"): "deny names of",
    ("redirect", "domain_name"): "sinkhole names of",
    ("set", "ipv4_net"): "slow",
    ("investigate", "ipv4_net"): "watch",
    ("create", "x-myrmidon:ticket"): "ticket for",
}
"""What OpenC2 actions are called in a table, where their own name says little."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Playbooks: what is loaded, what they do, whether one is right.", no_args_is_help=True)
    group.command("list")(list_playbooks)
    group.command("show")(show)
    group.command("check")(check)
    app.add_typer(group, name="playbooks")


def list_playbooks(ctx: typer.Context) -> None:
    """The playbooks that the responder chooses from: those that come with the house, and those of `[playbooks] dir`."""
    library, actuators = loaded(ctx)
    emit(
        ctx,
        {
            "playbooks": [described(one, library, actuators) for one in library.playbooks.values()],
            "refused": list(library.refused),
        },
        as_table,
    )


def loaded(ctx: typer.Context) -> tuple[Library, dict[str, Actuator]]:
    """The library and the actuators as the settings say."""
    from adapters.act import build_actuators
    from adapters.playbooks import load_library
    from config.settings import load_settings

    home = context_of(ctx).where()
    settings = load_settings(home.config_file)
    return load_library(settings.playbooks), build_actuators(settings.actuators, home.path)


def described(playbook: Playbook, library: Library, actuators: dict[str, Actuator]) -> dict[str, Any]:
    """A playbook as other tools read it; times in seconds."""
    document = asdict(playbook)
    for step in document["steps"]:
        step["ttl"] = step["ttl"] / SECOND
    return {**document, "file": str(library.files[playbook.name]), **fitness(playbook, actuators)}


def fitness(playbook: Playbook, actuators: dict[str, Actuator]) -> dict[str, Any]:
    """Whether a playbook can be carried out here and taken back, and what is missing if not."""
    from adapters.playbooks import unfit

    missing = unfit(playbook, actuators)
    return {"usable": not missing, "missing": missing}


def as_table(document: dict[str, Any]) -> Any:
    """The playbooks for people; what was refused or cannot be carried out goes beside them."""
    for reason in document["refused"]:
        note(reason)
    for one in document["playbooks"]:
        for reason in one["missing"]:
            note(f"not usable: {reason}")
    if not document["playbooks"]:
        return "no playbooks: set [playbooks] dir to a folder of CACAO 2.0 playbooks"
    rows = [
        (one["name"], f"{one['cost']:g}", "yes" if asks(one) else "", did(one), against(one))
        for one in document["playbooks"]
    ]
    return table(("PLAYBOOK", "COST", "ASKS", "DOES", "AGAINST"), rows, right=("COST",))


def asks(playbook: dict[str, Any]) -> bool:
    """Whether the playbook asks a person first."""
    return any(step["approval"] for step in playbook["steps"])


def did(playbook: dict[str, Any]) -> str:
    """What a playbook does, in a few words."""
    return ", ".join(
        f"{WORDS.get((step['verb'], step['target_type']), step['verb'])} {step['target']} {lasting(step['ttl'])}"
        for step in playbook["steps"]
    )


def against(playbook: dict[str, Any]) -> str:
    """The kinds of threat that a playbook answers."""
    every = set(playbook["kinds"]) == set(KINDS)
    return "every kind" if every else " ".join(playbook["kinds"])


def lasting(seconds: float) -> str:
    """How long.

    >>> lasting(1800), lasting(86400), lasting(5), lasting(5400)
    ('30m', '24h', '5s', '90m')
    """
    length: Micros = round(seconds * SECOND)
    for unit, letter in ((HOUR, "h"), (MINUTE, "m")):
        if length >= unit and length % unit == 0:
            return f"{length // unit}{letter}"
    return f"{seconds:g}s"


def show(
    ctx: typer.Context, name: Annotated[str, typer.Argument(help="Name of a playbook: that of its file.")]
) -> None:
    """One playbook: its steps, each with what takes it back, and what it is tagged with."""
    library, actuators = loaded(ctx)
    playbook = library.playbooks.get(name)
    if playbook is None:
        fail(f"there is no playbook {name}; known are {', '.join(library.playbooks) or 'none'}")
    emit(ctx, described(playbook, library, actuators), in_words)


def in_words(one: dict[str, Any]) -> str:
    """A playbook in words."""
    lines = [
        f"{one['name']}: {one['title']}",
        one["description"],
        "",
        f"against    {', '.join(one['kinds'])}",
        f"cost       {one['cost']:g} of 10, about {one['duration']:g} s",
        f"ATT&CK     {' '.join(one['techniques']) or '-'}",
        f"D3FEND     {' '.join(one['defends']) or '-'}",
        f"CSF 2.0    {' '.join(one['csf']) or '-'}",
        f"CACAO      {one['playbook']}, version {one['version']}",
        f"file       {one['file']}",
        "",
    ]
    for number, step in enumerate(one["steps"], 1):
        person = "; a person is asked first" if step["approval"] else ""
        lines.append(f"{number}. {step['name']}")
        lines.append(
            f"   {step['actuator']}: {step['verb']} {step['target_type']} of the {step['target']} for "
            f"{lasting(step['ttl'])}, taken back by {step['undo']}{person}"
        )
    lines += [f"not usable: {reason}" for reason in one["missing"]]
    return "\n".join(lines)


def check(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A playbook, or a folder of them.", metavar="FILE_OR_FOLDER")],
    *,
    usable: Annotated[
        bool, typer.Option("--usable", help="Exit with 1 also when one cannot be carried out here.")
    ] = False,
) -> None:
    """Whether playbooks are valid CACAO 2.0, and whether they can be carried out here, as `playbooks list` says.

    Exit code 0: all are valid. 1: one is not (or, with --usable, cannot be carried out here), or there is none.
    2: no such file or folder, or the configuration is wrong.
    """
    from adapters.playbooks import files_of

    _, actuators = loaded(ctx)
    files = [checked(file, actuators) for file in files_of(path)]
    wanted = "usable" if usable else "valid"
    document = {"ok": all(one[wanted] for one in files) and bool(files), "files": files}
    emit(ctx, document, findings)
    raise typer.Exit(0 if document["ok"] else 1)


def checked(file: Path, actuators: dict[str, Actuator]) -> dict[str, Any]:
    """What there is to say about a file: `missing` and `usable` are those of `playbooks list`."""
    from adapters.playbooks.document import PlaybookError, open_document
    from adapters.playbooks.runnable import NotRunnable, playbook_of

    found: dict[str, Any] = {
        "file": str(file),
        "valid": False,
        "runnable": False,
        "usable": False,
        "errors": [],
        "notes": [],
        "missing": [],
    }
    try:
        document = open_document(file)
    except PlaybookError as error:
        return {**found, "errors": [{"place": "", "reason": str(error)}]}
    found["errors"] = [told(problem) for problem in document.errors]
    found["notes"] = [told(problem) for problem in document.notes]
    if document.errors:
        return found
    found["valid"] = True
    try:
        return {**found, "runnable": True, **fitness(playbook_of(document), actuators)}
    except NotRunnable as error:
        return {**found, "missing": [str(error).removeprefix(f"{file}: ")]}


def told(problem: Problem) -> dict[str, str]:
    """A problem as other tools read it."""
    return {"place": problem.place, "reason": problem.reason}


def findings(document: dict[str, Any]) -> str:
    """The answer in words."""
    lines = []
    for one in document["files"]:
        lines += [f"{one['file']}: error: {e['place'] or '(document)'}: {e['reason']}" for e in one["errors"]]
        lines += [f"{one['file']}: note: {found['place']}: {found['reason']}" for found in one["notes"]]
        lines += [f"{one['file']}: not usable: {reason.removeprefix('not runnable: ')}" for reason in one["missing"]]
    if not document["files"]:
        return "no playbooks (*.json) are there"
    valid, usable = (sum(one[name] for one in document["files"]) for name in ("valid", "usable"))
    files = plural(len(document["files"]), "file")
    lines.append(f"{files}: {valid} valid CACAO 2.0, {usable} can be carried out here")
    return "\n".join(lines)
