"""Services by destination port, in a few classes: what a host's work is made of."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SERVICES: Final[dict[str, tuple[tuple[int, ...], tuple[str, ...]]]] = {
    "names": ((53, 137, 5353, 5355), ("dns",)),
    "web": ((80, 443, 8000, 8080, 8443), ("http", "ssl", "tls", "quic")),
    "mail": ((25, 110, 143, 465, 587, 993, 995), ("smtp", "imap", "pop3")),
    "files": ((20, 21, 69, 139, 445, 873, 2049), ("smb", "ftp", "ftp-data")),
    "remote access": ((22, 23, 3389, 5900, 5985, 5986), ("ssh", "rdp", "telnet", "rfb")),
    "directory": ((88, 135, 389, 464, 636, 3268, 3269), ("krb", "krb_tcp", "krb_udp", "ldap", "ldap_tcp", "dce_rpc")),
    "upkeep": ((67, 68, 123, 161, 162, 514, 1900), ("ntp", "dhcp", "snmp", "syslog")),
    "databases": ((1433, 1521, 3306, 5432, 6379, 9200, 27017), ("mysql", "postgresql")),
    "other, below 1024": ((), ()),
    "other": ((), ()),
}
"""Class: its ports, and its names in the column `service`, which go before the port."""

CLASSES: Final = len(SERVICES)
UNNAMED: Final = -1


def _by_port() -> NDArray[np.int8]:
    ports = np.full(1 << 16, CLASSES - 1, np.int8)
    ports[:1024] = CLASSES - 2
    for number, (named, _) in enumerate(SERVICES.values()):
        ports[list(named)] = number
    return ports


BY_PORT: Final = _by_port()
"""The class of each port."""

BY_NAME: Final = {name: number for number, (_, names) in enumerate(SERVICES.values()) for name in names}


@lru_cache(4096)
def named(service: str) -> int:
    """The class that a flow's `service` names, `UNNAMED` if it names none.

    >>> named("ssl"), named("gssapi,smb"), named("-")
    (1, 3, -1)
    """
    return next((BY_NAME[part] for part in service.split(",") if part in BY_NAME), UNNAMED)
