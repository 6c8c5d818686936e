"""`myrmidon rules list | check | test`: the Sigma rules that are loaded, whether they are right, what they find."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import context_of
from cli.output import emit, note, plural, table

if TYPE_CHECKING:
    from engine.rules.ruleset import RuleSet
    from engine.rules.sigma import Loaded


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Sigma rules: what is loaded, what is wrong, what a rule finds.", no_args_is_help=True)
    group.command("list")(list_rules)
    group.command("check")(check)
    group.command("test")(try_out)
    app.add_typer(group, name="rules")


def list_rules(ctx: typer.Context) -> None:
    """The rules that a run would load: those that come with the house, and those of the folder in `[rules] dir`."""
    from adapters.rulebook import Rulebook
    from config.settings import load_settings

    settings = load_settings(context_of(ctx).where().config_file).rules
    ruleset = Rulebook(settings.dir, shipped=settings.shipped).load()
    emit(ctx, {"version": ruleset.version, **contents(ruleset)}, as_table)


def contents(ruleset: RuleSet) -> dict[str, Any]:
    """What a rule set holds: rules, what was ignored, what is wrong."""
    return {
        "rules": [described(rule) for rule in ruleset.every],
        "ignored": [asdict(rule) for rule in ruleset.ignored],
        "errors": [asdict(error) for error in ruleset.errors],
        "doubts": [asdict(doubt) for doubt in ruleset.doubts],
    }


def described(rule: Loaded) -> dict[str, Any]:
    """A rule as other tools read it."""
    from engine.rules.sigma import Rule

    hit = asdict(rule.hit)
    where = {"file": rule.file, "line": rule.line}
    if isinstance(rule, Rule):
        return {**hit, "type": "match", "log": rule.source.log, "counts": [], "silent": rule.silent, **where}
    return {**hit, "type": rule.kind, "log": "", "counts": list(rule.rules), "silent": rule.silent, **where}


def as_table(document: dict[str, Any]) -> Any:
    """The rules for people; what was ignored and what is wrong goes beside them."""
    for error in document["errors"]:
        note(f"{error['file']}:{error['line']}: {error['message']}")
    if document["ignored"]:
        note(f"{len(document['ignored'])} rules are about records that are not read here: see `myrmidon rules check`")
    if not document["rules"]:
        return "no rules: set [rules] dir to a folder of Sigma rules"
    rows = [
        (r["level"], r["log"] or r["type"], " ".join(r["techniques"]), r["author"], r["title"])
        for r in document["rules"]
    ]
    return table(("LEVEL", "LOG", "ATT&CK", "AUTHOR", "RULE"), rows)


Rules = Annotated[Path, typer.Argument(help="A rule file, or a folder of them.", metavar="FILE_OR_FOLDER")]


def check(ctx: typer.Context, path: Rules) -> None:
    """Whether rules are right: every error with its file and line. Exit code 1 when there is one."""
    ruleset, files = load(path)
    document = {"ok": not ruleset.errors and bool(files), "files": files, **contents(ruleset)}
    emit(ctx, document, findings)
    raise typer.Exit(0 if document["ok"] else 1)


def load(path: Path) -> tuple[RuleSet, int]:
    """The rules of a file or folder, and how many files they stand in."""
    from adapters.rulebook import read_rules, with_faults
    from engine.rules.ruleset import RuleSet

    texts, faults = read_rules([path])
    return with_faults(RuleSet.of(texts), faults), len(texts) + len(faults)


def findings(document: dict[str, Any]) -> str:
    """The answer in words."""
    lines = [f"{error['file']}:{error['line']}: {error['message']}" for error in document["errors"]]
    lines += [f"{doubt['file']}:{doubt['line']}: doubtful: {doubt['message']}" for doubt in document["doubts"]]
    lines += [
        f"{rule['file']}:{rule['line']}: ignored: {rule['title']}: {rule['reason']}" for rule in document["ignored"]
    ]
    if not document["files"]:
        return "no rule files (*.yml) are there"
    right, wrong, ignored = (len(document[name]) for name in ("rules", "errors", "ignored"))
    good = f"{plural(right, 'rule')} {'is' if right == 1 else 'are'} right"
    if document["doubts"]:
        good += f" ({plural(len(document['doubts']), 'doubt')})"
    lines.append(f"{plural(document['files'], 'file')}: {good}, {ignored:,} ignored, {plural(wrong, 'error')}")
    return "\n".join(lines)


def try_out(
    ctx: typer.Context,
    path: Rules,
    *,
    feed: Annotated[
        list[str], typer.Option("--feed", metavar="[NAME=]KIND:PATH", help="What to try the rules on, as for `run`.")
    ],
    limit: Annotated[int, typer.Option(min=0, help="Rows shown of each rule at most.")] = 10,
) -> None:
    """What rules would find in a feed, and what one condition alone kept them from finding. Records nothing."""
    from cli.trial import try_rules

    ruleset, _ = load(path)
    for error in ruleset.errors:
        note(str(error))
    document, problems = try_rules(ruleset, feed, limit)
    for problem in problems:
        note(problem)
    emit(ctx, document, outcome)
    raise typer.Exit(1 if problems or ruleset.errors else 0)


RECORDS = "record", "records"
COUNTED = "match of the rules that it counts", "matches of the rules that it counts"
"""What a correlation looks at."""


def outcome(document: dict[str, Any]) -> str:
    """Hits and near misses in words."""
    lines: list[str] = []
    for rule in document["rules"]:
        found = found_in(rule["hits"], rule["judged"], COUNTED if rule["counts"] else RECORDS)
        lines.append(f"{rule['title']} ({rule['level']}): {found}")
        lines += [f"    {row['ts'][:19]}Z  {row['src_ip']} -> {row['dst_ip']}  {row['note']}" for row in rule["rows"]]
        if rule["near_misses"]:
            lines.append(f"  {plural(rule['near_misses'], 'near miss', 'near misses')}")
        for row in rule["near"]:
            lines.append(f"    {row['ts'][:19]}Z  {row['src_ip']} -> {row['dst_ip']}  {row['note']}")
            lines.append(f"      failed: {row['failed']}; {row['found']}")
    total = sum(rule["hits"] for rule in document["rules"])
    lines.append(f"{plural(len(document['rules']), 'rule')}, {found_in(total, document['received'])}")
    return "\n".join(lines)


def found_in(hits: int, judged: int, noun: tuple[str, str] = RECORDS) -> str:
    """How many of how many."""
    return f"{plural(hits, 'hit')} in {plural(judged, *noun)}"
