"""`myrmidon run`: the daemon."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import context_of
from cli.output import emit, note, plural

if TYPE_CHECKING:
    from scheduler.bootstrap import Parts
    from scheduler.runner import Runner


FAULTS = "see `myrmidon audit log --kind feed-fault`"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    ctx: typer.Context,
    feed: Annotated[
        list[str] | None,
        typer.Option(
            "--feed",
            metavar="[NAME=]KIND:PATH",
            help="A feed: kind zeek, eve, csv or parquet; a file, a folder or a glob. May be given several times.",
        ),
    ] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", help="Stop at the end of the feeds.")] = False,
    agents: Annotated[
        str, typer.Option("--agents", metavar="A,B", help="Agents that this process runs.")
    ] = "detector,responder",
) -> None:
    """Read feeds, detect threats, group them into incidents: the daemon."""
    from adapters.feeds import UsageError, check_names, parse_spec
    from scheduler.bootstrap import opened

    context = context_of(ctx)
    wanted = chosen_agents(agents)
    specs = [parse_spec(text) for text in feed or []]
    check_names(specs)
    if not specs and "detector" in wanted:
        raise UsageError("no feed: give --feed [NAME=]KIND:PATH, or --agents responder to follow another process")
    with opened(context.opened_home()) as parts:
        document, problems = hunt(parts, specs, wanted, until_eof=until_eof, quiet=context.json)
    emit(ctx, document, summary)
    raise typer.Exit(1 if problems else 0)


def chosen_agents(text: str) -> list[str]:
    """The agents named in a comma-separated list."""
    from scheduler.bootstrap import AGENTS

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(AGENTS))
    if unknown or not names:
        name = ", ".join(unknown) or repr(text)
        raise typer.BadParameter(f"there is no agent {name}; known are {', '.join(AGENTS)}")
    return names


def hunt(
    parts: Parts, specs: list[Any], agents: list[str], *, until_eof: bool, quiet: bool
) -> tuple[dict[str, Any], list[str]]:
    """Run over the feeds; returns the summary and what could not be processed."""
    from scheduler.bootstrap import running

    started = time.monotonic()
    with (
        progress_view(quiet=quiet) as tell,
        running(parts, specs, agents=agents, until_eof=until_eof, tell=tell, warn=note) as runner,
        stop_on_signal(runner),
    ):
        before = {name: hunt_.totals() for name, hunt_ in runner.hunts.items()}
        runner.run()
        seconds = time.monotonic() - started
        problems = tell_problems(runner, before)
    return summarise(parts, runner, seconds), problems


def tell_problems(runner: Runner, before: dict[str, dict[str, int]]) -> list[str]:
    """Say on standard error what could not be read, and what an operator should know of what was."""
    problems = [f"feed {problem.feed}: {problem.message}" for problem in runner.telemetry.problems]
    for name, hunt_ in runner.hunts.items():
        totals = hunt_.totals()
        if totals["received"] and totals["malformed"] == totals["received"]:
            problems.append(f"feed {name}: none of its {totals['received']:,} rows could be parsed; {FAULTS}")
        else:
            remarks(name, totals, {key: count - before[name][key] for key, count in totals.items()})
    for line in (*problems, *runner.telemetry.unfinished):
        note(line)
    return problems


def remarks(name: str, totals: dict[str, int], new: dict[str, int]) -> None:
    """What an operator should know of a feed that was read: of all its rows, and of those of this run."""
    if not totals["received"]:
        note(f"feed {name} yielded nothing: no data row was found in it")
    if totals["malformed"]:
        note(f"feed {name}: {totals['malformed']:,} malformed rows; {FAULTS}")
    if totals["received"] and totals["skipped"] == totals["received"]:
        note(
            f"feed {name}: all {totals['received']:,} rows were skipped: no detection reads a log of their type, which "
            "the name of the file tells where the log does not (conn.log, dns.log)"
        )
    if new["late"] * 2 > new["scored"] > 0:
        advice = "is the input sorted by time?"
        if totals["scored"] > new["scored"]:
            advice = "if this is another capture, give it a name of its own (--feed NAME=KIND:PATH) or another --home"
        note(
            f"feed {name}: {new['late']:,} of {new['scored']:,} scored rows were more than an hour behind the "
            f"feed's clock and changed no window: {advice}"
        )


def summarise(parts: Parts, runner: Runner, seconds: float) -> dict[str, Any]:
    """The JSON contract of a run: totals of its feeds, what stands in the log now, and how fast it went."""
    from dataclasses import asdict

    totals = [hunt_.totals() for hunt_ in runner.hunts.values()]
    counts = {
        name: sum(total[name] for total in totals) for name in ("received", "scored", "malformed", "skipped", "late")
    }
    mark = asdict(parts.journal.fingerprint())
    return {
        **counts,
        "threats": parts.views.count("threats"),
        "incidents": parts.views.count("incidents"),
        "seconds": round(seconds, 3),
        "flows_per_second": round(runner.stats.rows / seconds, 1) if seconds else 0.0,
        "peak_rss_mib": peak_rss_mib(),
        "log": {name: mark[name] for name in ("events", "head", "digest")},
    }


def peak_rss_mib() -> float:
    """Peak resident memory so far: of this process and of the largest that worked beside it (they have ended)."""
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(peaks) / 1024, 1)


def summary(document: dict[str, Any]) -> str:
    """The end of a run in words."""
    return (
        f"{plural(document['received'], 'row')} received: {document['scored']:,} scored ({document['late']:,} late), "
        f"{document['skipped']:,} skipped, {document['malformed']:,} malformed\n"
        f"{plural(document['threats'], 'threat')}, {plural(document['incidents'], 'incident')}; "
        f"{plural(document['log']['events'], 'fact')} in the log\n"
        f"{document['seconds']:.1f} s, {document['flows_per_second']:,.0f} rows/s, "
        f"peak {document['peak_rss_mib']:.0f} MiB"
    )


@contextmanager
def stop_on_signal(runner: Runner) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run after the pulse that is being worked on."""

    def stop(_number: int, _frame: object) -> None:
        runner.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_view(*, quiet: bool) -> Iterator[Any]:
    """A live line on a terminal: rows, rate, the feed's clock, threats. Silent elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _stats: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    started = time.monotonic()
    with Live(Text("starting"), console=Console(stderr=True), refresh_per_second=8, transient=True) as live:

        def tell(stats: Any) -> None:
            rate = stats.rows / max(time.monotonic() - started, 1e-9)
            clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(stats.clock / 1e6)) if stats.clock else "-"
            found = plural(stats.threats, "threat")
            live.update(Text(f"reading  {stats.rows:>10,} rows  {rate:>8,.0f}/s  clock {clock}  {found}"))

        yield tell
