"""Rules in a running daemon, and a match as an analyst reads it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.e2e.rows import HEADER, T0, calm
from tests.e2e.swarm import PROGRAM, environment, myrmidon
from tests.e2e.test_live import feeds, until
from tests.rules.texts import rule

ON_TLS = rule(
    "a: {dst_port: 443, service: ssl}\ncondition: a", title="TLS seen", log="product: zeek, service: conn", level="high"
).replace("attack.t1071.004", "attack.t1573.002")


def reasons(home: Path) -> list[str]:
    return [reason for reason in myrmidon(home, "status").json["reasons"] if "rules of feed" in reason]


def test_what_is_wrong_with_rules_in_a_live_run_is_told_on_stderr_and_in_status_as_long_as_it_is(tmp_path):
    rules, home, log, said = tmp_path / "rules", tmp_path / "home", tmp_path / "conn.log", tmp_path / "stderr"
    rules.mkdir()
    (rules / "one.yml").write_text(ON_TLS)
    log.write_text(HEADER + calm(T0, 3, every=10))
    settings = environment(MYRMIDON_RULES__DIR=str(rules), MYRMIDON_RULES__RELOAD_EVERY="0.2")
    command = [*PROGRAM, "--home", str(home), "run", "--feed", f"zeek:{log}"]
    with said.open("w") as stderr, subprocess.Popen(command, stderr=stderr, env=settings) as daemon:
        try:
            until(lambda: feeds(home).get("zeek", {}).get("received") == 3)
            (rules / "two.yml").write_text("title: [broken\n")
            until(lambda: "two.yml:2: no YAML" in said.read_text())
            with log.open("a") as file:
                file.write(calm(T0 + 300, 3, every=10))
            until(lambda: any("two.yml:2: no YAML" in reason for reason in reasons(home)))
            (rules / "two.yml").unlink()
            until(lambda: "rules were read again" in said.read_text().partition("no YAML")[2].partition("again")[2])
            until(lambda: not reasons(home))  # no row came since
            away = rules.rename(tmp_path / "away")
            until(lambda: "the folder of rules is gone" in said.read_text())
            until(lambda: any("the folder of rules is gone" in reason for reason in reasons(home)))
            away.rename(rules)
            until(lambda: not reasons(home))
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=120) == 0
    [threat] = myrmidon(home, "threats", "list").json
    shown = myrmidon(home, "threats", "show", threat["id"], as_json=False).out
    assert "a record that matches: dst_port=443 service=ssl" in shown
    assert "MIT" in shown
    assert "Encrypted Channel: Asymmetric Cryptography" in shown
