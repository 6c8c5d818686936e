"""The attacks of a story: one function each in a table, `attack(day, cast, dice) -> Attack`.

Rules:
    1. Each attack draws from dice of its own: leaving one out moves no row of the others or of harmless life.
    2. The infected host (`cast.infected`) scans, calls home and uploads; the others have a client of their own.
    3. `Attack.flows` holds the uids of every row that the attack put into conn.log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from bench.story.day import Day
from bench.story.dice import BASE32, LETTERS, Dice
from bench.story.network import Host, Network, public_address
from bench.story.truth import Attack
from domain.values import HOUR, SECOND, Micros, ThreatKind

Told: TypeAlias = list[tuple[Micros, str]]
"""Moments and uids of an attack's flows, in any order."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The hosts that play the victims' parts."""

    infected: Host
    second: Host
    third: Host
    fourth: Host


def cast_of(network: Network, dice: Dice) -> Cast:
    """Four different clients."""
    order = dice.rng.permutation(len(network.clients)).tolist()
    return Cast(*(network.clients[order[i % len(order)]] for i in range(4)))


def _attack(kind: ThreatKind, entity: str, peers: tuple[str, ...], told: Told) -> Attack:
    told = sorted(item for item in told if item[1])
    flows = tuple(uid for _, uid in told)
    return Attack(kind=kind, entity=entity, peers=peers, first_seen=told[0][0], last_seen=told[-1][0], flows=flows)


def scan(day: Day, cast: Cast, dice: Dice) -> Attack:
    """The infected client looks for one service on a whole /24 within minutes."""
    at, port = day.at(dice.between(0.25, 0.4)), dice.pick((445, 3389, 22))
    target = dice.pick(("0", cast.infected.ip.split(".")[2]))
    alive = {host.ip for host in day.network.inside}
    told, hit = [], []
    for last in dice.rng.permutation(254).tolist():
        dst = f"{day.network.prefix}.{target}.{last + 1}"
        if dst == cast.infected.ip:
            continue
        state = ("SF" if dice.chance(0.2) else "REJ") if dst in alive else "S0"
        out = 400 if state == "SF" else 0
        told.append((at, day.flow(dice, at, cast.infected.ip, dst, port, state=state, out=out, back=out)))
        hit.append(dst)
        at += int(dice.between(0.2, 1.1) * SECOND)
    return _attack("horizontal-scan", cast.infected.ip, tuple(sorted(hit)), told)


def scan_ports(day: Day, cast: Cast, dice: Dice) -> Attack:
    """One client tries a thousand ports of one server."""
    at, src = day.at(dice.between(0.5, 0.8)), cast.second.ip
    dst = day.network.servers[dice.pick(("database", "app", "files"))].ip
    told = []
    for port in (dice.rng.permutation(10_000)[:1000] + 1).tolist():
        told.append((at, day.flow(dice, at, src, dst, port, state="SF" if port in {445, 5432, 8080} else "REJ")))
        at += int(dice.between(0.02, 0.25) * SECOND)
    return _attack("vertical-scan", src, (dst,), told)


def guessing(day: Day, cast: Cast, dice: Dice) -> Attack:
    """Somebody, outside or inside, guesses passwords at the bastion; the last guess may be right."""
    at, outside = day.at(dice.between(0.1, 0.7)), dice.chance(0.6)
    src = public_address(dice.whole(0, 2**32 - 1)) if outside else cast.third.ip
    dst, told = day.network.servers["bastion"].ip, []
    count, lucky = dice.whole(250, 500), dice.chance(0.5)
    for number in range(count):
        success, client = lucky and number == count - 1, "SSH-2.0-libssh2_1.10.0"
        tries = 1 if success else dice.whole(1, 3)
        uid = day.ssh(
            dice,
            at,
            src,
            dst,
            success=success,
            tries=tries,
            duration=dice.span(2.4, 0.3),
            out=1800 + 60 * tries,
            client=client,
        )
        told.append((at, uid))
        at += int(dice.span(2.0, 0.5) * SECOND)
    return _attack("password-guessing", src, (dst,), told)


def beacon(day: Day, cast: Cast, dice: Dice) -> Attack:
    """The infected client calls home every minute (±5 %) for an hour and more, with little to say."""
    begin, home = day.at(dice.between(0.15, 0.3)), _home(day)
    end = min(begin + int(dice.between(2.0, 4.0) * HOUR), day.stop)
    told = []
    for at in dice.beat(begin, end, 60, 0.05):
        out, back = dice.whole(180, 260), dice.whole(120, 180)
        told.append((at, day.tls(dice, at, cast.infected.ip, "", dst=home, duration=0.3, out=out, back=back)))
    return _attack("beacon", cast.infected.ip, (home,), told)


def _home(day: Day) -> str:
    return public_address(Dice(day.seed, "command-and-control").whole(0, 2**32 - 1))


def exfiltration(day: Day, cast: Cast, dice: Dice) -> Attack:
    """One to two gigabytes leave the infected client in chunks, to a host that nobody has talked to before."""
    at, drop = day.at(dice.between(0.6, 0.75)), public_address(dice.whole(0, 2**32 - 1))
    left, told = dice.between(1.0e9, 2.0e9), []
    while left > 0:
        chunk, stay = dice.size(4.5e7, 0.3), dice.span(25.0, 0.3)
        told.append((at, day.tls(dice, at, cast.infected.ip, "", dst=drop, duration=stay, out=chunk, back=90_000)))
        left -= chunk
        at += int((stay + dice.between(2, 20)) * SECOND)
    return _attack("exfiltration", cast.infected.ip, (drop,), told)


def flood(day: Day, cast: Cast, dice: Dice) -> Attack:
    """The office's web server gets 20,000 short connections in two minutes, from a botnet or from one inside bot."""
    begin, web = day.at(dice.between(0.8, 0.95)), day.network.servers["web"].ip
    botnet = [public_address(dice.whole(0, 2**32 - 1)) for _ in range(dice.whole(120, 300))]
    sources = botnet if dice.chance(0.7) else [cast.fourth.ip]
    told, seen = [], set()
    for offset in (dice.rng.random(20_000) * 120 * SECOND).astype(int).tolist():
        at, src = begin + offset, dice.pick(sources)
        seen.add(src)
        if dice.chance(0.35):
            told.append((at, day.http(dice, at, src, web, "www.corp.example", "/", back=0, code=503, duration=0.6)))
        else:
            state = "S0" if dice.chance(0.7) else "RSTR"
            told.append((at, day.flow(dice, at, src, web, 80, state=state, duration=0.2)))
    return _attack("flood", web, tuple(sorted(seen)), told)


