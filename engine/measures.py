"""Everything that a threat can show as a measurement: its name, the words that are printed, unit, family and columns.

Two tables: the features of a host window (`engine.features.table`, in the words of `engine.models.words`), which
anomalies show, and `MEASURES` below, which the behaviours, the rules and the anomaly detector itself show. Facts keep
the words; `measure_of` gives the name and the family to them. The page docs/features.md is drawn from here.

    >>> measure_of("share of hosts that nobody else here called")
    Named(name='rare_peers_share', family='topology')
    >>> measure_of("deviation (extreme)"), measure_of("matches within 60 s").name
    (Named(name='deviation', family='behavioural'), 'matches')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.features.table import FEATURES, Family
from engine.models.words import WORDS


class Named(NamedTuple):
    """What a measurement is called in the table, and its family."""

    name: str
    family: str


@dataclass(frozen=True, slots=True)
class MeasureRule:
    """One measurement. In `words` a part in braces stands for what differs from threat to threat."""

    name: str
    words: str
    unit: str
    family: Family
    columns: str
    of: str


MEASURES: Final = (
    MeasureRule("calls", "calls", "calls", "temporal", "ts, dst_ip", "beacon"),
    MeasureRule("interval_median", "median interval between calls", "s", "temporal", "ts", "beacon"),
    MeasureRule("interval_spread", "spread of the intervals", "", "temporal", "ts", "beacon"),
    MeasureRule("interval_skewness", "skewness of the intervals", "", "temporal", "ts", "beacon"),
    MeasureRule("call_bytes_median", "median bytes sent", "B", "packet/byte", "src_bytes", "beacon"),
    MeasureRule("span", "span", "s", "temporal", "ts", "beacon"),
    MeasureRule("calls_answered", "calls answered", "calls", "behavioural", "conn_state, dst_bytes", "beacon"),
    MeasureRule("upload_bytes", "bytes sent to the peer", "B", "packet/byte", "src_bytes", "exfiltration"),
    MeasureRule("upload_ratio", "bytes sent per byte received", "", "packet/byte", "src_bytes, dst_bytes",
                "exfiltration"),
    MeasureRule("upload_usual", "bytes the host usually sends", "B", "behavioural", "src_bytes", "exfiltration"),
    MeasureRule("useless_flows", "connections that asked for nothing", "in {} s", "packet/byte",
                "conn_state, src_bytes, dst_bytes", "flood"),
    MeasureRule("useless_share", "share of such connections", "", "statistical", "conn_state, src_bytes, dst_bytes",
                "flood"),
    MeasureRule("unanswered_packets", "unanswered packets", "1/s", "temporal", "src_pkts, dst_pkts, ts", "flood"),
    MeasureRule("source_flows", "connections of one source", "in {} s", "temporal", "src_ip, ts", "flood"),
    MeasureRule("name_characters", "characters inside names", "characters", "packet/byte", "query, answers (dns)",
                "dns-tunnel"),
    MeasureRule("names", "distinct names", "names", "statistical", "query (dns)", "dns-tunnel"),
    MeasureRule("name_entropy", "entropy of the last name", "bits", "statistical", "query (dns)", "dns-tunnel"),
    MeasureRule("made_up_names", "made-up names that do not exist", "names", "statistical", "query, rcode_name (dns)",
                "generated-domains"),
    MeasureRule("made_up_share", "share among missing names", "", "statistical", "query, rcode_name (dns)",
                "generated-domains"),
    MeasureRule("name_surprise", "surprise of the last name", "bits a letter", "statistical", "query (dns)",
                "generated-domains"),
    MeasureRule("attempts", "log-in attempts", "attempts", "behavioural",
                "src_bytes, dst_bytes, duration, dst_port", "password-guessing"),
    MeasureRule("attempts_failed", "attempts that failed on record", "attempts", "behavioural",
                "auth_attempts, auth_success (ssh), status_code (http)", "password-guessing"),
    MeasureRule("passwords_refused", "passwords refused on record", "passwords", "behavioural",
                "auth_attempts, auth_success (ssh), status_code (http)", "password-guessing"),
    MeasureRule("attempt_spread", "spread of the bytes sent", "", "packet/byte", "src_bytes", "password-guessing"),
    MeasureRule("successes", "successes on record", "", "behavioural", "auth_success (ssh), status_code (http)",
                "password-guessing"),
    MeasureRule("log_ins_begun", "log-ins begun, outcome not on record", "in {} s", "behavioural", "result (rdp)",
                "password-guessing"),
    MeasureRule("ports_failed", "ports that did not answer", "ports", "topology", "dst_port, conn_state",
                "vertical-scan"),
    MeasureRule("hosts_failed", "hosts that did not answer", "hosts", "topology", "dst_ip, conn_state",
                "horizontal-scan"),
    MeasureRule("scan_failed_share", "share of failures", "", "statistical", "conn_state",
                "vertical-scan, horizontal-scan"),
    MeasureRule("records", "records that match", "records", "behavioural", "those of the rule", "rule-match"),
    MeasureRule("matches", "matches within {} s", "", "temporal", "ts, those of the rule", "rule-match"),
    MeasureRule("values", "distinct values within {} s", "", "statistical", "ts, those of the rule", "rule-match"),
    MeasureRule("rules", "different rules within {} s", "", "temporal", "ts, those of the rules", "rule-match"),
    MeasureRule("rules_in_order", "rules in order within {} s", "", "temporal", "ts, those of the rules",
                "rule-match"),
    MeasureRule("rule_matches", "matches of “{}” by {}", "records", "behavioural", "those of the rule", "rule-match"),
    MeasureRule("deviation", "deviation ({})", "MAD", "behavioural", "those of the features", "anomaly"),
    MeasureRule("peers_compared", "hosts of the same minutes that it was held against", "", "behavioural", "src_ip, ts",
                "anomaly"),
    MeasureRule("baseline_windows", "host windows in its baseline of {}", "", "behavioural", "src_ip, ts", "anomaly"),
)  # fmt: skip

_PATTERNS: Final = tuple(
    (re.compile(re.escape(rule.words).replace(r"\{\}", ".+")), Named(rule.name, rule.family)) for rule in MEASURES
)
_FEATURES: Final = {WORDS.get(feature.name, feature.name): Named(feature.name, feature.family) for feature in FEATURES}


def measure_of(words: str) -> Named | None:
    """Name and family of a measurement by its words; None if they stand in no table (those of an older release)."""
    found = _FEATURES.get(words)
    return found or next((named for pattern, named in _PATTERNS if pattern.fullmatch(words)), None)


def named(features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Measurements of a threat with `measure` (the name in the table) and `family` beside their words (`name`)."""
    found = ((feature, measure_of(feature["name"])) for feature in features)
    return [
        {**feature, "measure": each.name if each else "", "family": each.family if each else ""}
        for feature, each in found
    ]


