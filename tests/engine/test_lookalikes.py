"""Attacks as public captures show them beside the harmless traffic that looks like them.

Mirai, Rbot and Hulk floods, beacons that sleep with jitter, sprayed passwords; web applications at their database, mail
clients, monitors, peer-to-peer clients, resolvers, blocked QUIC.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from domain.thresholds import Thresholds
from engine.behaviours import all_behaviours
from engine.behaviours.beacon import Beacon
from engine.behaviours.places import Places
from engine.pieces import pieces
from tests.engine.rows import CLIENT, OUTSIDE, SERVER, Rows
from tests.engine.test_behaviours import decided, login, outside


def best(rows: Rows, kind: str) -> float:
    """The highest score of a kind."""
    found = [s for behaviour in all_behaviours(Thresholds()) for s in behaviour.sense(rows.frame())]
    return max([s.score for s in found if s.kind == kind], default=0.0)


def calls(jitter: float, count: int, every: float = 60.0, **values: Any) -> Rows:
    """Calls with a uniform jitter around their beat."""
    rows, dice, at = Rows(), random.Random(11), 0.0
    for _ in range(count):
        rows.add(at, src_bytes=420 + dice.randrange(20), **values)
        at += every * (1 + dice.uniform(-jitter, jitter))
    return rows


# ------------------------------------------------------------------------------------------------------- beacon


@pytest.mark.parametrize("jitter", [0.3, 0.4])
def test_a_loose_beat_takes_more_calls_but_is_a_beacon(jitter: float):
    assert decided(calls(0.05, 24, every=120)) == {"beacon": CLIENT}
    assert decided(calls(jitter, 24, every=120)) == {}
    assert decided(calls(jitter, 150, every=120)) == {"beacon": CLIENT}


def test_a_beat_of_half_an_hour_with_jitter_is_a_beacon_and_an_hourly_check_is_none():
    assert decided(calls(0.1, 30, every=1800)) == {"beacon": CLIENT}
    assert decided(calls(0.0, 40, every=3600)) == {}


def test_mail_pick_up_telephones_and_vpn_beat_by_nature():
    for port, proto in ((993, "tcp"), (995, "tcp"), (5060, "udp"), (51820, "udp")):
        assert decided(calls(0.0, 60, dst_port=port, proto=proto)) == {}


@pytest.mark.parametrize(
    ("query", "kinds"), [("v10.events.microsoft.com", set()), ("microsoft.com.example.net", {"beacon"})]
)
def test_an_address_that_dns_gave_for_a_trusted_makers_name_has_no_beacon(query: str, kinds: set[str]):
    rows = Rows().add(0, log="dns", proto="udp", dst_ip=SERVER, dst_port=53,
                      detail={"query": query, "answers": ["alias.cdn.example.org", OUTSIDE, SERVER]})  # fmt: skip
    rows.rows.extend(calls(0.02, 60).rows)
    assert set(decided(rows)) == kinds


def test_trusted_addresses_outlive_a_restart():
    def beacon() -> Beacon:
        thresholds = Thresholds()
        return Beacon(thresholds, Places(thresholds.local_networks))

    before, after = beacon(), beacon()
    detail = {"query": "time.windows.com", "answers": [OUTSIDE]}
    before.sense(Rows().add(0, log="dns", dst_port=53, detail=detail).frame())
    after.load(msgspec.msgpack.decode(b"".join(pieces(before.dump()))))
    assert after.sense(calls(0.0, 60).frame()) == []
    assert beacon().sense(calls(0.0, 60).frame()) != []


# ------------------------------------------------------------------------------------------------------- scans


def test_monitors_that_open_and_close_are_no_horizontal_scan():
    rows = Rows()
    for n in range(400):
        rows.add(n, dst_ip=f"10.0.1.{n % 40 + 1}", dst_port=10_050, src_bytes=0, dst_bytes=0, src_pkts=4, dst_pkts=2)
    assert decided(rows) == {}


def test_what_fails_by_design_is_no_horizontal_scan():
    rows = Rows()
    for n in range(100):
        rows.fail(n * 10, dst_ip=outside(n), dst_port=443, proto="udp")
        rows.fail(n * 10 + 1, dst_ip=outside(n), dst_port=6881)
        rows.fail(n * 10 + 2, src_ip="fd00::5", dst_ip=f"2606:4700::{n:x}", dst_port=443)
    assert decided(rows) == {}


def test_a_resolver_whose_servers_are_half_silent_is_no_scan_and_an_amplifier_hunt_is_one():
    resolver, hunt = Rows(), Rows()
    for n in range(200):
        (resolver.fail if n % 2 else resolver.add)(n, dst_ip=outside(n), dst_port=53, proto="udp")
        hunt.fail(n, dst_ip=outside(n), dst_port=1900, proto="udp")
    assert decided(resolver) == {}
    assert decided(hunt) == {"horizontal-scan": CLIENT}


# --------------------------------------------------------------------------------------------- password guessing


def test_a_web_application_at_its_database_and_mail_clients_guess_no_passwords():
    rows = Rows()
    for n in range(900):
        login(rows, n, src_ip=CLIENT, dst_port=3306, src_bytes=420, dst_bytes=700)
        login(rows, n, src_ip=CLIENT, dst_port=5432, src_bytes=400, dst_bytes=900)
        if n % 30 == 0:
            login(rows, n, src_ip=CLIENT, dst_ip=OUTSIDE, dst_port=993, src_bytes=900, dst_bytes=3500)
            login(rows, n, src_ip=CLIENT, dst_port=445, src_bytes=2900, dst_bytes=4100)
    assert decided(rows) == {}


def test_fetching_over_ssh_is_no_password_guessing():
    rows = Rows()
    for n in range(80):
        login(rows, n * 10, src_ip=CLIENT, dst_ip=OUTSIDE, src_bytes=3000, dst_bytes=6000 + n * 30)
    assert decided(rows) == {}


def smb(count: int, source: str, hosts: int = 1) -> Rows:
    rows = Rows()
    for n in range(count):
        login(rows, n * 5, src_ip=source, dst_ip=f"10.0.2.{n % hosts + 1}", dst_port=445, src_bytes=900, dst_bytes=1100)
    return rows


def test_shares_take_more_attempts_from_inside_or_many_hosts():
    assert decided(smb(40, CLIENT)) == {}
    assert decided(smb(150, CLIENT)) == {"password-guessing": CLIENT}
    assert decided(smb(40, CLIENT, hosts=40)) == {"password-guessing": CLIENT}
    assert decided(smb(40, OUTSIDE)) == {"password-guessing": OUTSIDE}


# ------------------------------------------------------------------------------------------------------- names


def test_made_up_names_below_a_provider_of_dynamic_dns_are_generated_domains():
    rows, dice = Rows(), random.Random(12)
    for n in range(60):
        label = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))
        rows.ask(n, f"{label}.{dice.choice(('dyndns.org', 'yi.org', 'mooo.com'))}", "NXDOMAIN")
    assert decided(rows) == {"generated-domains": CLIENT}


# ------------------------------------------------------------------------------------------ floods and exfiltration


def test_an_unanswered_stream_is_a_flood_and_no_exfiltration():
    rows = Rows()
    for n in range(5):
        rows.add(n * 20, dst_port=20_000 + n, proto="udp", src_bytes=40_000_000, dst_bytes=0, src_pkts=40_000,
                 dst_pkts=0, duration=20, conn_state="S0")  # fmt: skip
    assert decided(rows) == {"flood": CLIENT}


def test_an_open_stream_is_no_flood_where_the_feed_counts_nothing_of_the_other_side():
    rows = Rows()
    for n in range(5):
        rows.add(n * 20, src_bytes=4_000_000, dst_bytes=0, src_pkts=200_000, dst_pkts=0, duration=20)
    assert decided(rows) == {}


def test_a_ping_flood_is_one_even_if_answered_and_pings_are_none():
    def pings(rate: int) -> Rows:
        rows = Rows()
        for n in range(3):
            rows.add(n * 60, src_ip=OUTSIDE, dst_ip=SERVER, src_port=8, dst_port=0, proto="icmp", conn_state="OTH",
                     src_pkts=rate * 60, dst_pkts=rate * 60, duration=60)  # fmt: skip
        return rows

    assert decided(pings(3000)) == {"flood": SERVER}
    assert decided(pings(10)) == {}


def test_reflected_packets_count_together_over_their_flows():
    rows = Rows()
    for n in range(200):
        rows.add(n / 20, src_ip=outside(n), src_port=123, dst_ip=SERVER, dst_port=40_000, proto="udp", conn_state="S0",
                 src_bytes=20_000_000, dst_bytes=0, src_pkts=45_000, dst_pkts=0, duration=60)  # fmt: skip
    assert decided(rows) == {"flood": SERVER}


def stream(**values: Any) -> Rows:
    rows = Rows()
    for n in range(3000):
        rows.add(n * 0.02, conn_state="OTH", src_bytes=0, dst_bytes=0, dst_pkts=0, **values)
    return rows


def test_acknowledgements_from_nowhere_are_a_flood_and_the_middle_of_streams_is_none():
    assert decided(stream(src_pkts=1)) == {"flood": CLIENT}
    assert decided(stream(src_pkts=30)) == {}


def hammer(rate: int, source: str) -> Rows:
    rows = Rows()
    for n in range(rate * 120):
        rows.add(n / rate, src_ip=source, dst_ip=SERVER, dst_port=80)
    return rows


def test_one_source_that_hammers_a_service_floods_it_though_it_answers():
    assert decided(hammer(60, OUTSIDE)) == {"flood": SERVER}
    assert decided(hammer(10, OUTSIDE)) == {}
    assert decided(hammer(60, CLIENT)) == {}, "a load balancer inside"
    assert best(hammer(110, CLIENT), "flood") >= 1
