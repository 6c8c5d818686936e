"""One day, from the tables to the files: `folder/zeek/*.log`, and `folder/truth.json` beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.story.attacks import ATTACKS, PLAYS, cast_of
from bench.story.benign import MAKEUPS, live
from bench.story.day import START, Day
from bench.story.dice import Dice
from bench.story.network import build_network, build_world
from bench.story.truth import Attack, Truth
from bench.story.zeek import SCHEMAS, write_log
from domain.errors import MyrmidonError
from domain.values import HOUR, Micros


class UnknownStoryPart(MyrmidonError):  # noqa: N818 - says what it is
    """A story was asked for with an attack or a flavour that is in no table, or too few hosts."""

    exit_code = 2


def write_day(
    folder: Path,
    *,
    seed: int,
    hosts: int = 40,
    hours: float = 9.0,
    start: Micros = START,
    attacks: Sequence[str] = ATTACKS,
    flavour: str = "office",
    progress: Callable[[float], None] | None = None,
) -> Truth:
    """Generate a day of an office and write it.

    Args:
        folder: gets `zeek/<log>.log` and `truth.json`.
        seed: the story; the same arguments give the same bytes.
        hosts: how many people work there, at least 4.
        hours: how long the day is; its habits and attacks keep their place in it.
        start: event time of its beginning.
        attacks: names from `PLAYS`; empty for a harmless day.
        flavour: the make-up of the office, one of `FLAVOURS`.
        progress: is told the share (0-1) that is done, now and then.

    Returns:
        What is hidden in the day.
    """
    _check("flavour", [flavour], tuple(MAKEUPS))
    _check("attack", attacks, tuple(PLAYS))
    if hosts < 4:
        raise UnknownStoryPart(
            f"hosts={hosts} is too small a story: its attacks play on 4 different clients, use 4 or more"
        )
    makeup = MAKEUPS[flavour]
    network = build_network(seed, prefix=makeup.prefix, profiles=makeup.people, hosts=hosts)
    day = Day(
        seed=seed,
        start=start,
        stop=start + int(hours * HOUR),
        network=network,
        world=build_world(seed),
        resolver=network.servers["dc"].ip,
        pace=makeup.pace,
    )
    for done, _host in enumerate(live(day), 1):
        if progress:
            progress(0.9 * done / len(network.inside))
    cast = cast_of(network, Dice(seed, "cast"))
    played = tuple(PLAYS[name](day, cast, Dice(seed, "attack", name)) for name in attacks)
    truth = Truth(
        attacks=tuple(sorted(played, key=lambda attack: attack.first_seen)),
        benign_hosts=_benign(day, played),
        rows_by_log={log: len(day.rows[log]) for log in SCHEMAS},
    )
    _write(folder, day, truth)
    if progress:
        progress(1.0)
    return truth


def _write(folder: Path, day: Day, truth: Truth) -> None:
    logs = folder / "zeek"
    logs.mkdir(parents=True, exist_ok=True)
    for log in SCHEMAS:
        write_log(logs / f"{log}.log", log, day.rows[log], opened=day.start, closed=day.stop)
    truth.save(folder / "truth.json")


def _benign(day: Day, played: tuple[Attack, ...]) -> tuple[str, ...]:
    guilty = {attack.entity for attack in played}
    guilty.update(*(attack.peers for attack in played if attack.kind == "flood"))
    return tuple(host.ip for host in day.network.inside if host.ip not in guilty)


def _check(what: str, names: Sequence[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise UnknownStoryPart(f"{what} {name!r} is in no story: use one of {', '.join(known)}")
