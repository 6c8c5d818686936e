"""Hosts and wires: network namespaces joined by veth pairs, with real packets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

_numbers = count(1)

ATTACKER, SERVER = "10.77.0.2", "10.77.0.1"
ATTACKER6, SERVER6 = "fd77::2", "fd77::1"
FAR, FAR6 = "10.78.0.2", "fd78::2"
"""The attacker behind the router."""

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
for line in sys.stdin:
    host, patience = line.split()
    try:
        with socket.create_connection((host, PORT), timeout=float(patience)) as s:
            s.sendall(b"ping")
            print(s.recv(10) == b"ping", flush=True)
    except OSError:
        print(False, flush=True)
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
    """Two hosts; `inside` is the namespace where the filter works, `outside` that of the attacker."""

    def __init__(self, inside: str, outside: str, caller: subprocess.Popen[str]) -> None:
        self.inside, self.outside = inside, outside
        self._caller = caller

    def cut(self, host: str = SERVER) -> bool:
        """Whether nothing comes back of a new connection."""
        return not self.reaches(host, patience=0.3)

    def reaches(self, host: str = SERVER, patience: float = 5.0) -> bool:
        """Whether the attacker gets a new connection to the server and an answer on it."""
        assert self._caller.stdin is not None
        assert self._caller.stdout is not None
        self._caller.stdin.write(f"{host} {patience}\n")
        self._caller.stdin.flush()
        return self._caller.stdout.readline().strip() == "True"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def wired() -> Iterator[Wire]:
    """A server and an attacker on one wire; the filter works on the server."""
    with ExitStack() as stack:
        inside, outside = (_space(stack, letter) for letter in "io")
        _joined((inside, SERVER, SERVER6), (outside, ATTACKER, ATTACKER6))
        yield _working(stack, inside, inside, outside)


@contextmanager
def routed() -> Iterator[Wire]:
    """A server and an attacker with a router between them; the filter works on the router."""
    with ExitStack() as stack:
        router, inside, outside = (_space(stack, letter) for letter in "rio")
        _joined((inside, SERVER, SERVER6), (router, "10.77.0.254", "fd77::fe"))
        _joined((outside, FAR, FAR6), (router, "10.78.0.254", "fd78::fe"))
        _ip("-n", inside, "route", "add", "default", "via", "10.77.0.254")
        _ip("-n", outside, "route", "add", "default", "via", "10.78.0.254")
        _ip("netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield _working(stack, router, inside, outside)


def _space(stack: ExitStack, letter: str) -> str:
    """A network namespace, as long as the test lasts."""
    space = f"mt{os.getpid()}{letter}{next(_numbers)}"
    stack.callback(subprocess.run, ["ip", "netns", "del", space], check=False, capture_output=True)
    _ip("netns", "add", space)
    _ip("-n", space, "link", "set", "lo", "up")
    return space


def _joined(*ends: tuple[str, str, str]) -> None:
    """A wire between two namespaces: each end's namespace and addresses."""
    number = next(_numbers)
    near, far = (f"m{os.getpid() % 100000}{letter}{number}" for letter in "ab")
    _ip("link", "add", near, "netns", ends[0][0], "type", "veth", "peer", "name", far, "netns", ends[1][0])
    for link, (space, host, host6) in zip((near, far), ends, strict=True):
        _ip("-n", space, "addr", "add", f"{host}/24", "dev", link)
        _ip("-n", space, "addr", "add", f"{host6}/64", "dev", link, "nodad")
        _ip("-n", space, "link", "set", link, "up")


def _working(stack: ExitStack, filtering: str, serving: str, calling: str) -> Wire:
    server = stack.enter_context(_started(serving, SERVE))
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return Wire(filtering, calling, stack.enter_context(_started(calling, CALL)))


@contextmanager
def _started(space: str, code: str) -> Iterator[subprocess.Popen[str]]:
    """A program in a namespace, while it is wanted."""
    words = ["ip", "netns", "exec", space, sys.executable, "-S", "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
