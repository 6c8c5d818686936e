"""The only place that knows all parts and wires them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from adapters.artifacts import Artifacts
from adapters.feeds import FeedSpec, ReadAhead, UsageError, open_telemetry
from adapters.lease import LeaseTaken, take
from adapters.log import open_log
from adapters.log.base import ChainedLog
from adapters.log.checkpoint import write_checkpoint
from adapters.rulebook import Rulebook
from adapters.views import Views
from config.home import Home
from config.settings import Settings, load_settings
from domain.journal import JournalError
from domain.values import Micros
from engine.heap import tame
from engine.rules.ruleset import RuleSet
from scheduler.crew import RESPONDER, Agent, crew
from scheduler.health import HealthWatch
from scheduler.hunt import Hunt, new_beside
from scheduler.jobs import Clockwork, Job
from scheduler.recovery import History, OrderBook, Recorded, histories, order_path, save_snapshot
from scheduler.restore import restore
from scheduler.runner import Pace, Runner, Stats
from scheduler.stalls import StallWatch
from scheduler.stock import take_stock
from scheduler.verdicts import Verdicts

AGENTS = ("detector", RESPONDER)
"""Agents that a run can be asked for; the projections follow in every run."""


SWITCH = 0.0005
"""Seconds that the thread that reads ahead may keep the interpreter while the one that judges waits for it."""


def wall_clock() -> Micros:
    """Now, in microseconds: the one place where the program looks at the clock."""
    return time.time_ns() // 1000


def to_stderr(line: str) -> None:
    """Tell an operator who waits for a command."""
    sys.stderr.write(f"{line}\n")


def settle(parts: Parts, patience: float = 30.0, warn: Callable[[str], None] = to_stderr) -> bool:
    """Let responder and views follow what was just recorded; False when a running daemon does that anyway.

    What it sets going in the world is waited for at most so many seconds.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(take(parts.home.log_location, "agent-responder"))
            agents = crew(parts.journal, parts.settings, parts.home, stack, wall_clock, warn=warn)
            appended = 1
            while appended:
                appended = sum(agent.catch_up() for agent in agents)
                for agent in agents:
                    agent.finish(patience)
            for agent in agents:
                agent.settle()
    except LeaseTaken:
        return False
    parts.views.catch_up(parts.journal)
    return True


