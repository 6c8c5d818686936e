"""Each behaviour sees what it is for, and stays silent about the harmless thing that looks most like it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from agents.detector.title import title_of
from domain.sighting import MOST_PEERS, Sighting
from domain.thresholds import Thresholds
from engine.behaviours import all_behaviours
from engine.behaviours.names import strangeness
from engine.frame import Frame
from tests.engine.rows import CLIENT, OUTSIDE, SERVER, Rows


def sense(frame: Frame, thresholds: Thresholds | None = None) -> list[Sighting]:
    return [s for behaviour in all_behaviours(thresholds or Thresholds()) for s in behaviour.sense(frame)]


def decided(rows: Rows) -> dict[str, str]:
    """Kind -> entity of every decision."""
    return {s.kind: s.entity for s in sense(rows.frame()) if s.score >= 1}


def outside(number: int) -> str:
    return f"198.51.{100 + number // 250}.{1 + number % 250}"


# ------------------------------------------------------------------------------------------------------- scans


def test_a_source_that_fails_on_one_port_of_many_hosts_is_a_horizontal_scan():
    rows = Rows()
    for n in range(30):
        rows.fail(n * 2, dst_ip=outside(n), dst_port=445, conn_state="S0" if n % 3 else "REJ")
    assert decided(rows) == {"horizontal-scan": CLIENT}


def test_the_title_of_a_scan_counts_all_hosts_though_few_of_them_are_kept():
    rows = Rows()
    for n in range(243):
        rows.fail(n, dst_ip=outside(n), dst_port=22)
    (seen,) = [s for b in all_behaviours(Thresholds()) for s in [*b.sense(rows.frame()), *b.finish(243, rows.clock)]][
        -1:
    ]
    assert len(seen.peers) == MOST_PEERS
    assert title_of(seen).endswith(": 243 connections to 22/tcp, 243 hosts did not answer")


def test_a_slow_horizontal_scan_over_most_of_an_hour_is_seen():
    rows = Rows()
    for n in range(12):
        rows.fail(n * 280, dst_ip=outside(n), dst_port=23)
    assert decided(rows) == {"horizontal-scan": CLIENT}


def test_a_browser_with_some_dead_servers_is_no_scan():
    rows = Rows()
    for n in range(200):
        (rows.fail if n % 10 == 0 else rows.add)(n, dst_ip=outside(n))
    assert decided(rows) == {}


def test_hosts_that_answered_before_do_not_count_when_the_uplink_is_lost():
    rows = Rows()
    for n in range(60):
        rows.add(n, dst_ip=outside(n))
    for n in range(60):
        rows.fail(100 + n, dst_ip=outside(n))
    assert decided(rows) == {}


def test_an_icmp_sweep_of_a_network_is_a_horizontal_scan():
    rows = Rows()
    for n in range(120):
        rows.fail(n * 0.1, dst_ip=f"10.9.0.{n + 1}", dst_port=0, src_port=8, proto="icmp", conn_state="OTH")
    assert decided(rows) == {"horizontal-scan": CLIENT}


def test_a_thousand_closed_ports_of_one_host_are_a_vertical_scan_and_no_flood():
    rows = Rows()
    for n in range(1000):
        rows.fail(n * 0.01, dst_ip=SERVER, dst_port=n + 1, conn_state="REJ", src_port=41_000, dst_pkts=1)
    assert decided(rows) == {"vertical-scan": CLIENT}


def test_a_file_transfer_over_many_open_ports_is_no_vertical_scan():
    rows = Rows()
    for n in range(200):
        rows.add(n, dst_ip=SERVER, dst_port=30_000 + n)
    assert decided(rows) == {}


def test_answers_to_high_ports_and_traceroutes_are_no_scan():
    rows = Rows()
    for n in range(40):
        rows.fail(n, src_ip=SERVER, src_port=1900, dst_ip=CLIENT, dst_port=50_000 + n, proto="udp")
        rows.fail(n, src_ip=SERVER, src_port=53, dst_ip=CLIENT, dst_port=50_000 + n, proto="udp")
        rows.fail(n, dst_ip=OUTSIDE, dst_port=33_434 + n, proto="udp")
    assert decided(rows) == {}


# --------------------------------------------------------------------------------------------- password guessing


def login(rows: Rows, at: float, **values: object) -> Rows:
    base = {"src_ip": OUTSIDE, "dst_ip": SERVER, "dst_port": 22, "src_bytes": 1900, "dst_bytes": 2500, "src_pkts": 15}
    return rows.add(at, **{**base, **values})


def test_many_short_alike_ssh_connections_are_password_guessing_by_the_source():
    rows = Rows()
    for n in range(60):
        login(rows, n * 2, src_bytes=1900 + n % 7 * 40)
    assert decided(rows) == {"password-guessing": OUTSIDE}


def test_one_password_sprayed_over_many_hosts_is_password_guessing():
    rows = Rows()
    for n in range(40):
        login(rows, n * 5, dst_ip=f"10.0.1.{n + 1}", dst_port=3389)
    assert decided(rows) == {"password-guessing": OUTSIDE}


def desktops(count: int, every: float, *, result: str = "encrypted", sessions: bool = False) -> dict[str, str]:
    """Desktop log-ins of an inside client, on record; with their long connections too, if the feed holds those."""
    rows = Rows()
    for n in range(count):
        ends = {"src_ip": CLIENT, "dst_ip": f"10.0.2.{n % 6 + 1}", "dst_port": 3389, "src_port": 40_000 + n}
        if sessions:
            login(rows, n * every, **ends, src_bytes=3_000_000, dst_bytes=200_000_000, src_pkts=9000, duration=5000.0)
        nothing = {"src_bytes": 0, "dst_bytes": 0, "src_pkts": 0, "proto": "", "conn_state": ""}
        login(rows, n * every + 0.1, **{**ends, **nothing}, log="rdp", detail={"result": result})
    return decided(rows)


def test_desktop_sessions_that_are_encrypted_or_negotiated_are_no_refused_passwords():
    assert desktops(30, 25.0) == desktops(30, 25.0, result="Success") == {}
    assert desktops(300, 2.0, sessions=True) == {}
    assert desktops(300, 2.0, result="SSL_NOT_ALLOWED_BY_SERVER") == {}


def test_hundreds_of_desktop_log_ins_are_guessing_where_no_connections_are_there_to_judge_by():
    assert desktops(300, 2.0) == {"password-guessing": CLIENT}
    assert desktops(300, 60.0) == {}


def test_long_sessions_and_sessions_that_vary_are_no_password_guessing():
    rows = Rows()
    for n in range(60):
        login(rows, n * 10, src_bytes=60_000, src_pkts=200)
        login(rows, n * 10, src_ip=CLIENT, src_bytes=random.Random(n).choice((600, 1200, 2400, 4800)))
    assert decided(rows) == {}


def test_log_ins_that_the_record_calls_successful_are_taken_off():
    rows = Rows()
    for n in range(60):
        login(rows, n * 5, src_ip=CLIENT)
        detail = {"auth_success": True, "auth_attempts": 1}
        login(rows, n * 5 + 1, src_ip=CLIENT, log="ssh", detail=detail)
    scores = [s.score for s in sense(rows.frame()) if s.kind == "password-guessing"]
    assert all(score < 1 for score in scores)


def test_a_success_after_failures_on_record_raises_the_score():
    def best(success: bool) -> float:
        rows = Rows()
        for n in range(25):
            login(rows, n * 10, log="ssh", detail={"auth_success": False, "auth_attempts": 1})
        login(rows, 260, log="ssh", detail={"auth_success": success, "auth_attempts": 1})
        return max(s.score for s in sense(rows.frame()))

    assert best(success=True) > 1.5 * best(success=False)


def test_the_log_in_that_succeeded_stays_among_the_sample_flows():
    rows = Rows()
    for n in range(60):
        detail = {"auth_success": n == 30, "auth_attempts": 1}
        login(rows, n * 10, log="ssh", detail=detail, src_port=40_000 + n)
    last = sense(rows.frame())[-1]
    assert last.flow_count > 40
    assert [(flow.src_port, flow.note) for flow in last.flows if "logged in" in flow.note] == [
        (40_030, "ssh: logged in")
    ]
    assert len(last.flows) <= 20


# ------------------------------------------------------------------------------------------------------- beacon


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.1])
def test_a_regular_call_to_one_outside_peer_is_a_beacon_of_the_inside_client(jitter: float):
    rows, dice, at = Rows(), random.Random(3), 0.0
    for _ in range(60):
        rows.add(at, src_bytes=420 + dice.randrange(20))
        at += 60 * (1 + dice.uniform(-jitter, jitter))
    assert decided(rows) == {"beacon": CLIENT}


def test_retries_to_a_dead_home_are_a_beacon_within_minutes():
    rows = Rows()
    for n in range(250):
        for retry, late in enumerate((0.0, 0.5, 5.4)):  # the third is logged late, among the calls after it
            at = n * 2.1 + (late if retry < 2 else 1.04)
            rows.fail(at, dst_port=5888, conn_state="REJ", src_port=50_000 + n, dst_pkts=1)
    assert decided(rows) == {"beacon": CLIENT}


def test_a_person_who_reads_one_site_all_day_is_no_beacon():
    rows, dice, at = Rows(), random.Random(4), 0.0
    for _ in range(400):
        at += dice.expovariate(1 / 70)
        rows.add(at, src_bytes=dice.randrange(300, 9000))
    assert decided(rows) == {}


def test_what_many_inside_clients_do_is_a_service():
    rows = Rows()
    for n in range(120):
        for client in range(8):
            rows.add(n * 60 + client, src_ip=f"10.0.0.{client + 10}", src_bytes=500)
    assert decided(rows) == {}


def test_clocks_resolvers_and_hourly_update_checks_are_no_beacon():
    rows = Rows()
    for n in range(600):
        rows.add(n * 64, dst_port=123, proto="udp", src_bytes=48, dst_bytes=48)
        rows.add(n * 64 + 1, dst_port=53, proto="udp", src_bytes=40)
        if n % 56 == 0:
            rows.add(n * 64 + 2, dst_ip=outside(1), src_bytes=700)
    assert decided(rows) == {}


def test_a_beacon_through_a_proxy_is_seen_by_the_name_it_asks_for():
    rows = Rows()
    for n in range(60):
        rows.add(n * 240, log="http", dst_ip=SERVER, dst_port=3128,
                 detail={"method": "CONNECT", "uri": "c2.example.net:443"}, src_bytes=0, dst_bytes=0)  # fmt: skip
    found = [s for s in sense(rows.frame()) if s.score >= 1]
    assert {(s.kind, s.entity, s.peers) for s in found} == {("beacon", CLIENT, ("c2.example.net",))}


# ------------------------------------------------------------------------------------------------- exfiltration


def test_one_long_upload_and_many_small_ones_are_exfiltration():
    single = Rows().add(0, src_bytes=400_000_000, dst_bytes=900_000, duration=1200)
    many = Rows()
    for n in range(50):
        many.add(n * 40, src_bytes=6_000_000, dst_bytes=20_000, dst_port=8443 if n % 2 else 443)
    assert decided(single) == {"exfiltration": CLIENT}
    assert decided(many) == {"exfiltration": CLIENT}


def test_video_calls_inside_copies_and_a_usual_backup_are_no_exfiltration():
    rows = Rows()
    for n in range(36):
        rows.add(n * 900, dst_ip=outside(1), src_bytes=150_000_000, dst_bytes=170_000_000, duration=800)
        rows.add(n * 900 + 1, dst_ip=SERVER, src_bytes=2_000_000_000, dst_bytes=500_000)
        rows.add(n * 900 + 2 + n % 5, dst_ip=outside(2), src_bytes=15_000_000, dst_bytes=90_000)
    assert decided(rows) == {}


# -------------------------------------------------------------------------------------------------------- flood


def flood(rows: Rows, source: str, victim: str) -> Rows:
    for n in range(3000):
        rows.fail(n * 0.02, src_ip=source, dst_ip=victim, dst_port=80, src_port=1024 + n)
    return rows


def test_a_flood_is_about_the_victim_inside_else_the_source():
    assert decided(flood(Rows(), OUTSIDE, SERVER)) == {"flood": SERVER}
    assert decided(flood(Rows(), CLIENT, OUTSIDE)) == {"flood": CLIENT}
    assert decided(flood(Rows(), outside(1), OUTSIDE)) == {"flood": outside(1)}


def test_a_flood_from_many_sources_counts_together():
    rows = Rows()
    for n in range(3000):
        rows.fail(n * 0.02, src_ip=outside(n % 500), dst_ip=SERVER, dst_port=80, src_port=1024 + n)
    assert decided(rows) == {"flood": SERVER}


def test_a_busy_web_server_is_not_flooded():
    rows = Rows()
    for n in range(6000):
        rows.add(n * 0.02, src_ip=outside(n % 500), dst_ip=SERVER, dst_port=80)
        if n % 10 == 0:
            rows.fail(n * 0.02, src_ip=outside(n % 500), dst_ip=SERVER, dst_port=80)
    assert decided(rows) == {}


# --------------------------------------------------------------------------------------------------------- names


def word(dice: random.Random, size: int, letters: str) -> str:
    return "".join(dice.choice(letters) for _ in range(size))


def test_data_inside_names_is_a_tunnel_of_the_client():
    rows, dice = Rows(), random.Random(5)
    for n in range(200):
        rows.ask(n, f"{word(dice, 50, 'abcdefghijklmnopqrstuvwxyz234567')}.t.example.net", kind="TXT")
    assert decided(rows) == {"dns-tunnel": CLIENT}


def test_content_networks_reverse_lookups_and_local_names_are_no_tunnel():
    rows, dice = Rows(), random.Random(6)
    for n in range(300):
        noise = word(dice, 32, "0123456789abcdef")
        rows.ask(n, f"{noise}.cloudfront.net").ask(n, f"{noise}._sub._tcp.local", kind="PTR")
        rows.ask(n, ".".join("0123456789abcdef"[dice.randrange(16)] for _ in range(32)) + ".ip6.arpa", kind="PTR")
        rows.ask(n, f"server-{n}.eu.content-site.org")
    assert decided(rows) == {}


def test_many_made_up_names_that_do_not_exist_are_generated_domains():
    rows, dice = Rows(), random.Random(7)
    for n in range(40):
        rows.ask(n, f"{word(dice, 14, 'abcdefghijklmnopqrstuvwxyz')}.com", "NXDOMAIN")
    assert decided(rows) == {"generated-domains": CLIENT}


def test_search_suffixes_typing_errors_and_block_lists_are_no_generated_domains():
    rows, dice = Rows(), random.Random(8)
    for n in range(200):
        rows.ask(n, f"{word(dice, 10, 'abcdefghijklmnopqrstuvwxyz')}.corp.example.com", "NXDOMAIN")
        rows.ask(n, "wpad.home", "NXDOMAIN").ask(n, word(dice, 12, "abcdefghijklmnop"), "NXDOMAIN")
        rows.ask(n, f"{n}.2.0.192.zen.blocklist.org", "NXDOMAIN")
    for typo in ("gogle", "facebok", "newyorktime", "wikipdia", "weathr", "hotelbookng", "onlineshp", "travelgude"):
        rows.ask(300, f"{typo}.com", "NXDOMAIN")
    assert decided(rows) == {}


def test_letters_of_chosen_names_surprise_less_than_those_of_made_up_ones():
    chosen = ["mountainbikeshop", "freshgarden", "travelinsurance", "bestphotostudio", "weatheronline"]
    dice = random.Random(9)
    made_up = [word(dice, 14, "abcdefghijklmnopqrstuvwxyz") for _ in range(20)]
    assert max(map(strangeness, chosen)) < min(map(strangeness, made_up))


# -------------------------------------------------------------------------------------------- emission discipline


def test_a_key_is_reported_at_half_one_and_every_doubling():
    rows = Rows()
    for n in range(100):
        rows.fail(n, dst_ip=outside(n), dst_port=445)
    assert [round(s.score, 2) for s in sense(rows.frame())] == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_threat_that_goes_on_is_reported_again_every_ten_minutes():
    rows = Rows()
    for n in range(20):
        rows.fail(n, dst_ip=outside(n), dst_port=445)
    for n in range(40):
        rows.fail(100 + n * 60, dst_ip=outside(n % 20), dst_port=445)
    last = [s for s in sense(rows.frame()) if s.score >= 1][-3:]
    assert [b.at - a.at for a, b in pairwise(last)] == [600_000_000, 600_000_000]
    assert all(s.last_seen == s.at for s in last)


def test_samples_and_peers_of_a_sighting_are_bounded_and_the_evidence_is_the_first_row():
    from hashlib import sha256

    rows = Rows()
    for n in range(300):
        rows.fail(n, dst_ip=outside(n), dst_port=445)
    first, last = (found := sense(rows.frame()))[0], found[-1]
    assert len(last.flows) == 20
    assert len(last.peers) == 50
    assert last.flow_count > 100
    assert first.evidence == last.evidence == sha256(rows.rows[0][-1]).hexdigest()


def test_a_scan_two_days_later_is_a_new_threat():
    rows = Rows()
    for day in (0, 2):
        for n in range(20):
            rows.fail(day * 86_400 + n, dst_ip=outside(n), dst_port=445)
    assert len({s.evidence for s in sense(rows.frame()) if s.score >= 1}) == 2


def test_what_is_inside_is_a_setting():
    rows = Rows()
    for n in range(60):
        rows.add(n * 60, src_ip="100.64.0.9", src_bytes=420)
    assert sense(rows.frame()) == []
    found = sense(rows.frame(), Thresholds(local_networks=("100.64.0.0/10",)))
    assert {s.entity for s in found} == {"100.64.0.9"}
