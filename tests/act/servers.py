"""Real HTTPS servers on this machine: an OpenC2 consumer that keeps a block list, and a ticket system."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.act.acting import Clock


def certificate(folder: Path, name: str = "127.0.0.1") -> Path:
    """A certificate that signs itself, for an address or a host name, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        other: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        other = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([other]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


class Server(ThreadingHTTPServer):
    """What both have in common: a mood, and what was asked.

    Moods: `well`; `slow` answers after the test; `dripping` sends a byte at a time and never ends; `trickling` does so
    after the head; `broken` answers 500; `nonsense` answers what is no JSON; `rude` speaks no HTTP; `huge` says
    too much.
    """

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], pem: Path) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.mood = "well"
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}/.well-known/openc2"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 10

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def say(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def moody(self) -> bool:
        """Behave as the mood says; whether that was an answer."""
        does = getattr(self, f"be_{self.server.mood}", None)
        if does is not None:
            does()
        return does is not None

    def be_slow(self) -> None:
        self.server.done.wait(10)

    def be_dripping(self) -> None:
        while not self.server.done.wait(0.05):
            self.wfile.write(b"H")

    def be_trickling(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.done.wait(0.05):
            self.wfile.write(b" ")

    def be_broken(self) -> None:
        self.say(500, b'{"status": 500, "status_text": "out of order"}')

    def be_strict(self) -> None:
        self.say(403, b"")

    def be_nonsense(self) -> None:
        self.say(200, b"<html>welcome</html>")

    def be_rude(self) -> None:
        self.wfile.write(b"\x00\x01 what?\r\n\r\n")

    def be_huge(self) -> None:
        self.say(200, b" " * (2 << 20))

    def read_json(self) -> Any:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        with self.server.lock:
            self.server.asked.append((f"{self.command} {self.path}", dict(self.headers.items()), body))
        return body


class Consumer(Server):
    """An OpenC2 consumer: a list of what is in force, by action and target, with its end."""

    def __init__(self, pem: Path, clock: Clock) -> None:
        super().__init__(ConsumerHandler, pem)
        self.clock = clock
        self.force: dict[tuple[str, str], int] = {}
        self.answers_queries = True
        self.takes = {
            "deny": ["ipv4_net", "ipv6_net", "domain_name"],
            "contain": ["ipv4_net", "ipv6_net"],
            "redirect": ["domain_name"],
            "query": ["features", "ipv4_net", "ipv6_net", "domain_name"],
        }


class ConsumerHandler(Handler):
    server: Consumer

    def do_POST(self) -> None:
        command = self.read_json()
        if not self.moody():
            status, results = self.obey(command)
            body = {"status": status, **({"results": results} if results else {})}
            self.say(status, json.dumps(body).encode(), "application/openc2-rsp+json;version=1.0")

    def obey(self, command: Any) -> tuple[int, dict[str, Any]]:
        server, verb = self.server, command["action"]
        target_type, value = next(iter(command["target"].items()))
        if verb == "query" and target_type == "features":
            return 200, {"pairs": server.takes}
        now = server.clock() // 1000
        with server.lock:
            server.force = {key: end for key, end in server.force.items() if end > now}
            if verb == "query":
                held = (command["args"]["x-myrmidon"]["action"], value) in server.force
                return (200, {"x-myrmidon": {"in_force": held}}) if server.answers_queries else (501, {})
            undone = {"allow": ("deny",), "restore": ("contain", "redirect")}.get(verb)
            if undone is not None:
                for one in undone:
                    server.force.pop((one, value), None)
                return 200, {}
            if target_type not in server.takes.get(verb, ()):
                return 501, {}
            server.force[verb, value] = command["args"]["stop_time"]
            return 200, {}


class Desk(Server):
    """A ticket system: tickets by number, one for each key that was not seen before."""

    def __init__(self, pem: Path) -> None:
        super().__init__(DeskHandler, pem)
        self.tickets: dict[str, str] = {}
        self.keys: dict[str, str] = {}


class DeskHandler(Handler):
    server: Desk

    def do_GET(self) -> None:
        self.read_json()
        if self.moody():
            return
        number = self.path.rsplit("/", 1)[-1]
        with self.server.lock:
            status = self.server.tickets.get(number)
        self.say(200 if status else 404, json.dumps({"status": status}).encode())

    def do_POST(self) -> None:
        told = self.read_json()
        if self.moody():
            return
        key = self.headers["Idempotency-Key"]
        with self.server.lock:
            number = self.server.keys.get(key)
            if number is None:
                number = told.get("ticket") or f"OPS-{len(self.server.tickets) + 1}"
                self.server.keys[key] = number
                self.server.tickets[number] = "closed" if told["event"] == "close" else "open"
        self.say(201, json.dumps({"key": number}).encode())


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, while it runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.done.set()
        server.shutdown()
        server.server_close()
        thread.join()
