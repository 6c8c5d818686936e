"""A day in the making: what happens on the wire, as rows of Zeek logs.

Rules:
    1. Habits and attacks only call the verbs of `Day` (`flow`, `lookup`, `tls`, `http`, `ssh`); each returns the uid.
    2. Nothing begins after the day's end (the verb returns ""), and what is still open then is cut there.
    3. A uid follows from the seed, the moment and the ends: rows keep theirs when other habits change.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from zlib import crc32

from bench.story.dice import HEX, Dice
from bench.story.network import Host, Network, World
from bench.story.zeek import stamp
from domain.values import MINUTE, SECOND, Micros

START: Final[Micros] = 1_772_438_400_000_000
"""When a story begins unless it is told otherwise: 2026-03-02T08:00:00Z, a Monday."""

STATES: Final[dict[str, tuple[str, int, int, float]]] = {
    "SF": ("ShADadFf", 4, 3, 5.0),
    "S0": ("S", 1, 0, 5.0),
    "S1": ("ShADad", 3, 2, 5.0),
    "REJ": ("Sr", 1, 1, 0.1),
    "RSTO": ("ShADadR", 4, 2, 0.1),
    "RSTR": ("ShADadr", 3, 3, 0.1),
}
"""TCP states: history, packets of its own (asker, answerer), seconds until Zeek logs it after its end."""

UDP_LINGER: Final = 60.0
LOOKUP_MEMORY: Final = 10 * MINUTE
CIPHERS: Final = (
    "TLSv13\tTLS_AES_128_GCM_SHA256\tx25519",
    "TLSv13\tTLS_AES_256_GCM_SHA384\tx25519",
    "TLSv12\tTLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\tsecp256r1",
)
QTYPES: Final = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65}
RCODES: Final = {"NOERROR": 0, "SERVFAIL": 2, "NXDOMAIN": 3}
SSH_TAIL: Final = "chacha20-poly1305@openssh.com\thmac-sha2-256-etm@openssh.com\tnone\tcurve25519-sha256\tssh-ed25519\t"


@dataclass(frozen=True, slots=True)
class Shift:
    """When a person is at work."""

    arrive: Micros
    lunch: Micros
    back: Micros
    leave: Micros


_CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
_MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
BROWSERS: Final = (
    _CHROME,
    f"{_CHROME} Edg/126.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    f"{_MAC} Safari/605.1.15",
)
"""User agents of browsers, as they are sent."""


def browser_of(host: str) -> str:
    """The browser of a host: always the same."""
    return BROWSERS[crc32(host.encode()) % len(BROWSERS)]


@dataclass(slots=True, kw_only=True)
class Day:
    """The span, the machines, the outside world and the rows so far, by log: (moment written, line)."""

    seed: int
    start: Micros
    stop: Micros
    network: Network
    world: World
    resolver: str
    pace: float = 1.0
    rows: dict[str, list[tuple[Micros, str]]] = field(default_factory=lambda: defaultdict(list))
    _asked: set[tuple[str, str, int]] = field(default_factory=set)
    _shifts: dict[str, Shift] = field(default_factory=dict)

    def at(self, share: float) -> Micros:
        """The moment at `share` (0-1) of the day."""
        return self.start + int(share * (self.stop - self.start))

    def shift(self, host: Host) -> Shift:
        """The hours of the person at `host`."""
        if host.ip not in self._shifts:
            dice = Dice(self.seed, "shift", host.ip)
            lunch, pause = dice.between(0.42, 0.52), dice.between(0.05, 0.10)
            self._shifts[host.ip] = Shift(
                self.at(dice.between(0.0, 0.1)),
                self.at(lunch),
                self.at(lunch + pause),
                self.at(dice.between(0.88, 1.0)),
            )
        return self._shifts[host.ip]

    def moments(self, dice: Dice, host: Host, per_hour: float) -> list[Micros]:
        """When the person at `host` does something that happens `per_hour` times in an hour of work."""
        shift = self.shift(host)
        times = dice.times(shift.arrive, shift.leave, per_hour * self.pace)
        return [at for at in times if not shift.lunch <= at < shift.back or dice.chance(0.2)]

    def flow(
        self,
        dice: Dice,
        ts: Micros,
        src: str,
        dst: str,
        port: int,
        *,
        proto: str = "tcp",
        service: str = "-",
        duration: float = 0.05,
        out: int = 0,
        back: int = 0,
        state: str = "SF",
        sport: int = 0,
    ) -> str:
        """One connection. A UDP flow without an answer has `back=0`; ICMP has its type and code as ports."""
        if not self.start <= ts < self.stop:
            return ""
        left = (self.stop - ts) / SECOND
        if duration > left:
            share = left / duration
            duration, out, back = left, int(out * share), int(back * share)
            state = "S1" if proto == "tcp" else state
        sport = sport or dice.whole(49152, 65535)
        uid = self._uid(ts, src, sport, dst, port)
        line, linger = _conn_line((ts, uid, src, sport, dst, port), (proto, service, state), (duration, out, back))
        self._write("conn", ts + int((duration + linger) * SECOND), line)
        return uid

    def lookup(
        self,
        dice: Dice,
        ts: Micros,
        src: str,
        name: str,
        *,
        kind: str = "A",
        answer: str = "",
        rcode: str = "NOERROR",
        resolver: str = "",
        back: int = 0,
    ) -> str:
        """One question to a resolver and its answer."""
        rtt = dice.span(0.002 if dice.chance(0.7) else 0.03)
        out, sport, resolver = len(name) + 18, dice.whole(49152, 65535), resolver or self.resolver
        back = back or out + (16 + len(answer) if answer else 60)
        uid = self.flow(
            dice, ts, src, resolver, 53, proto="udp", service="dns", duration=rtt, out=out, back=back, sport=sport
        )
        if uid:
            ttl = f"{dice.whole(30, 3600)}.000000" if answer else "-"
            line = (
                f"{stamp(ts)}\t{uid}\t{src}\t{sport}\t{resolver}\t53\tudp\t{dice.whole(1, 65535)}\t{rtt:.6f}\t{name}\t"
                f"1\tC_INTERNET\t{QTYPES[kind]}\t{kind}\t{RCODES[rcode]}\t{rcode}\tF\tF\tT\tT\t0\t"
                f"{answer or '-'}\t{ttl}\tF\n"
            )
            self._write("dns", ts + int(rtt * SECOND), line)
        return uid

    def resolve(self, dice: Dice, ts: Micros, src: str, name: str, *, turns: int = 1, resolver: str = "") -> str:
        """The address of `name`; asks for it unless `src` did so lately, and may get the next of its `turns` then."""
        key = (src, name, ts // LOOKUP_MEMORY)
        ip = self.world.address(name, crc32(repr(key).encode()) % turns)
        if key not in self._asked:
            self._asked.add(key)
            ahead = ts - int(dice.between(0.01, 0.08) * SECOND)
            self.lookup(dice, ahead, src, name, answer=ip, resolver=resolver)
            if dice.chance(0.3):
                self.lookup(dice, ahead + 200, src, name, kind=dice.pick(("AAAA", "HTTPS")), resolver=resolver)
        return ip

    def tls(
        self,
        dice: Dice,
        ts: Micros,
        src: str,
        name: str,
        *,
        duration: float,
        out: int,
        back: int,
        port: int = 443,
        dst: str = "",
        turns: int = 1,
        state: str = "SF",
        resolver: str = "",
    ) -> str:
        """A TLS connection to `name` (looked up unless `dst` is given)."""
        dst = dst or self.resolve(dice, ts, src, name, turns=turns, resolver=resolver)
        sport = dice.whole(49152, 65535)
        uid = self.flow(
            dice,
            ts,
            src,
            dst,
            port,
            service="ssl",
            duration=duration,
            out=out + 700,
            back=back + 3500,
            state=state,
            sport=sport,
        )
        if uid:
            line = (
                f"{stamp(ts + 9000)}\t{uid}\t{src}\t{sport}\t{dst}\t{port}\t{dice.popular(CIPHERS)}\t{name or '-'}\t"
                f"{'T' if dice.chance(0.3) else 'F'}\t-\t{'h2' if port == 443 else '-'}\tT\tCsiI\t-\t-\t-\n"
            )
            self._write("ssl", ts + 30_000, line)
        return uid

    def http(  # noqa: PLR0917 - who asks whom for what reads best in that order
        self,
        dice: Dice,
        ts: Micros,
        src: str,
        dst: str,
        name: str,
        uri: str,
        *,
        method: str = "GET",
        agent: str = "",
        out: int = 0,
        back: int = 2000,
        code: int = 200,
        duration: float = 0.2,
        port: int = 80,
        state: str = "SF",
    ) -> str:
        """One plain web request on a connection of its own."""
        sport = dice.whole(32768, 65535)
        uid = self.flow(
            dice,
            ts,
            src,
            dst,
            port,
            service="http",
            duration=duration,
            out=out + 380,
            back=back + 320,
            state=state,
            sport=sport,
        )
        if uid:
            says = {200: "OK", 304: "Not Modified", 404: "Not Found", 503: "Service Unavailable"}[code]
            line = (
                f"{stamp(ts + 5000)}\t{uid}\t{src}\t{sport}\t{dst}\t{port}\t1\t{method}\t{name or '-'}\t{uri}\t-\t1.1\t"
                f"{agent or browser_of(src)}\t-\t{out}\t{back}\t{code}\t{says}\t-\t-\t(empty)" + "\t-" * 9 + "\n"
            )
            self._write("http", ts + int(duration * SECOND), line)
        return uid

    def ssh(
        self,
        dice: Dice,
        ts: Micros,
        src: str,
        dst: str,
        *,
        success: bool,
        tries: int = 1,
        duration: float = 3.0,
        out: int = 2600,
        back: int = 3000,
        client: str = "SSH-2.0-OpenSSH_9.6",
    ) -> str:
        """One SSH connection with the outcome of its log-in."""
        sport = dice.whole(32768, 65535)
        uid = self.flow(dice, ts, src, dst, 22, service="ssh", duration=duration, out=out, back=back, sport=sport)
        if uid:
            inside = src.startswith(self.network.prefix + ".")
            line = (
                f"{stamp(ts + 20_000)}\t{uid}\t{src}\t{sport}\t{dst}\t22\t2\t{'T' if success else 'F'}\t{tries}\t"
                f"{'-' if inside else 'INBOUND'}\t{client}\tSSH-2.0-OpenSSH_8.9p1\t{SSH_TAIL}{_print_of(dst)}\n"
            )
            self._write("ssh", ts + int(min(duration, 20.0) * SECOND), line)
        return uid

    def _write(self, log: str, at: Micros, line: str) -> None:
        self.rows[log].append((min(at, self.stop), line))

    def _uid(self, *ends: object) -> str:
        mark = blake2b(repr((self.seed, ends)).encode(), digest_size=12).digest()
        return "C" + b64encode(mark, b"xY").decode()


def _print_of(dst: str) -> str:
    dice = Dice(0, "host-key", dst)
    return ":".join(dice.text(2, HEX) for _ in range(16))


def _conn_line(
    ends: tuple[Micros, str, str, int, str, int],
    nature: tuple[str, str, str],
    measures: tuple[float, int, int],
) -> tuple[str, float]:
    """The line of a connection, and how long after its end Zeek writes it."""
    (ts, uid, src, sport, dst, port), (proto, service, state), (duration, out, back) = ends, nature, measures
    frame, linger, history = (40 if proto == "tcp" else 28), UDP_LINGER, "-"
    if proto == "tcp":
        history, own, others, linger = STATES[state]
        pkts = own + out // 1400 + back // 2900, others + back // 1400 + out // 2900
        pkts = (own, others) if state in {"S0", "REJ"} else pkts
    else:
        pkts = (1 + out // 1250, (1 + back // 1250) if back else 0)
        history = "-" if proto == "icmp" else ("Dd" if back else "D")
        state = "OTH" if proto == "icmp" else ("SF" if back else "S0")
    alone = proto == "tcp" and state == "S0"
    sizes = "-\t-\t-" if alone else f"{duration:.6f}\t{out}\t{back}"
    line = (
        f"{stamp(ts)}\t{uid}\t{src}\t{sport}\t{dst}\t{port}\t{proto}\t{service}\t{sizes}\t{state}\t{_local(src)}\t"
        f"{_local(dst)}\t0\t{history}\t{pkts[0]}\t{out + pkts[0] * frame}\t{pkts[1]}\t{back + pkts[1] * frame}\t-\n"
    )
    return line, linger


def _local(ip: str) -> str:
    return "T" if ip.startswith(("10.", "192.168.", "172.1", "172.2", "172.3", "fe80:")) else "F"
