"""One exchange over HTTPS, with an end: certificates are verified, nothing is followed, nobody waits for ever.

Rules:
    1. `http://` is taken for this machine alone: secrets and blocks do not travel in the open.
    2. An exchange ends after its timeout, however slowly the other side talks; an answer has a mebibyte at most.
    3. An error says whether the request may have been carried out: "nobody knows" or not.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from socket import SHUT_RDWR, gaierror, socket
from threading import Event, Timer
from typing import Final
from urllib.parse import urlsplit

from adapters.act.options import SetupError
from agents.responder.ports import ActuatorError, NotSent

LARGEST: Final = 1 << 20
"""Bytes of an answer at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said."""

    status: int
    body: bytes


def refusal(status: int) -> type[ActuatorError]:
    """The error for an answer that is no success: who answers 4xx or 501 says that nothing was done.

    >>> refusal(403).__name__, refusal(500).__name__
    ('NotSent', 'ActuatorError')
    """
    return NotSent if 400 <= status < 500 or status == 501 else ActuatorError


class Caller:
    """Speaks to one server.

    Args:
        who: name of the actuator, for messages.
        url: any URL of the server; requests name theirs.
        timeout: seconds that an exchange may take in all.
        ca_file: certificates to trust instead of the system's.
        token: bearer token; empty for none.

    Raises:
        SetupError: the URL or the certificates cannot be used.
    """

    def __init__(self, who: str, url: str, *, timeout: float, ca_file: str = "", token: str = "") -> None:
        self._who = who
        self._timeout = timeout
        self._token = token
        _checked(who, url)
        try:
            self._context = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise SetupError(f"setting actuators.{who}.ca_file: {ca_file}: cannot be used ({error})") from None

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request and read the answer, whatever its status.

        Raises:
            NotSent: there was no connection.
            ActuatorError: no answer came, or none that HTTP knows.
        """
        parts = urlsplit(url)
        goal = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        with closing(self._connection(url)) as connection:
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:
                why = f"its certificate is not trusted ({error.verify_message})"
                raise NotSent(f"{self._who}: {url}: {why}; set ca_file, or mend the certificate") from None
            except (OSError, gaierror) as error:
                raise NotSent(f"{self._who}: {url}: cannot be reached ({error}); nothing was done") from None
            late = Event()
            watch = Timer(self._timeout, _cut, (connection.sock, late))
            watch.daemon = True
            watch.start()
            try:
                connection.request(method, goal, body=body, headers={**headers, **own, "Connection": "close"})
                with connection.getresponse() as response:
                    answer = Answer(status=response.status, body=self._read(response, url))
            except (OSError, http.client.HTTPException) as error:
                raise self._unknown(url, error, late=late.is_set()) from None
            finally:
                watch.cancel()
            if late.is_set():  # a body without a length that was cut off looks whole
                raise self._unknown(url, TimeoutError(), late=True)
            return answer

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)

    def _read(self, response: http.client.HTTPResponse, url: str) -> bytes:
        body = response.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise ActuatorError(
                f"{self._who}: {url}: answered more than {LARGEST >> 20} MiB: nobody knows what was done"
            )
        return body

    def _unknown(self, url: str, error: Exception, *, late: bool) -> ActuatorError:
        if late or isinstance(error, TimeoutError):
            why = f"did not answer within {self._timeout:g} s"
        else:
            why = f"broke off or answered what is no HTTP ({type(error).__name__})"
        return ActuatorError(f"{self._who}: {url}: {why}: nobody knows whether it was done")


def _cut(wire: socket, late: Event) -> None:
    """End an exchange that takes too long: whoever reads from it is woken."""
    late.set()
    with suppress(OSError):
        wire.shutdown(SHUT_RDWR)


def _checked(who: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise SetupError(f"setting actuators.{who}: {url!r} is no URL ({error})") from None
    if not host or parts.username or not url.isascii() or not url.isprintable() or " " in url:
        raise SetupError(f"setting actuators.{who}: {url!r} is no URL of a server (and holds no log-in)")
    if parts.scheme != "https" and not _here(host):
        raise SetupError(f"setting actuators.{who}: {url}: must be https:// (http:// is taken for this machine alone)")


def _here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
