"""Two hosts and a wire: network namespaces joined by a veth pair, with real packets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

_numbers = count(1)

ATTACKER, SERVER = "10.77.0.2", "10.77.0.1"
ATTACKER6, SERVER6 = "fd77::2", "fd77::1"
PORT = 8099

SERVE = """
import socket, threading, sys
def serve(family, host):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, PORT)); s.listen(64)
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        threading.Thread(target=answer, args=(c,), daemon=True).start()
def answer(c):
    with c:
        while data := c.recv(100):
            c.sendall(data)
serve(socket.AF_INET6, "::")
""".replace("PORT", str(PORT))

CALL = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], PORT), timeout=float(sys.argv[2])) as s:
        s.sendall(b"ping")
        sys.exit(0 if s.recv(10) == b"ping" else 1)
except OSError:
    sys.exit(1)
""".replace("PORT", str(PORT))


def needs_kernel() -> None:
    """Skip when namespaces and the packet filter cannot be used here, with the reason."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need root on Linux")
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install nftables iproute2)")
    name = f"mt{os.getpid()}p"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
        tried = subprocess.run(
            ["ip", "netns", "exec", name, "nft", "list", "ruleset"], capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    if made.returncode or tried.returncode:
        pytest.skip(f"the kernel does not let us: {(made.stderr or tried.stderr).strip()}")


class Wire:
    """The two hosts; `inside` is the namespace of the server, where the filter works."""

    def __init__(self, inside: str, outside: str) -> None:
        self.inside, self.outside = inside, outside

    def reaches(self, host: str = SERVER, patience: float = 0.4) -> bool:
        """Whether the attacker gets a new connection to the server and an answer on it."""
        words = ["ip", "netns", "exec", self.outside, sys.executable, "-S", "-c", CALL, host, str(patience)]
        return subprocess.run(words, check=False).returncode == 0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def wired() -> Iterator[Wire]:
    """A server and an attacker on one wire."""
    number = next(_numbers)
    inside, outside = f"mt{os.getpid()}i{number}", f"mt{os.getpid()}o{number}"
    near, far = f"m{os.getpid() % 100000}a{number}", f"m{os.getpid() % 100000}b{number}"
    server = None
    try:
        _ip("netns", "add", inside)
        _ip("netns", "add", outside)
        _ip("link", "add", near, "netns", inside, "type", "veth", "peer", "name", far, "netns", outside)
        for space, link, host, host6 in ((inside, near, SERVER, SERVER6), (outside, far, ATTACKER, ATTACKER6)):
            _ip("-n", space, "addr", "add", f"{host}/24", "dev", link)
            _ip("-n", space, "addr", "add", f"{host6}/64", "dev", link, "nodad")
            _ip("-n", space, "link", "set", link, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        server = subprocess.Popen(
            ["ip", "netns", "exec", inside, sys.executable, "-S", "-c", SERVE], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield Wire(inside, outside)
    finally:
        if server is not None:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
        for space in (inside, outside):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)
