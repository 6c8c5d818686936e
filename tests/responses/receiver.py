"""A real HTTP server on this machine that takes OpenC2 commands and remembers what came under which key."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """What is in force until when, and how often each key was asked for and took effect."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.force: dict[str, tuple[str, float]] = {}
        self.asked: Counter[str] = Counter()
        self.took_effect: Counter[str] = Counter()
        self.undone: dict[str, float] = {}
        self.ends: dict[str, float] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/openc2"

    def obey(self, command, key: str):
        verb, target = command["action"], next(iter(command["target"].values()))
        with self.lock:
            now = time.time()
            if verb == "query":
                own = command.get("args", {}).get("x-myrmidon")
                if own is None:
                    return {"pairs": {"deny": ["ipv4_net", "ipv6_net"]}}
                return {"x-myrmidon": {"in_force": target in self.force and self.force[target][1] > now}}
            if verb == "allow":
                self.force.pop(target, None)
                self.undone.setdefault(target, now)
                return {}
            self.asked[key] += 1
            end = command["args"]["stop_time"] / 1000
            if self.asked[key] == 1:
                self.took_effect[key] += 1
                self.ends[target] = end
            self.force[target] = (key, end)
            return {}

    def handle_error(self, request, client_address) -> None:
        """A caller that was killed hangs up."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        command = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        results = self.server.obey(command, self.headers.get("X-Request-ID", command.get("command_id", "")))
        body = json.dumps({"status": 200, **({"results": results} if results else {})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/openc2-rsp+json;version=1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
