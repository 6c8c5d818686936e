"""What servers and devices do on their own: one function per habit, `habit(day, host, dice, rate)`."""

from __future__ import annotations

from bench.story.day import Day
from bench.story.dice import HEX, Dice
from bench.story.network import Host, public_address
from domain.values import MINUTE, SECOND, Micros


def monitor_all(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The monitoring server pings every inside host each `rate` seconds and asks servers and devices by SNMP."""
    for sweep in dice.beat(day.start, day.stop, rate):
        for place, target in enumerate(day.network.inside):
            at = sweep + place * 37_000
            if target is host:
                continue
            out = 64 * 3
            up = _is_on(day, target, at)
            duration, back = (2.004, out) if up else (2.0, 0)
            day.flow(dice, at, host.ip, target.ip, 0, proto="icmp", duration=duration, out=out, back=back, sport=8)
            if target.profile in {"printer", "router"} or target.name in day.network.servers:
                day.flow(
                    dice,
                    at + SECOND,
                    host.ip,
                    target.ip,
                    161,
                    proto="udp",
                    service="snmp",
                    duration=0.02,
                    out=240,
                    back=460,
                )


def _is_on(day: Day, target: Host, at: Micros) -> bool:
    """Most machines run day and night; one in twelve is switched on by the person that uses it."""
    if target not in day.network.clients or not Dice(day.seed, "thrifty", target.ip).chance(1 / 12):
        return True
    return day.shift(target).arrive <= at < day.shift(target).leave


def reverse_lookups(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Names of the addresses in a server's own log, `rate` an hour; half have none."""
    for at in dice.times(day.start, day.stop, rate):
        name = ".".join(str(dice.whole(1, 254)) for _ in range(4)) + ".in-addr.arpa"
        if dice.chance(0.5):
            day.lookup(dice, at, host.ip, name, kind="PTR", rcode="NXDOMAIN")
        else:
            day.lookup(dice, at, host.ip, name, kind="PTR", answer=f"host-{dice.text(6)}.isp.net")


def forward_names(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The resolver's own questions go out over TLS (port 853): connections of `rate` seconds, one after another."""
    for upstream in range(2):
        at = day.start + int(dice.between(0, 20) * SECOND)
        ip = day.world.address("dot.resolver-net.org", upstream)
        while at < day.stop:
            stay = dice.span(rate, 0.5)
            day.tls(
                dice,
                at,
                host.ip,
                "dot.resolver-net.org",
                dst=ip,
                port=853,
                duration=stay,
                out=int(stay * 90),
                back=int(stay * 240),
            )
            at += int(stay * SECOND) + SECOND


def replicate(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The domain controllers copy changes to each other every `rate` seconds."""
    other = day.network.servers["dc2"].ip
    for at in dice.beat(day.start, day.stop, rate, 0.02):
        day.flow(
            dice,
            at,
            host.ip,
            other,
            49667,
            service="dce_rpc",
            duration=1.2,
            out=dice.size(9_000),
            back=dice.size(7_000),
        )


def take_backups(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The backup server pulls from the other servers, `rate` an hour: large inside transfers."""
    for at in dice.times(day.start, day.stop, rate):
        source = day.network.servers[dice.pick(("files", "database", "mail", "app"))].ip
        day.flow(
            dice,
            at,
            host.ip,
            source,
            445,
            service="gssapi,smb,krb",
            duration=dice.span(300.0),
            out=900_000,
            back=dice.size(3e8),
        )


def take_mail(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Mail from the world, each sender looked up in block lists (names that look made up and mostly do not exist)."""
    senders = [public_address(dice.whole(0, 2**32 - 1)) for _ in range(60)]
    for at in dice.times(day.start, day.stop, rate * day.pace):
        sender = dice.popular(senders)
        day.flow(
            dice,
            at,
            sender,
            host.ip,
            25,
            service="smtp",
            duration=dice.span(2.5),
            out=dice.size(22_000, 1.4),
            back=1100,
        )
        name = ".".join(reversed(sender.split(".")))
        day.lookup(
            dice, at + 200_000, host.ip, f"{name}.in-addr.arpa", kind="PTR", answer=f"mx{dice.whole(1, 9)}.isp.net"
        )
        for listing in ("zen.blocklist.org", "bl.mailreputation.net"):
            listed = dice.chance(0.1)
            day.lookup(
                dice,
                at + 400_000,
                host.ip,
                f"{name}.{listing}",
                answer="127.0.0.4" if listed else "",
                rcode="NOERROR" if listed else "NXDOMAIN",
            )


def send_mail(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Mail to the world, `rate` an hour."""
    for at in dice.times(day.start, day.stop, rate * day.pace):
        site = dice.popular(day.world.sites).name[4:]
        name = f"mx.{site}"
        day.lookup(dice, at, host.ip, site, kind="MX", answer=name)
        ip = day.resolve(dice, at, host.ip, name)
        day.flow(
            dice,
            at + 90_000,
            host.ip,
            ip,
            25,
            service="smtp,ssl",
            duration=dice.span(2.0),
            out=dice.size(20_000, 1.3),
            back=1500,
        )


def be_visited(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Visitors of the office's web site from anywhere, `rate` an hour, a few pages each; a search robot all day."""
    for at in dice.times(day.start, day.stop, rate):
        visitor = public_address(dice.whole(0, 2**32 - 1))
        for page in range(dice.whole(1, 6)):
            moment, uri = (
                at + int(page * dice.between(0.5, 20) * SECOND),
                f"/{dice.pick(('', 'about', 'shop', 'jobs', 'news'))}",
            )
            _visit(day, host, dice, moment, visitor=visitor, uri=uri)
    robot = public_address(dice.whole(0, 2**32 - 1))
    for at in dice.times(day.start, day.stop, 40):
        _visit(day, host, dice, at, visitor=robot, uri=f"/archive/{dice.whole(1, 900)}")


def _visit(day: Day, host: Host, dice: Dice, at: Micros, *, visitor: str, uri: str) -> None:
    back = dice.size(24_000, 1.0)
    if dice.chance(0.4):
        code = dice.popular((200, 200, 200, 404))
        day.http(dice, at, visitor, host.ip, "www.corp.example", uri, back=back, code=code, duration=dice.span(0.3))
    else:
        day.tls(dice, at, visitor, "www.corp.example", dst=host.ip, duration=dice.span(4.0), out=900, back=back)


def radiation(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The internet's background: `rate` probes an hour at what is open to it, each source once or twice."""
    ports = (23, 22, 445, 80, 3389, 8080, 5555, 2323, 6379, 1433, 81, 443)
    targets = [host.ip, *(day.network.servers[role].ip for role in ("web", "mail"))]
    for at in dice.times(day.start, day.stop, rate):
        source, target, port = public_address(dice.whole(0, 2**32 - 1)), dice.pick(targets), dice.popular(ports)
        for again in range(dice.whole(1, 2)):
            state = "S0" if dice.chance(0.8) else "REJ"
            day.flow(dice, at + again * 3 * SECOND, source, target, port, state=state, sport=40000 + again)
    for at in dice.times(day.start, day.stop, 0.3):
        source = public_address(dice.whole(0, 2**32 - 1))
        day.ssh(dice, at, source, host.ip, success=False, duration=1.5, client="SSH-2.0-Go")


def time_keeper(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A server's NTP at an exact beat of `rate` seconds to two public servers."""
    for turn in range(2):
        ip = day.world.address("pool.timeserver.org", turn)
        for at in dice.beat(day.start, day.stop, rate):
            day.flow(
                dice,
                at,
                host.ip,
                ip,
                123,
                proto="udp",
                service="ntp",
                duration=dice.span(0.02),
                out=48,
                back=48,
                sport=123,
            )


def licence_check(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A server's agents report to their maker every `rate` seconds (±20 %): small, regular, and harmless."""
    for at in dice.beat(day.start, day.stop, rate, 0.2):
        name = dice.popular(
            ("telemetry.os-update.com", "agent.monitoring-saas.com", f"{dice.text(6, HEX)}.os-update.com")
        )
        day.tls(dice, at, host.ip, name, duration=dice.span(0.6), out=dice.size(3_000), back=dice.size(2_000))


def ring(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A desk phone: it registers every 60 s at the inside exchange, and talks `rate` times an hour."""
    pbx = day.network.servers["pbx"].ip
    for at in dice.beat(day.start, day.stop, 60, 0.01):
        day.flow(dice, at, host.ip, pbx, 5060, proto="udp", service="sip", duration=0.03, out=620, back=540, sport=5060)
    for at in dice.times(day.start, day.stop, rate):
        stay = dice.span(180.0, 0.8)
        volume = int(stay * 8_600)
        day.flow(
            dice, at, host.ip, pbx, dice.whole(10000, 20000), proto="udp", duration=stay, out=volume, back=volume - 9000
        )


def announce(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A printer tells everybody that it is there, every `rate` seconds."""
    for at in dice.beat(day.start, day.stop, rate, 0.05):
        day.flow(dice, at, host.ip, "224.0.0.251", 5353, proto="udp", service="dns", duration=1.0, out=260, sport=5353)


def night_jobs(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Batch work of servers: they read from the file server and the database in bursts, `rate` an hour."""
    for at in dice.times(day.start, day.stop, rate):
        for step in range(dice.whole(2, 8)):
            role, port = dice.pick((("files", 445), ("database", 5432)))
            back = dice.size(4e6, 1.4)
            day.flow(
                dice,
                at + step * MINUTE // 3,
                host.ip,
                day.network.servers[role].ip,
                port,
                duration=dice.span(20.0),
                out=20_000,
                back=back,
            )
