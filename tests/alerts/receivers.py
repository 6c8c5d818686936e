"""Real local servers that speak the channels' protocols, and misbehave when told to."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Pem:
    """Files of a certificate for 127.0.0.1 and localhost, of its key, and of the CA that signed it."""

    cert: Path
    key: Path
    ca: Path


def make_pem(folder: Path) -> Pem:
    """A CA of this test run, and a certificate of it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject: str, public: Any) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named("Test CA")).public_key(public)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        return made.not_valid_after(now + dt.timedelta(days=1))

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        builder("Test CA", ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    cert = (
        builder("localhost", key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = Pem(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    pem.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    pem.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    pem.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem


def server_context(pem: Pem) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.cert, pem.key)
    return context


@dataclass
class Request:
    """What came over HTTP."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpReceiver:
    """A receiver over HTTP(S): answers by the script `answers` (a status each), then 'ok'."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: list[int | str] = field(default_factory=list)
    good: tuple[int, str] = (200, "ok")
    delay: float = 0.0

    @property
    def keys(self) -> list[str]:
        return [request.headers.get("idempotency-key", "") for request in self.requests]


@contextmanager
def http_receiver(pem: Pem | None = None, **more: Any) -> Iterator[HttpReceiver]:
    receiver = HttpReceiver(**more)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.answers.pop(0) if receiver.answers else None
            time.sleep(receiver.delay)
            if answer == "nonsense":
                self.wfile.write(b"\x00\xff what? \r\n\r\n")
                self.close_connection = True
                return
            receiver.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, text = receiver.good if answer is None else (answer, "no")
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is part of the tests
    if pem:
        server.socket = server_context(pem).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"{'https' if pem else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def listening(serve: Callable[[socket.socket], None], pem: Pem | None = None) -> Iterator[int]:
    """A TCP server that hands every connection to `serve`, on a thread; yields its port."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def one(plain: socket.socket) -> None:
        try:
            with server_context(pem).wrap_socket(plain, server_side=True) if pem else plain as connection:
                serve(connection)
        except OSError:
            plain.close()

    def accept() -> None:
        while not done.is_set():
            try:
                plain, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(plain,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        done.set()
        server.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
