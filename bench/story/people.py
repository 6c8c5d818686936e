"""What people and their machines do: one function per habit, `habit(day, host, dice, rate)`.

`rate` is how often in an hour of work, or for machines' habits the beat in seconds; `benign.py` has the tables.
"""

from __future__ import annotations

from bench.story.day import Day
from bench.story.dice import BASE32, HEX, LETTERS, Dice
from bench.story.network import Host
from domain.values import HOUR, MINUTE, SECOND, Micros


def browse(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Bursts of pages: a site and its parts on content networks, `rate` bursts an hour."""
    favourites = dice.sample(day.world.sites, 40)
    for at in day.moments(dice, host, rate):
        site = dice.popular(favourites if dice.chance(0.7) else day.world.sites)
        for page in range(dice.whole(1, 3)):
            opened = at + int(page * dice.between(8, 60) * SECOND)
            _page(day, host, dice, opened, site.name)
            for part in dice.sample(site.parts, dice.whole(1, len(site.parts))):
                later = opened + int(dice.between(0.05, 2.5) * SECOND)
                _page(day, host, dice, later, part)


def _page(day: Day, host: Host, dice: Dice, at: Micros, name: str) -> None:
    back, out, stay = dice.size(18_000, 1.5), dice.size(1_200, 0.8), dice.span(18.0, 1.3)
    if dice.chance(0.08):
        ip = day.resolve(dice, at, host.ip, name)
        code = dice.popular((200, 200, 304, 404))
        day.http(dice, at, host.ip, ip, name, f"/{dice.text(8)}.html", back=back, code=code, duration=dice.span(0.4))
    elif dice.chance(0.2):
        ip = day.resolve(dice, at, host.ip, name)
        day.flow(
            dice, at, host.ip, ip, 443, proto="udp", service="quic", duration=stay, out=out + 1250, back=back + 3000
        )
    else:
        state = "SF" if dice.chance(0.85) else dice.pick(("RSTO", "RSTR", "S1"))
        day.tls(dice, at, host.ip, name, duration=stay, out=out, back=back, state=state)


def watch(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A video in chunks from a stream's hashed host names: large downloads."""
    for at in day.moments(dice, host, rate):
        name = f"r{dice.whole(1, 9)}---sn-{dice.text(8)}.videostreams.com"
        for chunk in range(dice.whole(3, 12)):
            day.tls(
                dice,
                at + chunk * 20 * SECOND,
                host.ip,
                name,
                duration=dice.span(15.0),
                out=4000,
                back=dice.size(6e6, 0.5),
            )


def mail(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Mail is looked for every `rate` seconds (±10 %), read, sometimes sent; some mistype their password."""
    shift, server = day.shift(host), day.network.servers["mail"].ip
    for at in dice.beat(shift.arrive, shift.leave, rate, 0.1):
        back = dice.size(60_000, 1.5) if dice.chance(0.25) else dice.whole(600, 1200)
        day.tls(
            dice, at, host.ip, "mail.corp.example", dst=server, port=993, duration=dice.span(0.8), out=500, back=back
        )
    for at in day.moments(dice, host, 1.5):
        out = dice.size(25_000, 1.6)
        day.tls(
            dice, at, host.ip, "mail.corp.example", dst=server, port=465, duration=dice.span(1.5), out=out, back=900
        )
    if dice.chance(0.3):
        for slip in range(dice.whole(1, 3)):
            at = shift.arrive + int((20 + slip * dice.between(4, 9)) * SECOND)
            day.tls(dice, at, host.ip, "mail.corp.example", dst=server, port=993, duration=2.1, out=120, back=90)


def chat(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A popular service that all have open: a long connection; half also a heartbeat each `rate` seconds (±8 %)."""
    shift, at = day.shift(host), day.shift(host).arrive
    while at < shift.leave:
        stay = dice.between(1200, 6000)
        day.tls(
            dice,
            at,
            host.ip,
            "wss.teamchat-app.com",
            turns=6,
            duration=stay,
            out=dice.size(stay * 12, 0.3),
            back=dice.size(stay * 60, 0.5),
        )
        at += int((stay + dice.between(1, 20)) * SECOND)
    if dice.chance(0.5):
        return
    for beat in dice.beat(shift.arrive, shift.leave, rate, 0.08):
        out, back = dice.whole(380, 900), dice.whole(300, 1500)
        name = "presence.teamchat-app.com"
        day.tls(dice, beat, host.ip, name, turns=2, duration=dice.span(0.4, 0.4), out=out, back=back)


def office_suite(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Documents in the cloud: saves and polls, `rate` an hour."""
    for at in day.moments(dice, host, rate):
        name = dice.popular(
            ("docs.officecloud.com", "files.officecloud.com", "crm.salesdesk.com", "login.identityhub.com")
        )
        out, back = dice.size(6_000, 1.4), dice.size(30_000, 1.4)
        day.tls(dice, at, host.ip, name, turns=5, duration=dice.span(25.0, 1.0), out=out, back=back)


def call(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Video calls: a relay by UDP, long and heavy both ways; `rate` an hour."""
    for at in day.moments(dice, host, rate):
        stay = dice.span(1500.0, 0.5)
        relay = day.resolve(dice, at, host.ip, "relay.meetings-video.com", turns=12)
        day.tls(dice, at, host.ip, "api.meetings-video.com", turns=4, duration=stay + 9, out=40_000, back=90_000)
        volume = stay * dice.between(120_000, 190_000)
        day.flow(
            dice,
            at + 2 * SECOND,
            host.ip,
            relay,
            3478 + dice.whole(0, 3),
            proto="udp",
            service="stun",
            duration=stay,
            out=int(volume * dice.between(0.6, 1.0)),
            back=int(volume * dice.between(0.8, 1.4)),
        )


def share(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Files on the office's server over SMB: some sessions are large, both ways."""
    for at in day.moments(dice, host, rate):
        reads = dice.chance(0.7)
        big, small = dice.size(900_000, 2.0), dice.size(30_000, 0.8)
        day.flow(
            dice,
            at,
            host.ip,
            day.network.servers["files"].ip,
            445,
            service="gssapi,smb,krb",
            duration=dice.span(200.0, 1.2),
            out=small if reads else big,
            back=big if reads else small,
            state=dice.popular(("SF", "RSTO", "RSTR")),
        )


def log_on(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The domain: tickets, directory and policies at log-on and every `rate` minutes (±25 %), both controllers."""
    shift = day.shift(host)
    for at in [shift.arrive + 5 * SECOND, *dice.beat(shift.arrive, shift.leave, rate * 60, 0.25)]:
        dc = day.network.servers[dice.popular(("dc", "dc2"))].ip
        day.lookup(dice, at, host.ip, "_ldap._tcp.dc._msdcs.corp.example", kind="SRV", answer="dc.corp.example")
        day.flow(dice, at + 9000, host.ip, dc, 389, proto="udp", service="ldap_udp", duration=0.001, out=190, back=180)
        for _ in range(dice.whole(2, 4)):
            ticket = at + int(dice.between(0.01, 0.3) * SECOND)
            day.flow(dice, ticket, host.ip, dc, 88, service="krb_tcp", duration=0.01, out=1500, back=1600)
        day.flow(dice, at + 40_000, host.ip, dc, 389, service="ldap_tcp", duration=dice.span(5.0), out=4200, back=9_000)
        policies = dice.size(45_000, 0.5)
        day.flow(dice, at + 90_000, host.ip, dc, 445, service="gssapi,smb,krb", duration=11.0, out=9_000, back=policies)
        day.flow(dice, at + 95_000, host.ip, dc, 135, service="dce_rpc", duration=0.4, out=700, back=500)


def print_pages(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Documents to a printer, `rate` an hour; the old printer's address is still configured and down."""
    for at in day.moments(dice, host, rate):
        printer = dice.popular(day.network.printers).ip
        day.flow(dice, at, host.ip, printer, 9100, duration=dice.span(6.0), out=dice.size(350_000, 1.2), back=300)
    if dice.chance(0.25):
        for at in day.moments(dice, host, 1.5):
            gone = f"{day.network.prefix}.200.99"
            for again in (0, 3, 9):
                day.flow(dice, at + again * SECOND, host.ip, gone, 9100, state="S0")


def chatter(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """What machines say to everybody: mDNS, SSDP, NetBIOS and LLMNR, IPv4 and IPv6, every `rate` seconds or so."""
    shift, prefix = day.shift(host), day.network.prefix
    everybody = (
        ("224.0.0.251", 5353, "dns", 90),
        ("239.255.255.250", 1900, "-", 700),
        ("224.0.0.252", 5355, "dns", 44),
        (f"{prefix}.255.255", 137, "dns", 150),
        (f"{prefix}.255.255", 138, "-", 210),
    )
    for at in dice.beat(shift.arrive, shift.leave, rate, 0.4):
        group, port, service, out = dice.popular(everybody)
        sport = port if port in {137, 138, 5353} else 0
        day.flow(dice, at, host.ip, group, port, proto="udp", service=service, duration=3.0, out=out, sport=sport)
        if dice.chance(0.4):
            day.flow(
                dice,
                at,
                host.link_local,
                "ff02::fb",
                5353,
                proto="udp",
                service="dns",
                duration=1.0,
                out=90,
                sport=5353,
            )


def stray_names(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Names that do not exist: search suffixes, WPAD, a browser's three random probes; `rate` an hour."""
    for at in day.moments(dice, host, rate):
        name = dice.popular(("wpad", "isatap", "printserver", "intranet-old", dice.pick(day.world.sites).name))
        day.lookup(dice, at, host.ip, f"{name}.corp.example", rcode="NXDOMAIN")
    for _ in range(3):
        probe = dice.text(dice.whole(7, 15), LETTERS)
        day.lookup(dice, day.shift(host).arrive + 30 * SECOND, host.ip, f"{probe}.corp.example", rcode="NXDOMAIN")


def clock(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """NTP at an exact beat of 64 to 1024 s (`rate` picks the longest), at a controller or a public server."""
    shift, period = day.shift(host), dice.popular([beat for beat in (1024, 512, 256, 128, 64) if beat <= rate])
    public = day.world.address("pool.timeserver.org", dice.whole(0, 7))
    dst = day.network.servers["dc"].ip if dice.chance(0.7) else public
    for at in dice.beat(shift.arrive, shift.leave, period):
        answer = 48 if dice.chance(0.99) else 0
        day.flow(
            dice,
            at,
            host.ip,
            dst,
            123,
            proto="udp",
            service="ntp",
            duration=dice.span(0.02),
            out=48,
            back=answer,
            sport=123,
        )


def lease(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """DHCP at arrival and every `rate` hours."""
    at, router = day.shift(host).arrive, day.network.servers["router"].ip
    day.flow(dice, at, "0.0.0.0", "255.255.255.255", 67, proto="udp", service="dhcp", out=300, sport=68)  # noqa: S104 - DHCP asks from it
    while at < day.shift(host).leave:
        day.flow(dice, at + SECOND, host.ip, router, 67, proto="udp", service="dhcp", out=300, back=320, sport=68)
        at += int(rate * HOUR)


def update(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Updates of system and virus scanner: hashed names, reputation asked by DNS; `rate` an hour, day-wide."""
    shift = day.shift(host)
    for at in dice.times(shift.arrive, shift.leave, rate):
        name = f"{dice.text(2, HEX)}.tlu.dl.delivery.os-update.com"
        ip = day.resolve(dice, at, host.ip, name)
        for part in range(dice.whole(1, 4)):
            uri = f"/filestreamingservice/files/{dice.text(32, HEX)}"
            day.http(
                dice,
                at + part * 2 * SECOND,
                host.ip,
                ip,
                name,
                uri,
                agent="Microsoft-Delivery-Optimization/10.0",
                back=dice.size(1.5e6, 1.2),
                duration=dice.span(3.0),
            )
    for at in dice.times(shift.arrive, shift.leave, rate * 3):
        mark = f"{dice.text(26, BASE32)}.{dice.whole(1, 99)}.avqs.reputation-av.com"
        day.lookup(dice, at, host.ip, mark, answer=f"127.0.0.{dice.whole(2, 9)}")


def push(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The push channels of phones and browsers: one connection for hours (port 5223 or 5228); `rate` hours each."""
    shift = day.shift(host)
    name, port = dice.pick((("mtalk.pushmsgs.com", 5228), ("courier.pushapple.com", 5223)))
    at = shift.arrive
    while at < shift.leave:
        stay = dice.span(rate * 3600, 0.4)
        out = int(stay * dice.between(1, 3))
        day.tls(dice, at, host.ip, name, port=port, turns=8, duration=stay, out=out, back=2 * out)
        at += int(stay * SECOND) + MINUTE


def keep_backup(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """A cloud backup that runs all day to its usual peer: about `rate` megabytes up in every quarter of an hour."""
    ip = day.world.address("eu1.vaultbackup.com")
    day.resolve(dice, day.start + 2 * SECOND, host.ip, "eu1.vaultbackup.com")
    for at in dice.beat(day.start, day.stop, 900, 0.3):
        out = dice.size(rate * 1e6, 0.4)
        day.tls(dice, at, host.ip, "eu1.vaultbackup.com", dst=ip, duration=dice.span(200.0), out=out, back=60_000)


def administer(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Administrators' sessions on the servers, `rate` an hour; one in eight begins with a mistyped password."""
    for at in day.moments(dice, host, rate):
        server = day.network.servers[dice.popular(("bastion", "web", "database", "app", "monitor", "mail"))].ip
        if dice.chance(0.12):
            day.ssh(dice, at, host.ip, server, success=False, tries=dice.whole(1, 2), duration=dice.span(6.0))
        stay = dice.span(400.0, 1.2)
        out, back = dice.size(9_000, 1.2), dice.size(40_000, 1.4)
        day.ssh(dice, at + 15 * SECOND, host.ip, server, success=True, duration=stay, out=out, back=back)


def develop(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """Developers: git, packages and images, `rate` an hour, and the office's database."""
    for at in day.moments(dice, host, rate):
        name, back = dice.popular(
            (
                ("api.codeforge.com", 40_000),
                ("codeforge.com", 600_000),
                ("registry.packages.org", 2e6),
                ("images.docks.io", 3e7),
            )
        )
        for layer in range(dice.whole(1, 6)):
            moment = at + int(layer * dice.between(0.1, 2.0) * SECOND)
            day.tls(
                dice,
                moment,
                host.ip,
                name,
                turns=3,
                duration=dice.span(3.0),
                out=dice.size(3_000),
                back=dice.size(back, 1.0),
            )
        if dice.chance(0.3):
            ip = day.resolve(dice, at, host.ip, "codeforge.com", turns=3)
            day.ssh(dice, at, host.ip, ip, success=True, duration=2.5, out=dice.size(20_000), back=dice.size(50_000))


def use_database(day: Day, host: Host, dice: Dice, rate: float) -> None:
    """The office's application and its database: many short questions, `rate` an hour."""
    servers = day.network.servers
    for at in day.moments(dice, host, rate):
        if dice.chance(0.6):
            ip, uri, back = servers["app"].ip, f"/orders/{dice.whole(1, 9999)}", dice.size(9_000)
            day.http(dice, at, host.ip, ip, "app.corp.example", uri, back=back, port=8080)
        else:
            back = dice.size(20_000, 1.4)
            day.flow(dice, at, host.ip, servers["database"].ip, 5432, duration=dice.span(2.0), out=1500, back=back)