def dns_tunnel(day: Day, cast: Cast, dice: Dice) -> Attack:
    """A client carries data out inside DNS names of one domain, through the office's resolver."""
    at, src, told = day.at(dice.between(0.3, 0.7)), cast.second.ip, []
    for number in range(dice.whole(1500, 2500)):
        name = f"{dice.text(50, BASE32)}.{dice.text(48, BASE32)}.{number % 997:x}.t.cdn-sync.net"
        uid = day.lookup(dice, at, src, name, kind="TXT", answer=f"TXT 120 {dice.text(120, BASE32)}")
        told.append((at, uid))
        at += int(dice.span(0.5, 0.4) * SECOND)
    return _attack("dns-tunnel", src, (day.resolver,), told)


def generated_domains(day: Day, cast: Cast, dice: Dice) -> Attack:
    """A bot asks for names that a program made up, until one exists."""
    at, src, told = day.at(dice.between(0.35, 0.65)), cast.third.ip, []
    count = dice.whole(250, 400)
    for number in range(count):
        name = f"{dice.text(dice.whole(12, 18), LETTERS)}.{dice.pick(('com', 'net', 'biz', 'info', 'ru'))}"
        found = number == count - 1
        answer, rcode = (_home(day), "NOERROR") if found else ("", "NXDOMAIN")
        told.append((at, day.lookup(dice, at, src, name, answer=answer, rcode=rcode)))
        at += int(dice.span(1.2, 0.5) * SECOND)
    return _attack("generated-domains", src, (day.resolver,), told)


ATTACKS: Final = ("scan", "guessing", "beacon", "exfiltration", "flood")
"""The attacks of the demo."""

PLAYS: Final[dict[str, Callable[[Day, Cast, Dice], Attack]]] = {
    "scan": scan,
    "guessing": guessing,
    "beacon": beacon,
    "exfiltration": exfiltration,
    "flood": flood,
    "dns-tunnel": dns_tunnel,
    "generated-domains": generated_domains,
    "vertical-scan": scan_ports,
}
"""Every attack there is."""
