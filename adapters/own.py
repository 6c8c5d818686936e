"""What this machine is and needs: addresses and names that no action may cut off.

Its own addresses, gateways, resolvers, and the hosts that the settings name (the log's database, actuators, channels).
What cannot be found out is left out: operators add to the list by `[response] never_block`.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from config.dsn import pairs_of
from domain.targets import network_of

PROC: Final = Path("/proc/net")
RESOLVERS: Final = Path("/etc/resolv.conf")
HOST: Final = "host"
"""How settings call a host that stands there by itself."""

SEATS: Final = (HOST, "hostaddr")
"""How a DSN of pairs calls it."""


def own_infrastructure(settings: Any, *, proc: Path = PROC, resolvers: Path = RESOLVERS) -> tuple[str, ...]:
    """Addresses and names, each once.

    Args:
        settings: any nesting of tables, lists and texts; the hosts of the URLs and DSNs in it are taken, and what is
            called `host` (a mail relay, a syslog collector).
        proc: where the kernel tells of its network.
        resolvers: the resolver's configuration.
    """
    found = (*_names(), *_addresses(proc), *_gateways(proc), *_resolvers(resolvers), *_named(settings))
    return tuple(dict.fromkeys(each for each in found if each))


def addresses_of(entries: Iterable[str], say: Callable[[str], None]) -> tuple[str, ...]:
    """The addresses behind the host names of a never-block list.

    Args:
        entries: networks, addresses and names.
        say: told of a name without an address: its name is protected, the host behind it is not.
    """
    found: list[str] = []
    for name in (entry for entry in entries if network_of(entry) is None):
        addresses = [each for each in _resolved(name) if each != name]
        if not addresses:
            say(f"[response] never_block: {name} has no address now, so none is protected: list its address as well")
        found += addresses
    return tuple(dict.fromkeys(found))


def _names() -> Iterator[str]:
    name = socket.gethostname()
    yield name
    try:
        yield from (str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(name, None))
    except OSError:
        return


def _addresses(proc: Path) -> Iterator[str]:
    """Addresses of all interfaces."""
    yield from re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", _text(proc / "fib_trie"))
    for line in _text(proc / "if_inet6").splitlines():
        yield str(IPv6Address(bytes.fromhex(line.split()[0])))


def _gateways(proc: Path) -> Iterator[str]:
    for line in _text(proc / "route").splitlines()[1:]:
        _, _, gateway, *_ = line.split()
        if int(gateway, 16):
            yield socket.inet_ntoa(struct.pack("=L", int(gateway, 16)))
    for line in _text(proc / "ipv6_route").splitlines():
        gateway = line.split()[4]
        if int(gateway, 16):
            yield str(IPv6Address(bytes.fromhex(gateway)))


def _resolvers(file: Path) -> Iterator[str]:
    for address in re.findall(r"^\s*nameserver\s+(\S+)", _text(file), flags=re.MULTILINE):
        yield address.partition("%")[0]


def _named(value: Any) -> Iterator[str]:
    """Hosts that settings name: in URLs, and by themselves."""
    if isinstance(value, str) and "://" in value:
        yield from _resolved(urlsplit(value).hostname or "")
    elif isinstance(value, str):
        pairs = pairs_of(value)
        seats = (seat for name in SEATS for seat in pairs.get(name, "").split(",") if not seat.startswith("/"))
        yield from (host for seat in seats for host in _resolved(seat))
    elif isinstance(value, dict):
        if isinstance(value.get(HOST), str) and value[HOST]:
            yield from _resolved(value[HOST].strip("[]"))
        yield from (host for part in value.values() for host in _named(part))
    elif isinstance(value, list | tuple):
        yield from (host for part in value for host in _named(part))


def _resolved(host: str) -> Iterator[str]:
    """A host by name and by address."""
    yield host
    try:
        ip_address(host)
    except ValueError:
        try:
            yield from (str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None))
        except (OSError, UnicodeError):
            return


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""
