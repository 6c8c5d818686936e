"""The daemon tells people while it runs: from rows of a log to a receiver, with another channel down."""

from __future__ import annotations

import signal
import subprocess

from tests.alerts.receivers import free_port, http_receiver
from tests.e2e.rows import HEADER, T0, scan
from tests.e2e.swarm import PROGRAM, environment, myrmidon
from tests.e2e.test_live import until

SECRETS = {"HOOK_SECRET": "s3cr3t-of-the-hook", "CHAT_SECRET": "T0/B0/s3cr3t-of-the-chat"}
FAST = {"MYRMIDON_RUN__HEALTH_EVERY": "0.3"}


def test_a_live_incident_reaches_the_channel_that_works_and_the_other_degrades_health(tmp_path):
    log, home, config = tmp_path / "conn.log", tmp_path / "home", tmp_path / "settings.toml"
    log.write_text(HEADER + scan(0, 3))
    nobody = f"http://127.0.0.1:{free_port()}"
    with http_receiver() as served:
        config.write_text(
            f'[alerts.channels.hook]\nkind = "webhook"\nurl = "{served.url}"\nsecret_env = "HOOK_SECRET"\n'
            f'[alerts.channels.chat]\nkind = "slack"\nurl = "{nobody}"\nsecret_env = "CHAT_SECRET"\n'
        )
        command = [*PROGRAM, "--home", str(home), "--config", str(config), "--json", "run", "--feed", f"zeek:{log}"]
        with (tmp_path / "errors").open("wb") as errors:
            daemon = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=errors, env=environment(**SECRETS, **FAST)
            )
        try:
            until((home / "log.db").exists)
            with log.open("a") as file:
                file.write(scan(3, 30))
            until(lambda: served.requests)
            with log.open("a") as file:
                file.write(scan(33, 30, at=T0 + 60, port=22))
            until(lambda: myrmidon(home, "status").json["health"] == "degraded")
            (incident,) = myrmidon(home, "incidents", "list").json
            assert myrmidon(home, "incidents", "resolve", incident["id"]).code == 0
            until(lambda: len(served.requests) >= 2)
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=120) == 0
    assert served.requests[0].json["activity_name"] == "Create"
    assert served.requests[-1].json["status"] == "Resolved"
    listed = {(each["channel"], each["state"]) for each in myrmidon(home, "alerts", "list").json}
    assert ("hook", "delivered") in listed
    assert listed & {("chat", "failed"), ("chat", "routed")}
    said = (tmp_path / "errors").read_text()
    assert said.count("channel chat does not work") == 1
    kept = said + "".join(file.read_text("latin-1") for file in home.rglob("*") if file.is_file())
    assert not [secret for secret in SECRETS.values() if secret in kept]
