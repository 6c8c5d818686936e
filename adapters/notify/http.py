"""POST to one receiver over a connection that is kept: what a channel over HTTP needs, on the standard library.

Rules:
    1. Redirects are not followed: they would carry a secret elsewhere.
    2. What the answer means is a table (`MEANING`); everything that is no HTTP answer means that the channel is down.
    3. Messages name the host, never the path: it may be a secret.
    4. A kept connection that the receiver has closed meanwhile is opened anew, once: everything that is sent carries
       an idempotence key, or may come twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from adapters.notify.tls import reason, tls_context
from adapters.notify.words import shortened
from agents.responder.notices import NotifyError

LONGEST: Final = 65_536
"""Bytes of an answer that are read."""

FRESH: Final = 20.0
"""Seconds for which an idle connection is trusted."""

MEANING: Final[dict[int, str]] = {
    401: "refuses the secret",
    403: "refuses the secret",
    404: "does not know the address",
    405: "does not take alerts at this address",
    407: "asks for a proxy's log-in",
    408: "was too slow",
    410: "does not know the address any more",
    429: "asks to slow down",
}
"""Answers below 500 that speak of the channel; other 4xx refuse the one alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A 2xx answer."""

    status: int
    text: str


class Poster:
    """Posts to whatever URLs of one receiver it is given."""

    def __init__(self, *, timeout: float, ca_file: str) -> None:
        self._timeout = timeout
        self._ca_file = ca_file
        self._connection: HTTPConnection | None = None
        self._to = ("", "")
        self._used = 0.0

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a JSON body.

        Raises:
            NotifyError: there was no answer of 2xx.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotifyError("the channel's url is no http(s) address: set url, or the secret that holds it")
        try:
            kept = self._connect(parts.scheme, parts.netloc)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            response = self._exchange(path, body, headers, again=kept)
            text = response.read(LONGEST).decode("utf-8", "replace")
            whole = response.isclosed()
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise NotifyError(f"{parts.hostname}: {_why(error)}") from None
        self._used = time.monotonic()
        if response.will_close or not whole:
            self.close()
        return _judged(parts.hostname, response, text)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, scheme: str, netloc: str) -> bool:
        """Have a connection; tells whether it was there already."""
        if self._connection is not None and self._to == (scheme, netloc) and time.monotonic() - self._used < FRESH:
            return True
        self.close()
        self._to = (scheme, netloc)
        if scheme == "https":
            self._connection = HTTPSConnection(netloc, timeout=self._timeout, context=tls_context(self._ca_file))
        else:
            self._connection = HTTPConnection(netloc, timeout=self._timeout)
        return False

    def _exchange(self, path: str, body: bytes, headers: Mapping[str, str], *, again: bool) -> HTTPResponse:
        assert self._connection is not None  # noqa: S101 - `_connect` has just made it
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            return self._connection.getresponse()
        except (ConnectionError, HTTPException):
            if not again:
                raise
            self._connection.close()  # the next request opens it anew
            return self._exchange(path, body, headers, again=False)


def _why(error: BaseException) -> str:
    if isinstance(error, HTTPException):
        return f"what it answered is no HTTP ({type(error).__name__})"
    if isinstance(error, UnicodeError | ValueError) and not isinstance(error, OSError):
        return "the address cannot be used: check url and secret"
    return reason(error)


def _judged(host: str, response: HTTPResponse, text: str) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(status=status, text=shortened(text, 200))
    said = shortened(text, 120)
    if status >= 500 or status < 200:
        raise NotifyError(f"{host}: answered {status}", retry_after=_seconds(response.getheader("Retry-After")))
    if status < 400:
        raise NotifyError(f"{host}: answered {status}, a redirect; set the final address")
    if status in MEANING:
        wait = _seconds(response.getheader("Retry-After"))
        raise NotifyError(f"{host}: {MEANING[status]} ({status})", retry_after=wait)
    raise NotifyError(f"{host}: refused the alert ({status}): {said}", of_channel=False)


def _seconds(text: str | None) -> float:
    """What a Retry-After header asks for: seconds, or a date; an hour at most."""
    if not text:
        return 0.0
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(3600.0, max(0.0, wait)) if wait == wait else 0.0  # noqa: PLR0124 - NaN