def page() -> str:
    """Both tables as the page `docs/features.md`."""
    lines = [
        "# Measurements",
        "",
        "What a threat shows, by family. `threats show --json` and `audit explain --json` give each measurement its",
        "words (`name`), the name in these tables (`measure`), `family`, `unit`, `value` and `baseline` (what it is",
        "compared with: the usual value, or the threshold).",
        "",
        "## Features of a host window",
        "",
        "One vector per inside host and window of event time; features on a log scale enter the models as",
        "log(1 + value). What is shown is the value itself, in its unit.",
        "",
        "| feature | family | unit | scale | columns | in words | what it measures |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {f.name} | {f.family} | {f.unit or '-'} | {'log' if f.log else 'linear'} | {', '.join(f.columns)} "
        f"| {WORDS.get(f.name, '- (never shown)')} | {f.says} |"
        for f in FEATURES
    ]
    lines += [
        "",
        "## Measurements of behaviours, rules and anomalies",
        "",
        "Columns are those of the connection record, or fields of the log in brackets; `{}` differs from threat to",
        "threat.",
        "",
        "| measure | family | unit | columns | in words | kinds of threat |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {m.name} | {m.family} | {m.unit or '-'} | {m.columns} | {m.words} | {m.of} |" for m in MEASURES]
    return "\n".join(lines) + "\n"
