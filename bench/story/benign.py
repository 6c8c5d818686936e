"""The tables of harmless life: which habits a machine has, and which machines an office has.

Rules:
    1. A habit is `habit(day, host, dice, rate)`; what `rate` means stands in its docstring.
    2. `PROFILES` gives each kind of machine its habits, `MAKEUPS` each flavour of office its machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bench.story import machines, people, trades
from bench.story.day import Day
from bench.story.dice import Dice
from bench.story.network import Host

Habit: TypeAlias = Callable[[Day, Host, Dice, float], None]
Habits: TypeAlias = tuple[tuple[Habit, float], ...]

PC: Final[Habits] = (
    (people.lease, 4),
    (people.clock, 1024),
    (people.log_on, 90),
    (people.chatter, 240),
    (people.stray_names, 2),
    (people.update, 0.8),
)
"""What every domain computer does."""

DESK: Final[Habits] = (
    *PC,
    (people.browse, 6),
    (people.mail, 300),
    (people.chat, 60),
    (people.office_suite, 10),
    (people.share, 5),
    (people.print_pages, 0.8),
    (people.call, 0.25),
    (people.push, 2),
)
"""What everybody at a desk does."""

SERVER: Final[Habits] = ((machines.time_keeper, 1024), (machines.licence_check, 900), (machines.night_jobs, 0.3))

PROFILES: Final[dict[str, Habits]] = {
    "clerk": (*DESK, (people.use_database, 25)),
    "seller": (*DESK, (people.call, 0.5), (people.use_database, 8)),
    "archivist": (*DESK, (people.keep_backup, 8)),
    "admin": (*DESK, (people.administer, 4), (people.develop, 1)),
    "developer": (*DESK, (people.develop, 6), (people.administer, 1.5), (people.watch, 0.2)),
    "agent": (*PC, (people.chat, 60), (trades.take_calls, 9), (people.use_database, 45), (people.mail, 300)),
    "pupil": (*PC, (people.browse, 9), (people.watch, 0.5), (trades.take_lessons, 1.0), (people.push, 2)),
    "teacher": (*DESK, (people.watch, 0.4), (trades.take_lessons, 0.5)),
    "clinician": (*DESK, (trades.send_images, 3), (people.use_database, 25)),
    "modality": (*PC, (trades.send_images, 6)),
    "handheld": ((people.lease, 4), (people.clock, 64), (trades.scan_goods, 90), (people.chatter, 300)),
    "remote": (*DESK, (trades.work_remotely, 0.6), (people.call, 0.5)),
    "researcher": (*DESK, (trades.do_research, 0.4), (people.develop, 2), (people.administer, 1)),
    "watchman": (*PC, (people.browse, 4), (people.chat, 60), (people.watch, 0.8), (people.mail, 300)),
    "guest": (
        (people.lease, 1),
        (people.chatter, 200),
        (trades.visit, 16),
        (people.push, 1),
        (people.watch, 0.3),
        (people.chat, 60),
    ),
    "printer": ((machines.announce, 300),),
    "phone": ((machines.ring, 1.5),),
    "router": ((machines.time_keeper, 512),),
    "dc": (*SERVER, (machines.forward_names, 900), (machines.replicate, 180)),
    "dc2": SERVER,
    "files": SERVER[:2],
    "mail": (*SERVER[:2], (machines.take_mail, 45), (machines.send_mail, 25), (machines.reverse_lookups, 10)),
    "web": (*SERVER[:2], (machines.be_visited, 60), (machines.reverse_lookups, 30)),
    "bastion": (*SERVER[:2], (machines.radiation, 40)),
    "monitor": (*SERVER[:2], (machines.monitor_all, 300), (machines.reverse_lookups, 30)),
    "database": SERVER[:2],
    "app": (*SERVER[:2], (machines.night_jobs, 1.0)),
    "pbx": SERVER[:2],
    "backup": (*SERVER[:2], (machines.take_backups, 0.7)),
}
"""Habits of each kind of machine, with their rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Makeup:
    """What an office is made of: its address range, the shares of its people, and how busy they are."""

    prefix: str
    people: dict[str, int] = field(default_factory=dict)
    pace: float = 1.0


MAKEUPS: Final[dict[str, Makeup]] = {
    "office": Makeup(prefix="10.20", people={"clerk": 18, "seller": 10, "archivist": 1, "developer": 7, "admin": 4}),
    "developers": Makeup(prefix="10.7", people={"developer": 30, "admin": 5, "clerk": 5}),
    "callcentre": Makeup(prefix="172.18", people={"agent": 32, "clerk": 5, "admin": 3}),
    "school": Makeup(prefix="10.40", people={"pupil": 30, "teacher": 7, "clerk": 2, "admin": 1}, pace=1.2),
    "clinic": Makeup(prefix="172.22", people={"clinician": 24, "modality": 8, "clerk": 6, "admin": 2}),
    "warehouse": Makeup(prefix="10.88", people={"handheld": 26, "clerk": 10, "seller": 2, "admin": 2}),
    "remote": Makeup(prefix="10.9", people={"remote": 32, "developer": 5, "admin": 3}),
    "lab": Makeup(prefix="172.30", people={"researcher": 26, "developer": 8, "clerk": 4, "admin": 2}),
    "night-shift": Makeup(
        prefix="192.168", people={"watchman": 5, "admin": 2, "handheld": 9, "archivist": 1}, pace=0.4
    ),
    "guests": Makeup(prefix="10.66", people={"guest": 30, "clerk": 7, "archivist": 1, "admin": 2}),
}
"""Ten offices of different make-up."""

FLAVOURS: Final = tuple(MAKEUPS)


def live(day: Day) -> Iterator[Host]:
    """Let every machine live its day; yields each when its day is written."""
    for host in day.network.inside:
        for number, (habit, rate) in enumerate(PROFILES[host.profile]):
            habit(day, host, Dice(day.seed, "habit", host.ip, habit.__name__, str(number)), rate)
        yield host
