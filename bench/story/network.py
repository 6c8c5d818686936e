"""The inventory: the inside hosts of an office and the outside world that they talk to.

Rules:
    1. The inside is one /16: servers in x.y.0, clients from x.y.1 on, printers in x.y.200, phones in x.y.201.
    2. A name outside has addresses that follow from the seed and the name alone; none lies in a reserved range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from bench.story.dice import BASE36, HEX, Dice

SERVERS: Final[dict[str, int]] = {
    "router": 1,
    "dc": 10,
    "dc2": 11,
    "files": 20,
    "mail": 25,
    "web": 40,
    "bastion": 41,
    "monitor": 50,
    "database": 60,
    "app": 61,
    "pbx": 70,
    "backup": 80,
}
"""Role of each server and its place in the servers' /24."""

FIRST_OCTETS: Final = (
    5,
    13,
    18,
    20,
    23,
    34,
    35,
    37,
    40,
    44,
    45,
    46,
    52,
    54,
    62,
    64,
    66,
    77,
    80,
    82,
    85,
    87,
    91,
    93,
    95,
)
FIRST_OCTETS_MORE: Final = (
    104,
    108,
    128,
    130,
    138,
    142,
    151,
    157,
    162,
    176,
    178,
    185,
    188,
    193,
    194,
    195,
    199,
    204,
    212,
)
PUBLIC: Final = FIRST_OCTETS + FIRST_OCTETS_MORE
WORDS: Final = (
    "north",
    "river",
    "blue",
    "stone",
    "market",
    "daily",
    "green",
    "cloud",
    "paper",
    "light",
    "metro",
    "sun",
    "open",
    "first",
    "trade",
    "home",
    "news",
    "sport",
    "travel",
    "garden",
    "photo",
    "recipe",
    "weather",
    "city",
    "music",
    "auto",
    "health",
    "stock",
    "deal",
    "craft",
    "book",
    "game",
    "wood",
    "star",
    "lake",
)
ENDINGS: Final = ("com", "com", "com", "org", "net", "io", "de", "co.uk", "fr", "eu")
TRACKERS: Final = tuple(
    f"{name}.com"
    for name in (
        "www.tag-gateway",
        "stats.pagemetrics",
        "px.adsrvr-sync",
        "fonts.typestatic",
        "ajax.libhosting",
        "cdn.consent-box",
        "connect.socialnet",
        "pixel.reachtrack",
        "sdk.pushmsgs",
        "static.videoembed",
    )
)


def public_address(number: int) -> str:
    """A public IPv4 address that follows from `number`."""
    first = PUBLIC[number % len(PUBLIC)]
    return f"{first}.{(number >> 8) % 254 + 1}.{(number >> 16) % 254 + 1}.{(number >> 24) % 253 + 1}"


@dataclass(frozen=True, slots=True)
class Host:
    """One inside machine; `profile` names its habits."""

    name: str
    ip: str
    profile: str

    @property
    def link_local(self) -> str:
        """Its IPv6 link-local address."""
        mark = crc32(self.ip.encode())
        return f"fe80::{mark >> 16:x}:{mark & 0xFFFF:x}"


@dataclass(frozen=True, slots=True)
class Site:
    """One web site: its own name and the names that its pages pull from."""

    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """All machines of the office."""

    prefix: str
    domain: str
    clients: tuple[Host, ...]
    servers: dict[str, Host]
    printers: tuple[Host, ...]
    phones: tuple[Host, ...]

    @property
    def inside(self) -> tuple[Host, ...]:
        """Every inside host, servers first."""
        return (*self.servers.values(), *self.clients, *self.printers, *self.phones)


@dataclass(slots=True)
class World:
    """The outside: web sites by popularity, and the address of any name."""

    seed: int
    sites: tuple[Site, ...]
    _known: dict[str, str] = field(default_factory=dict)

    def address(self, name: str, turn: int = 0) -> str:
        """Address of `name`; `turn` counts through the addresses of a big service."""
        key = f"{self.seed}/{name}/{turn}"
        if key not in self._known:
            self._known[key] = public_address(crc32(key.encode()) ^ (crc32(name.encode()) << 3 & 0xFFFFFFFF))
        return self._known[key]


def cdn_name(dice: Dice) -> str:
    """A host name as content networks make them up: it looks random and is harmless."""
    shapes = (
        f"d{dice.text(13)}.cloudfronted.net",
        f"e{dice.whole(1000, 99999)}.dsc{dice.pick('abdgx')}.akamaiedged.net",
        f"a{dice.whole(100, 1999)}.w{dice.whole(1, 20)}.akamaized.net",
        f"{dice.text(8, HEX)}-{dice.text(4, HEX)}.edgecast-cdn.net",
        f"{dice.pick(WORDS)}.global.ssl.fastlied.net",
        f"r{dice.whole(1, 9)}---sn-{dice.text(8, BASE36)}.videostreams.com",
    )
    return dice.pick(shapes)


def build_world(seed: int, *, sites: int = 400) -> World:
    """The outside world of a seed."""
    dice = Dice(seed, "world")
    cdns = [cdn_name(dice) for _ in range(max(20, sites // 3))]
    made = []
    for _ in range(sites):
        name = f"www.{dice.pick(WORDS)}{dice.pick(WORDS)}{dice.pick(('', '', '24', '-online'))}.{dice.pick(ENDINGS)}"
        own = [f"{dice.pick(('static', 'img', 'api', 'media'))}.{name[4:]}"]
        shared = [dice.popular(cdns) for _ in range(dice.whole(1, 4))] + [dice.popular(TRACKERS) for _ in range(3)]
        made.append(Site(name, tuple(dict.fromkeys(own + shared))))
    return World(seed, tuple(made))


def build_network(seed: int, *, prefix: str, profiles: dict[str, int], hosts: int) -> Network:
    """An office of `hosts` clients, whose profiles come in the shares that `profiles` gives."""
    total = sum(profiles.values())
    bounds, reached = [], 0
    for name, share in profiles.items():
        reached += share
        bounds.append((round(hosts * reached / total), name))
    clients = []
    dice = Dice(seed, "clients")
    places = sorted(int(i) for i in dice.rng.permutation(max(250, hosts + hosts // 4))[:hosts])
    for number, place in enumerate(places):
        profile = next(name for bound, name in bounds if number < bound)
        clients.append(Host(f"{profile}-{number + 1:03d}", f"{prefix}.{1 + place // 250}.{2 + place % 250}", profile))
    servers = {role: Host(role, f"{prefix}.0.{last}", role) for role, last in SERVERS.items()}
    printers = tuple(Host(f"printer-{i}", f"{prefix}.200.{10 + i}", "printer") for i in range(1 + hosts // 15))
    phones = tuple(Host(f"phone-{i}", f"{prefix}.201.{10 + i}", "phone") for i in range(hosts // 8))
    return Network(prefix, "corp.example", tuple(clients), servers, printers, phones)
