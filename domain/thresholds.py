"""Thresholds of the detections: every number above which something counts, with its unit. A user edits them in TOML.

Defaults are the field's usual values (Zeek's scan and brute-force policies, RITA's beacons); none is fitted to a
capture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.anomaly_limits import AnomalyLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizontalScanThresholds:
    """One source, one service, many hosts that do not answer.

    Attributes:
        hosts: distinct hosts that failed on first contact, for a decision.
        window_seconds: seconds in which they must fall; long enough for a slow scan.
        failed_share: least share of failures among the distinct hosts tried on that service (0-1).
        icmp_hosts: distinct hosts that left an echo request unanswered, for a decision (a quarter of a /24: monitoring
            servers ping whatever is switched off).
        udp_outside_share: least share of failures where outside hosts are asked over UDP (0-1): most of a resolver's,
            a game's or a peer-to-peer client's peers may be gone, nearly all of a scanner's are.
        peer_ports: ports of peer-to-peer networks, whose peers come and go (BitTorrent).
    """

    hosts: int = 10
    window_seconds: int = 3600
    failed_share: float = 0.35
    icmp_hosts: int = 64
    udp_outside_share: float = 0.9
    peer_ports: tuple[int, ...] = (6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889, 51413)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerticalScanThresholds:
    """One source, one host, many ports that do not answer.

    Attributes:
        ports: distinct ports of one host that failed, for a decision.
        window_seconds: seconds in which they must fall; long enough for a slow scan.
        failed_share: least share of failures among the distinct ports tried (0-1).
    """

    ports: int = 15
    window_seconds: int = 3600
    failed_share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGuessingThresholds:
    """One source, one log-in service, many short and similar connections.

    Attributes:
        attempts: log-in attempts in the window, for a decision, over all hosts that offer the service.
        busy_factor: how many times as many flows it takes on services whose ordinary clients also come often, briefly
            and alike (mail; from inside also file shares and databases), unless they go to that many hosts.
        window_seconds: seconds in which they must fall.
        size_spread: greatest relative spread (MAD / median) of the bytes sent per connection.
        success_factor: what a success after the failures multiplies the score by.
    """

    attempts: int = 20
    window_seconds: int = 900
    size_spread: float = 0.3
    success_factor: float = 2.0
    busy_factor: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BeaconThresholds:
    """An inside client that calls the same outside peer at a regular beat.

    Attributes:
        calls: calls (retries and bursts count once) for a decision.
        span_seconds: seconds that the calls must span.
        dead_span_seconds: the same when nearly no call is answered: the retries of a bot whose home is gone.
        interval_spread: relative spread (MAD / median) of the intervals up to which `calls` are enough ...
        loosest_spread: ... and the greatest that is looked at: the looser the beat, the more calls are asked for (a
            sleep of plus or minus a half spreads by 0.25, a person's clicks by 0.7).
        size_spread: greatest relative spread (MAD / median) of the bytes sent ...
        size_spread_bytes: ... or this many bytes of MAD, whichever allows more.
        skew: greatest quartile (Bowley) skewness of the intervals (0-1).
        burst_seconds: calls closer than this are one call.
        longest_interval_seconds: a slower median beat is not looked for: update checks live there.
        largest_call_bytes: median bytes sent per call above which it is no beacon.
        common_clients: inside clients of the same peer from which on it counts as a service that all use ...
        common_share: ... if they are at least this share of the inside hosts that call out (0-1).
        ignored_ports: services that beat by nature (DNS, DHCP, mail pick-up, NTP, NetBIOS, SNMP, VPN, SSDP, mDNS, STUN,
            SIP, push).
        trusted_domains: registered domains of makers whose systems call home by nature (updates, telemetry, checks for
            a captive portal); an address that a DNS answer gave for one of them has no beacons. Hosting domains, where
            anybody can rent a name, do not belong here.
    """

    calls: int = 20
    span_seconds: int = 1800
    dead_span_seconds: int = 300
    interval_spread: float = 0.1
    loosest_spread: float = 0.25
    size_spread: float = 0.05
    size_spread_bytes: int = 32
    skew: float = 0.5
    burst_seconds: float = 1.0
    longest_interval_seconds: int = 1800
    largest_call_bytes: int = 20_000
    common_clients: int = 3
    common_share: float = 0.1
    ignored_ports: tuple[int, ...] = (
        53, 67, 68, 110, 123, 137, 138, 143, 161, 500, 546, 547, 853, 993, 995, 1194, 1900, 3478, 3479, 4500, 5060,
        5061, 5223, 5228, 5229, 5230, 5353, 5355, 19302, 51820,
    )  # fmt: skip
    trusted_domains: tuple[str, ...] = (
        "apple.com", "avast.com", "canonical.com", "debian.org", "eset.com", "fedoraproject.org", "firefox.com",
        "gnome.org", "google.com", "googleapis.com", "gstatic.com", "gvt1.com", "gvt2.com", "icloud.com",
        "kaspersky.com", "live.com", "mcafee.com", "microsoft.com", "microsoftonline.com", "mozilla.com",
        "mozilla.net", "mozilla.org", "msftconnecttest.com", "msftncsi.com", "office.com", "office.net",
        "office365.com", "outlook.com", "skype.com", "sophos.com", "symantec.com", "trendmicro.com", "ubuntu.com",
        "windows.com", "windowsupdate.com",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExfiltrationThresholds:
    """An inside client that sends an outside peer far more than it takes in.

    Attributes:
        bytes: bytes sent to one peer in the window, for a decision.
        window_seconds: seconds in which they must fall.
        ratio: least bytes sent per byte received.
        usual_factor: how far above the host's usual outbound bytes per window it must be.
        common_clients: inside hosts that upload to the same peer from which on the bar is ten times as high.
        smallest_flow_bytes: a peer is watched from the first flow that sends this much.
    """

    bytes: int = 100_000_000
    window_seconds: int = 3600
    ratio: float = 5.0
    usual_factor: float = 3.0
    common_clients: int = 4
    smallest_flow_bytes: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodThresholds:
    """One victim, a rate of connections that ask for nothing.

    Attributes:
        connections: unanswered or empty connections to one service in the window, for a decision.
        window_seconds: seconds in which they must fall.
        useless_share: least share of such connections among all to that service (0-1).
        packets_per_second: unanswered packets per second on one victim, over all its flows, for a decision.
        outward_packets_per_second: the same from one inside host to one outside, and of ICMP anywhere, answered or not.
        answered_connections: connections of one source to one service in the window, for a decision even if all are
            answered; twice as many where both are inside (load balancers, load tests).
    """

    connections: int = 600
    window_seconds: int = 60
    useless_share: float = 0.5
    packets_per_second: int = 5000
    outward_packets_per_second: int = 1000
    answered_connections: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsTunnelThresholds:
    """One client, one registered domain, much data inside the names.

    Attributes:
        bytes: characters in distinct long, random-looking names (record types that carry data count double).
        names: distinct such names; both must be reached for a decision.
        window_seconds: seconds in which they must fall.
        shortest_name: characters left of the registered domain from which on a name counts.
        entropy_bits: least Shannon entropy per character of such a name.
        ignored_domains: registered domains whose names are data by design (reputation, block lists, CDNs).
    """

    bytes: int = 4000
    names: int = 50
    window_seconds: int = 3600
    shortest_name: int = 24
    entropy_bits: float = 3.2
    ignored_domains: tuple[str, ...] = (
        "akadns.net", "akamai.net", "akamaiedge.net", "akamaihd.net", "amazonaws.com", "azure.com", "azureedge.net",
        "barracudabrts.com", "barracudacentral.org", "cloudapp.net", "cloudfront.net", "cymru.com", "e5.sk",
        "edgekey.net", "fastly.net", "googlesyndication.com", "googleusercontent.com", "googlevideo.com", "mcafee.com",
        "sophosxl.net", "spamhaus.org", "spamhaus.net", "sophos.com", "surbl.org", "symantec.com", "trafficmanager.net",
        "trendmicro.com", "uribl.com", "webcfs00.com", "windows.net",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedDomainsThresholds:
    """One client, many distinct names that do not exist and that no person would choose.

    Attributes:
        domains: distinct such registered domains in the window, for a decision.
        window_seconds: seconds in which they must fall.
        random_share: least share of such domains among all distinct ones that did not exist (0-1).
        strangeness_bits: mean surprise (bits per letter) from which on a name looks made up by a program.
        shortest_name: letters that a name needs to be judged at all.
    """

    domains: int = 10
    window_seconds: int = 3600
    random_share: float = 0.5
    strangeness_bits: float = 4.8
    shortest_name: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitThresholds:
    """Bounds of the working state.

    Attributes:
        entities: keys (hosts, pairs) that one behaviour remembers; the coldest is forgotten first.
        members: members of a set (hosts of a scan, names of a domain) that are kept per key.
        quiet_seconds: silence after which a decided threat is over and the next evidence begins a new one.
        repeat_seconds: event time after which a threat that goes on is reported again.
        closing_seconds: event time without new evidence after which a threat's last, untold evidence is reported.
    """

    entities: int = 20_000
    members: int = 1024
    quiet_seconds: int = 86_400
    repeat_seconds: int = 600
    closing_seconds: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All of them, and what is inside."""

    local_networks: tuple[str, ...] = (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10", "169.254.0.0/16", "127.0.0.0/8",
        "::1/128",
    )  # fmt: skip
    horizontal_scan: HorizontalScanThresholds = field(default_factory=HorizontalScanThresholds)
    vertical_scan: VerticalScanThresholds = field(default_factory=VerticalScanThresholds)
    password_guessing: PasswordGuessingThresholds = field(default_factory=PasswordGuessingThresholds)
    beacon: BeaconThresholds = field(default_factory=BeaconThresholds)
    exfiltration: ExfiltrationThresholds = field(default_factory=ExfiltrationThresholds)
    flood: FloodThresholds = field(default_factory=FloodThresholds)
    dns_tunnel: DnsTunnelThresholds = field(default_factory=DnsTunnelThresholds)
    generated_domains: GeneratedDomainsThresholds = field(default_factory=GeneratedDomainsThresholds)
    anomaly: AnomalyLimits = field(default_factory=AnomalyLimits)
    limits: LimitThresholds = field(default_factory=LimitThresholds)
