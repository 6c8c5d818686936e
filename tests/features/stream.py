"""Seeded rows with everything that host windows must get right: disorder, strays, scans, bursts, odd addresses."""

from __future__ import annotations

import random

from domain.values import DAY, SECOND
from tests.anomaly.stream import START, row

LOCAL = ("10.0.0.0/8", "fd00::/8")
ODD = ("fd00::5", "2001:db8::1", "", "010.0.0.1", "10.0.0.300", "hôte", "10.0.0.1.2")
SERVICES = ("", "-", "dns", "ssl", "http", "gssapi,smb", "ssh", "unheard-of")


def mixed(rows: int, seed: int, hosts: int = 12, gap_s: float = 3.0, jump_every: int = 0) -> list[tuple[object, ...]]:
    """Rows of a network in which some hosts beat, scan and burst; every `jump_every` rows half a day passes."""
    draw = random.Random(seed)
    made, now, clock = [], START, 0
    for number in range(1, rows + 1):
        now += int(draw.expovariate(1 / gap_s) * SECOND)
        if jump_every and number % jump_every == 0:
            now += DAY // 2
        ts = now - draw.choice((0, 0, 0, 0, draw.randrange(700))) * SECOND
        ahead = draw.random() < 0.01
        clock = clock if ahead and clock else max(clock, ts)
        made.append(
            row(
                number, ts + DAY * 3 if ahead else ts, clock,
                status=draw.choice(("",) * 30 + ("malformed: too short",)),
                log=draw.choice(("conn",) * 9 + ("dns",)),
                late=draw.random() < 0.01,
                src_port=draw.randrange(65_536),
                **_ends(draw, hosts),
                service=draw.choice(SERVICES),
                duration=draw.choice((0.0, draw.random() * 9, float("inf"), float("nan"), -1.0, draw.random() * 900)),
                src_bytes=draw.choice((0, 40, draw.randrange(5_000), draw.randrange(1 << 34), -7)),
                dst_bytes=draw.choice((0, 0, draw.randrange(90_000))),
                src_pkts=draw.randrange(50), dst_pkts=draw.choice((0, draw.randrange(50))),
                conn_state=draw.choice(("SF", "SF", "S0", "REJ", "S1", "OTH")),
            )
        )  # fmt: skip
    return made


def _ends(draw: random.Random, hosts: int) -> dict[str, object]:
    """Who talks to whom: most hosts to few peers, the scanner to any."""
    kind, src = draw.randrange(12), f"10.0.0.{draw.randrange(hosts)}"
    if kind == 0:
        return {"src_ip": "10.0.0.66", "dst_ip": f"10.0.{draw.randrange(8)}.{draw.randrange(200)}",
                "dst_port": draw.randrange(-1, 70_000), "proto": "tcp"}  # fmt: skip
    if kind == 1:
        return {"src_ip": draw.choice(ODD), "dst_ip": draw.choice(ODD), "dst_port": 443, "proto": "icmp"}
    if kind == 2:
        return {"src_ip": f"93.0.0.{draw.randrange(9)}", "dst_ip": src, "dst_port": 80, "proto": "tcp"}
    peer = draw.choice((f"10.0.0.{draw.randrange(hosts)}", f"93.184.216.{draw.randrange(30)}"))
    return {"src_ip": src, "dst_ip": peer, "dst_port": draw.choice((53, 80, 443, 22, 50_000, 999)),
            "proto": draw.choice(("tcp", "tcp", "udp"))}  # fmt: skip
