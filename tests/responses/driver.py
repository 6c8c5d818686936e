"""A responder in a process of its own, to be killed: `python -m tests.responses.driver LOG URL TTL STOP AHEAD`."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from adapters.act.openc2 import OpenC2
from adapters.log import open_log
from agents.responder.respond_policy import ResponsePolicy
from config.actuators import OpenC2Settings
from domain.gate import GatePolicy
from domain.values import SECOND
from scheduler.respond import Responses
from scheduler.response_mind import World
from tests.responses.chosen import BLOCK, Always

MANY = 1_000_000


def drive(location: str, url: str, ttl: float, stop: Path, ahead: float) -> None:
    """Work until nothing is to be done and the file `stop` is there; the clock is `ahead` seconds."""

    def wall_clock() -> int:
        return time.time_ns() // 1000 + round(ahead * SECOND)

    playbook = replace(BLOCK, steps=tuple(replace(step, ttl=round(ttl * SECOND)) for step in BLOCK.steps))
    policy = ResponsePolicy(
        gate=GatePolicy(mode="act", max_targets=MANY, max_targets_window=MANY, max_share=1.0, rate=MANY),
        retry=SECOND // 5,
        tries=10,
    )
    wall = OpenC2("wall", OpenC2Settings(url=url))
    world = World(actuators={"wall": wall}, chooser=lambda: Always(playbook), classify=lambda _: "", now=wall_clock)
    agent = Responses(open_log(location, wall_clock), policy, world)
    print("ready", flush=True)
    while agent.catch_up() or agent.busy or not stop.exists():
        time.sleep(0.002)
    agent.settle()


if __name__ == "__main__":
    drive(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
