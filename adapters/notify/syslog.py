"""Syslog: RFC 5424 messages over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

Syslog has no answers: over TCP and TLS an alert is delivered when the receiver's side of the connection was still
open after it was written; over UDP, when it was sent.
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress
from typing import Final

from adapters.notify.tls import reason, tls_context
from adapters.notify.words import clean, headline
from agents.responder.notices import Notice, NotifyError
from config.alerts import SyslogSettings
from domain.moments import rfc3339
from domain.values import Level

SEVERITY: Final[dict[Level, int]] = {"critical": 2, "high": 3, "medium": 4, "low": 5}
INFORMATIONAL: Final = 6
SD_ID: Final = "alert@32473"
"""The element with the alert's data; 32473 is the enterprise number set apart for documentation (RFC 5612)."""


class Syslog:
    """A channel of kind `syslog`."""

    kind = "syslog"

    def __init__(self, name: str, settings: SyslogSettings) -> None:
        self.name = name
        self._settings = settings
        self._port = settings.port or (6514 if settings.transport == "tls" else 514)
        self._socket: socket.socket | None = None

    def send(self, notice: Notice) -> str:
        """Write the message."""
        line = message(notice, self._settings.facility)
        framed = line if self._settings.transport == "udp" else b"%d %b" % (len(line), line)
        try:
            held = self._connected()
            held.sendall(framed)
            if _closed(held):
                raise ConnectionResetError
        except (OSError, ValueError) as error:
            self.close()
            raise NotifyError(f"{self._settings.host} port {self._port}: {reason(error)}") from None
        return f"{len(line)} bytes over {self._settings.transport}"

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is not None and _closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        settings = self._settings
        where = (settings.host, self._port)
        if settings.transport == "udp":
            family, kind, proto, _, address = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
            plain = socket.socket(family, kind, proto)
            plain.settimeout(settings.timeout)
            plain.connect(address)
            return plain
        plain = socket.create_connection(where, timeout=settings.timeout)
        if settings.transport == "tcp":
            return plain
        try:
            return tls_context(settings.ca_file).wrap_socket(plain, server_hostname=settings.host)
        except BaseException:
            plain.close()
            raise


def _closed(held: socket.socket) -> bool:
    """Whether the other side has ended the connection, or refused the last datagram."""
    patience = held.gettimeout()
    held.setblocking(False)
    try:
        return not held.recv(4096) and held.type == socket.SOCK_STREAM
    except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    finally:
        held.settimeout(patience)


def message(notice: Notice, facility: int) -> bytes:
    """The message, without a frame."""
    over = notice.trigger in {"acknowledged", "resolved"}
    severity = INFORMATIONAL if over or notice.test else SEVERITY[notice.level]
    data = {
        "key": str(notice.key),
        "incident": str(notice.incident),
        "trigger": notice.trigger,
        "level": notice.level,
        "risk": f"{notice.risk:.2f}",
        "entities": " ".join(notice.entities),
        "kinds": " ".join(notice.kinds),
        "threats": str(notice.threat_count),
        "region": notice.region,
        "test": "true" if notice.test else "false",
    }
    params = " ".join(f'{name}="{escaped(clean(value))}"' for name, value in data.items())
    host = "".join(c for c in socket.gethostname() if 33 <= ord(c) <= 126)[:255] or "-"
    head = f"<{facility * 8 + severity}>1 {rfc3339(notice.occurred_at)} {host} myrmidon {os.getpid()} {notice.trigger}"
    return f"{head} [{SD_ID} {params}] \ufeff{headline(notice, 500)}".encode()


def escaped(value: str) -> str:
    r"""The value of a parameter of structured data (RFC 5424, 6.3.3).

    >>> escaped('a "b" ]')
    'a \\"b\\" \\]'
    """
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