def follow_views(parts: Parts) -> None:
    """Let the views follow, whoever else does so too."""
    parts.views.catch_up(parts.journal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An opened home."""

    home: Home
    settings: Settings
    journal: ChainedLog
    views: Views


@contextmanager
def opened(home: Home, *, now: Callable[[], Micros] = wall_clock, settings: Settings | None = None) -> Iterator[Parts]:
    """Log and views of a home, closed again at the end."""
    settings = settings or load_settings(home.config_file)
    with ExitStack() as stack:
        journal = open_log(home.log_location, now)
        stack.callback(journal.close)
        views = Views.open(home.views_location, journal)
        stack.callback(views.close)
        yield Parts(home=home, settings=settings, journal=journal, views=views)


@contextmanager
def running(
    parts: Parts,
    specs: Sequence[FeedSpec],
    *,
    agents: Sequence[str] = AGENTS,
    until_eof: bool,
    tell: Callable[[Stats], None] = lambda _stats: None,
    warn: Callable[[str], None] = lambda _line: None,
    now: Callable[[], Micros] = wall_clock,
) -> Iterator[Runner]:
    """A runner over the feeds, holding the locks of everything it runs."""
    tame()
    home, settings, journal = parts.home, parts.settings, parts.journal
    with ExitStack() as stack:
        for name in [*(f"agent-{agent}" for agent in agents), *(f"feed-{spec.name}" for spec in specs)]:
            stack.enter_context(take(home.log_location, name))
        begun = _begun(parts, specs, stack, now=now, warn=warn)
        telemetry = _reading(specs, settings, begun.recorded, until_eof=until_eof)
        stack.callback(telemetry.close)
        workers: list[Agent] = []
        if RESPONDER in agents:
            workers = crew(journal, settings, home, stack, now, alerts=warn, warn=warn, live=True)
        idle, new_rules = _nothing, _no_rules
        if not until_eof:
            jobs = _jobs(parts, telemetry, specs, now, workers)
            idle = stack.enter_context(Clockwork(jobs, journal, now)).drain
            new_rules = _now_and_then(lambda: reloaded(begun.book, warn), settings.rules.reload_every)
        yield Runner(
            journal=journal,
            until_eof=until_eof,
            telemetry=telemetry,
            hunts=begun.hunts,
            known=frozenset(name for name, history in begun.known.items() if history.opened),
            gaps=begun.gaps,
            orders=begun.orders,
            verdicts=begun.verdicts,
            agents=workers,
            views=_ViewsFollower(parts),
            pace=Pace(snapshot_rows=settings.run.snapshot_rows, view_rows=settings.run.view_rows),
            save=lambda hunt, resume: save_snapshot(home.snapshot(hunt.feed), hunt.rows, resume, hunt.dump()),
            idle=idle,
            tell=tell,
            warn=warn,
            new_rules=new_rules,
        )


def _nothing() -> None:
    """The jobs of a run that ends with its feeds."""


def _no_rules() -> RuleSet | None:
    """The rules of a run that ends with its feeds do not change."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """The hunts of a run, each where the log says that it stood, and what it needs to go on from there."""

    hunts: dict[str, Hunt]
    known: dict[str, History]
    recorded: dict[str, Recorded]
    gaps: dict[str, int]
    orders: dict[str, OrderBook]
    verdicts: Verdicts
    book: Rulebook


def _begun(
    parts: Parts,
    specs: Sequence[FeedSpec],
    stack: ExitStack,
    *,
    now: Callable[[], Micros],
    warn: Callable[[str], None],
) -> _Begun:
    """Hunts that go on from where the last run stood; what they hold is let go of with the stack."""
    home, settings, journal = parts.home, parts.settings, parts.journal
    artifacts = Artifacts(home.artifacts)
    beside = {spec.name: new_beside(settings) for spec in specs}
    for each in beside.values():
        stack.callback(each.close)
    known = histories(journal, [spec.name for spec in specs])
    for spec in specs:
        _same_kind(spec, known[spec.name])
    verdicts = Verdicts(journal, artifacts, warn)
    book = Rulebook(settings.rules.dir, shipped=settings.rules.shipped)
    rules = book.load()
    tell_errors(rules, warn)
    hunts = {
        spec.name: Hunt(
            spec.name,
            spec.kind,
            settings,
            artifacts,
            rules=rules,
            beside=beside[spec.name],
            verdicts=verdicts.between,
            warn=warn,
        )
        for spec in specs
    }
    recorded = {spec.name: Recorded.of(spec.name, journal.cursor(spec.name)) for spec in specs}
    for name, history in known.items():
        _whole(name, history, recorded[name].rows)
    gaps = {
        spec.name: restore(hunts[spec.name], spec, home.snapshot(spec.name), recorded[spec.name], known[spec.name])
        for spec in specs
    }
    take_stock(journal, artifacts, known, now=now, warn=warn)
    orders = {spec.name: OrderBook(order_path(home.snapshot(spec.name))) for spec in specs}
    for order in orders.values():
        stack.callback(order.close)
    return _Begun(hunts=hunts, known=known, recorded=recorded, gaps=gaps, orders=orders, verdicts=verdicts, book=book)


def _whole(feed: str, history: History, rows: int) -> None:
    """Refuse to go on with a feed that the log has a cursor of and no beginning."""
    if rows and history.opened is None:
        raise JournalError(
            f"feed {feed}: its cursor stands behind {rows:,} rows, and the log does not hold how it began: facts are "
            "missing; keep the log as it is, run `myrmidon audit verify`, and restore it from a backup"
        )


def _reading(
    specs: Sequence[FeedSpec], settings: Settings, recorded: Mapping[str, Recorded], *, until_eof: bool
) -> ReadAhead:
    """The feeds, each from where the log says it stands, read ahead by a thread."""
    feeds = open_telemetry(
        specs,
        follow=not until_eof,
        batch_rows=settings.run.batch_rows,
        batch_wait=settings.run.batch_wait,
        idle_release=settings.run.idle_release,
        resume={name: each.resume for name, each in recorded.items() if each.resume},
    )
    sys.setswitchinterval(SWITCH)
    return ReadAhead(feeds, [spec.name for spec in specs])


def tell_errors(rules: RuleSet, warn: Callable[[str], None]) -> None:
    """Say which rules are left out and why."""
    for error in rules.errors:
        warn(f"{error}: the rule is left out" if error.line else str(error))


def reloaded(book: Rulebook, warn: Callable[[str], None]) -> RuleSet | None:
    """The rules when they have changed since they were last read; says so, and what is wrong with them."""
    rules = book.changed()
    if rules is not None and book.gone:
        warn(str(rules.errors[0]))
    elif rules is not None:
        tell_errors(rules, warn)
        warn(f"rules were read again: {len(rules)} rules, version {rules.version}; live from the next ledger entry on")
    return rules


def _now_and_then(look: Callable[[], RuleSet | None], seconds: float) -> Callable[[], RuleSet | None]:
    """Look at most every so many seconds."""
    due = time.monotonic() + seconds

    def changed() -> RuleSet | None:
        nonlocal due
        if time.monotonic() < due:
            return None
        due = time.monotonic() + seconds
        return look()

    return changed


class _ViewsFollower:
    """The views as a follower of the runner."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def catch_up(self) -> int:
        return self._parts.views.catch_up(self._parts.journal)


def _same_kind(spec: FeedSpec, history: History) -> None:
    if history.opened and history.source != spec.kind:
        raise UsageError(
            f"feed {spec.name!r} was opened as {history.source} in this home; name this one apart: "
            f"--feed NAME={spec.kind}:{spec.path}"
        )


def _jobs(
    parts: Parts, telemetry: ReadAhead, specs: Sequence[FeedSpec], now: Callable[[], Micros], agents: Sequence[Agent]
) -> list[Job]:
    """What a live run does by the clock."""
    stalls = StallWatch(parts.journal, parts.views, now, parts.settings.response.stalled_after)

    def faults() -> list[str]:
        return [*(fault for agent in agents for fault in agent.faults()), *stalls.faults()]

    health = HealthWatch(
        parts.journal,
        now,
        feeds=[spec.name for spec in specs],
        quiet=telemetry.quiet_since,
        silent_after=parts.settings.run.silent_after,
        faults=faults,
    )

    def checkpoint() -> str:
        parts.home.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        made = write_checkpoint(parts.journal, parts.home.checkpoint, parts.home.signing_key, now)
        return f"position {made.position}"

    return [
        Job(name="health", seconds=parts.settings.run.health_every, work=health.report),
        Job(name="workflows", seconds=parts.settings.run.health_every, work=stalls.look),
        Job(name="checkpoint", seconds=parts.settings.run.checkpoint_every, work=checkpoint),
    ]
