"""Each kind of channel in front of a real local server of its protocol, which behaves as a test wants.

Modes: `good`; `tls` (over TLS, its CA named); `untrusted` (over TLS, its CA not named); `down` (nobody listens);
`slow` (takes the connection and says nothing); `nonsense` (answers what is none of the protocol); `once` (fails the
first time, then works).
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.notify import make_channel
from agents.responder.notices import Channel
from config.alerts import AlertSettings
from tests.alerts.receivers import HttpReceiver, Pem, free_port, http_receiver, listening, server_context

MODES = ("good", "tls", "untrusted", "down", "slow", "nonsense", "once")
SECRET = "s3cr3t-token-of-the-tests"
SLOW = 0.3


@dataclass
class Rig:
    """A channel, and what its receiver has taken: one text an alert."""

    channel: Channel
    taken: Callable[[], list[str]]


def build(kind: str, **more: Any) -> Channel:
    settings = AlertSettings.model_validate({"channels": {"c": {"kind": kind, "timeout": SLOW, **more}}})
    return make_channel("c", settings.channels["c"])


def over_http(kind: str, good: tuple[int, str], address: Callable[[str], dict[str, str]]) -> Callable[..., Any]:
    @contextmanager
    def rig(mode: str, pem: Pem, folder: Path) -> Iterator[Rig]:
        secret = folder / "secret"
        secret.write_text(SECRET + "\n")
        with contextlib.ExitStack() as stack:
            served = stack.enter_context(http_receiver(pem if mode in {"tls", "untrusted"} else None, good=good))
            served.delay = 3 * SLOW if mode == "slow" else 0.0
            served.answers = {"nonsense": ["nonsense"] * 2, "once": [500]}.get(mode, [])
            url = f"http://127.0.0.1:{free_port()}" if mode == "down" else served.url
            trusted = {"ca_file": str(pem.ca)} if mode == "tls" else {}
            channel = build(kind, secret_file=str(secret), **address(url), **trusted)
            stack.callback(channel.close)
            yield Rig(channel, lambda: [accepted(served, n) for n in range(failed(mode), len(served.requests))])

    return rig


def failed(mode: str) -> int:
    return 1 if mode == "once" else 0


def accepted(served: HttpReceiver, number: int) -> str:
    return served.requests[number].body.decode()


@contextmanager
def over_smtp(mode: str, pem: Pem, folder: Path) -> Iterator[Rig]:
    from aiosmtpd.controller import Controller

    taken: list[str] = []
    answers = ["451 try later"] if mode == "once" else []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            if answers:
                return answers.pop()
            taken.append(envelope.content.decode())
            return "250 taken"

    port = free_port()
    tls = mode in {"tls", "untrusted"}
    more = {"tls_context": server_context(pem), "require_starttls": True} if tls else {}
    with contextlib.ExitStack() as stack:
        if mode == "slow":
            port = stack.enter_context(listening(lambda _connection: time.sleep(3 * SLOW)))
        elif mode == "nonsense":
            port = stack.enter_context(listening(lambda connection: connection.sendall(b"what?\r\n")))
        elif mode != "down":
            controller = Controller(Handler(), hostname="127.0.0.1", port=port, **more)
            controller.start()
            stack.callback(controller.stop)
        channel = build(
            "smtp",
            host="127.0.0.1",
            port=port,
            security="starttls" if tls else "none",
            sender="swarm@example.org",
            recipients=["soc@example.org"],
            ca_file=str(pem.ca) if mode == "tls" else "",
        )
        stack.callback(channel.close)
        yield Rig(channel, lambda: list(taken))


def over_syslog(transport: str) -> Callable[..., Any]:
    @contextmanager
    def rig(mode: str, pem: Pem, folder: Path) -> Iterator[Rig]:
        taken: list[str] = []
        first = threading.Event()

        def serve(connection: socket.socket) -> None:
            if mode == "slow":
                time.sleep(3 * SLOW)
                return
            if mode == "nonsense":
                connection.sendall(b"\x00what?")
                return
            if mode == "once" and not first.is_set():
                first.set()
                return
            file = connection.makefile("rb")
            while size := b"".join(iter(lambda: file.read(1).strip(), b"")):
                taken.append(file.read(int(size)).decode())

        with contextlib.ExitStack() as stack:
            plain = mode in {"slow", "nonsense"} or transport == "tcp"
            port = stack.enter_context(listening(serve, None if plain else pem))
            channel = build(
                "syslog",
                host="127.0.0.1",
                port=free_port() if mode == "down" else port,
                transport=transport,
                ca_file="" if mode == "untrusted" else str(pem.ca),
            )
            stack.callback(channel.close)
            yield Rig(channel, lambda: list(taken))

    return rig


RIGS: dict[str, Any] = {
    "slack": over_http("slack", (200, "ok"), lambda url: {"url": f"{url}/services"}),
    "pagerduty": over_http("pagerduty", (202, '{"status": "success"}'), lambda url: {"url": url}),
    "teams": over_http("teams", (202, ""), lambda url: {"url": f"{url}/workflows"}),
    "webhook": over_http("webhook", (204, ""), lambda url: {"url": f"{url}/hook"}),
    "smtp": over_smtp,
    "syslog": over_syslog("tls"),
    "syslog-tcp": over_syslog("tcp"),
}
WITHOUT: set[tuple[str, str]] = {("syslog-tcp", mode) for mode in ("tls", "untrusted", "slow", "nonsense")}
"""What cannot happen: plain syslog knows neither certificates nor answers."""


def documents(rig: Rig) -> list[Any]:
    return [json.loads(text) for text in rig.taken()]
