"""Habits that only some trades have: one function per habit, `habit(day, host, dice, rate)`."""

from __future__ import annotations

from bench.story.day import Day
from bench.story.dice import Dice
from bench.story.network import Host
from domain.values import MINUTE, SECOND


def send_images(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A clinic's devices store and fetch studies (DICOM, hundreds of megabytes inside), `rate` an hour; HL7 notes."""
    archive = day.network.servers["app"].ip
    for at in day.moments(dice, host, rate):
        stores, big = dice.chance(0.5), dice.size(6e7, 1.2)
        out, back = (big, 60_000) if stores else (40_000, big)
        day.flow(dice, at, host.ip, archive, 11112, duration=dice.span(25.0), out=out, back=back)
    for at in day.moments(dice, host, rate * 4):
        day.flow(dice, at, host.ip, archive, 2575, duration=dice.span(0.3), out=dice.size(1_400, 0.5), back=180)


def scan_goods(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A hand-held in a warehouse: a tiny request for each parcel, `rate` an hour, and a keep-alive every 30 s."""
    store = day.network.servers["app"].ip
    for at in day.moments(dice, host, rate):
        uri = f"/wms/pick?item={dice.whole(10**7, 10**8)}"
        day.http(
            dice, at, host.ip, store, "wms.corp.example", uri, agent="Handheld/4.2", back=dice.size(700, 0.4), port=8080
        )
    shift = day.shift(host)
    for at in dice.beat(shift.arrive, shift.leave, 30, 0.03):
        day.flow(dice, at, host.ip, store, 4321, proto="udp", duration=0.01, out=40, back=40)


def work_remotely(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Somebody at home, through the VPN: remote desktops for hours, `rate` an hour; sometimes the line drops."""
    for at in day.moments(dice, host, rate):
        stay = dice.span(3000.0, 0.7)
        target = day.network.servers[dice.popular(("app", "files"))].ip
        out, back = int(stay * dice.between(1e3, 4e3)), int(stay * dice.between(2e4, 9e4))
        for drop in range(dice.whole(0, 3)):
            day.flow(dice, at + drop * 4 * SECOND, host.ip, target, 3389, state="S0")
        day.flow(dice, at + 20 * SECOND, host.ip, target, 3389, service="rdp,ssl", duration=stay, out=out, back=back)


def do_research(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A laboratory: data sets come down (gigabytes), and results go up all day to its usual computing centre."""
    for at in day.moments(dice, host, rate):
        back = dice.size(3e8, 1.0)
        day.tls(
            dice, at, host.ip, "data.genome-archive.org", turns=2, duration=dice.span(400.0), out=200_000, back=back
        )
    centre = day.world.address("login.computing-centre.edu")
    shift = day.shift(host)
    for at in dice.beat(shift.arrive, shift.leave, 1800, 0.3):
        out = dice.size(1.2e7, 0.6)
        day.ssh(dice, at, host.ip, centre, success=True, duration=dice.span(60.0), out=out, back=90_000)


def visit(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A guest's phone: apps that ask a public resolver and talk QUIC, `rate` bursts an hour."""
    resolver = "9.9.9.9" if dice.chance(0.5) else "8.8.8.8"
    apps = [
        f"{kind}.{site.name[4:]}" for site in dice.sample(day.world.sites, 25) for kind in ("api", "app-measurement")
    ]
    for at in day.moments(dice, host, rate):
        for _ in range(dice.whole(1, 5)):
            moment, name = at + int(dice.between(0, 4) * SECOND), dice.popular(apps)
            out, back, stay = dice.size(2_500, 0.9), dice.size(25_000, 1.6), dice.span(12.0)
            if dice.chance(0.5):
                day.tls(dice, moment, host.ip, name, duration=stay, out=out, back=back, resolver=resolver)
            else:
                ip = day.resolve(dice, moment, host.ip, name, resolver=resolver)
                day.flow(dice, moment, host.ip, ip, 443, proto="udp", service="quic", duration=stay, out=out, back=back)


def take_calls(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A call centre's seat: a soft phone at the inside exchange, `rate` calls an hour; it registers every minute."""
    pbx, shift = day.network.servers["pbx"].ip, day.shift(host)
    for at in dice.beat(shift.arrive, shift.leave, 60, 0.02):
        day.flow(dice, at, host.ip, pbx, 5060, proto="udp", service="sip", duration=0.03, out=600, back=520, sport=5060)
    for at in day.moments(dice, host, rate):
        stay = dice.span(240.0, 0.7)
        volume = int(stay * 8_600)
        port = dice.whole(10000, 20000)
        day.flow(dice, at, host.ip, pbx, port, proto="udp", duration=stay, out=volume, back=volume + 4000)


def take_lessons(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A class opens the same page in the same minute, `rate` lessons an hour, and all hand in at its end."""
    lessons = Dice(day.seed, "lessons").times(day.start, day.stop, rate)
    shift = day.shift(host)
    for number, lesson in enumerate(lessons):
        if not shift.arrive <= lesson < shift.leave or dice.chance(0.3):
            continue
        name = day.world.sites[number % 20].name
        for page in range(4):
            at = lesson + int((page * 150 + dice.between(0, 60)) * SECOND)
            day.tls(dice, at, host.ip, name, duration=dice.span(9.0), out=2_000, back=dice.size(80_000, 1.0))
        at = lesson + 40 * MINUTE + int(dice.between(0, 90) * SECOND)
        day.tls(dice, at, host.ip, "upload.classroom.org", duration=6.0, out=dice.size(400_000, 1.0), back=4_000)
