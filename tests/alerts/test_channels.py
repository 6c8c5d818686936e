"""One contract for every channel, against a real local server of its protocol; then what each of them says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from contextlib import contextmanager
from email import message_from_string
from email.policy import default as mail_policy

import pytest
from aiosmtpd.controller import Controller

from adapters.notify.ocsf import incident_finding
from agents.responder.notices import NotifyError
from domain.facts.alert import AlertTrigger
from tests.alerts.notices import INCIDENT, KEY, notice
from tests.alerts.receivers import free_port, http_receiver
from tests.alerts.rigs import RIGS, SECRET, SLOW, WITHOUT, build, documents

CASES = [
    (kind, mode) for kind in RIGS for mode in ("untrusted", "down", "slow", "nonsense") if (kind, mode) not in WITHOUT
]


@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k in RIGS for m in ("good", "tls") if (k, m) not in WITHOUT])
def test_an_alert_arrives_with_its_key(kind, mode, pem, tmp_path):
    with RIGS[kind](mode, pem, tmp_path) as rig:
        rig.channel.send(notice())
        rig.channel.send(notice())
        until(lambda: len(rig.taken()) == 2)
        assert all(str(KEY) in text for text in rig.taken())


@pytest.mark.parametrize(("kind", "mode"), CASES)
def test_a_channel_that_does_not_work_is_one_clear_error_in_time(kind, mode, pem, tmp_path):
    with RIGS[kind](mode, pem, tmp_path) as rig:
        begun = time.monotonic()
        with pytest.raises(NotifyError) as caught:
            rig.channel.send(notice())
        assert time.monotonic() - begun < SLOW + 2
        assert caught.value.of_channel
        assert "\n" not in str(caught.value)
        assert SECRET not in str(caught.value)
        assert rig.taken() == [] or mode == "slow"  # a slow receiver may have taken it all the same
        assert {"untrusted": "certificate", "down": "refused", "slow": "in time"}.get(mode, "") in str(caught.value)


@pytest.mark.parametrize("kind", RIGS)
def test_a_channel_that_failed_once_takes_the_alert_at_the_next_attempt(kind, pem, tmp_path):
    with RIGS[kind]("once", pem, tmp_path) as rig:
        failures = 0
        while not rig.taken() and failures < 5:
            try:
                rig.channel.send(notice())
                until(rig.taken, 1.0)
            except (NotifyError, AssertionError):
                failures += 1
        assert failures == 1
        assert str(KEY) in rig.taken()[0]


@pytest.mark.parametrize(
    ("status", "of_channel"),
    [(400, False), (413, False), (401, True), (404, True), (429, True), (302, True), (503, True)],
)
def test_an_answer_says_whether_the_alert_or_the_channel_is_at_fault(status, of_channel, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    with http_receiver(answers=[status]) as served:
        channel = build("webhook", url=served.url, secret_file=str(tmp_path / "secret"))
        with pytest.raises(NotifyError) as caught:
            channel.send(notice())
        channel.close()
    assert caught.value.of_channel == of_channel


def test_a_web_page_is_no_slack(tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    with http_receiver(good=(200, "<html>please log in</html>")) as served:
        for kind in ("slack", "teams", "pagerduty"):
            channel = build(kind, url=served.url, secret_file=str(tmp_path / "secret"))
            with pytest.raises(NotifyError, match="answered"):
                channel.send(notice())
            channel.close()


@pytest.mark.parametrize("kind", ["slack", "teams", "webhook", "pagerduty"])
def test_a_missing_secret_says_where_it_was_looked_for(kind, monkeypatch):
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with pytest.raises(NotifyError, match="NO_SUCH_SECRET is not set"):
        build(kind, url="http://127.0.0.1:1", secret_env="NO_SUCH_SECRET").send(notice())


def test_no_secret_comes_out_when_a_receiver_sends_it_back(monkeypatch):
    monkeypatch.setenv("THE_SECRET", SECRET)
    with http_receiver(good=(200, f"your key is {SECRET}")) as served:
        channel = build("webhook", url=served.url, secret_env="THE_SECRET")
        assert SECRET not in channel.send(notice())
        channel.close()


def test_a_connection_that_the_receiver_closed_meanwhile_is_opened_anew(tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    with http_receiver() as served:
        channel = build("webhook", url=served.url, secret_file=str(tmp_path / "secret"))
        channel.send(notice())
        channel._inner._poster._connection.sock.shutdown(socket.SHUT_RDWR)
        assert channel.send(notice()).startswith("200")
        channel.close()


def test_a_webhook_is_signed_in_the_manner_of_standard_webhooks(pem, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    with http_receiver() as served:
        channel = build("webhook", url=f"{served.url}/hook", secret_file=str(tmp_path / "secret"))
        channel.send(notice())
        channel.close()
        (request,) = served.requests
    assert request.headers["idempotency-key"] == request.headers["webhook-id"] == str(KEY)
    signed = f"{KEY}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.fixture(scope="module")
def incident_schema():
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0")).get_class_schema("incident_finding")
    return Draft202012Validator(schema)


@pytest.mark.parametrize("trigger", AlertTrigger.__args__)
@pytest.mark.parametrize("test", [False, True])
def test_the_document_is_an_ocsf_incident_finding(trigger, test, incident_schema):
    said = json.loads(json.dumps(incident_finding(notice(trigger=trigger, test=test), "soc")))
    assert [error.message for error in incident_schema.iter_errors(said)] == []
    assert said["type_uid"] == said["class_uid"] * 100 + said["activity_id"]


def test_a_document_without_its_required_parts_is_no_incident_finding(incident_schema):
    said = incident_finding(notice(), "soc")
    for name in ("finding_info_list", "metadata", "severity_id", "status_id", "time", "activity_id"):
        assert not incident_schema.is_valid({key: value for key, value in said.items() if key != name}), name


def test_pagerduty_opens_and_resolves_one_incident_of_its_own(pem, tmp_path):
    with RIGS["pagerduty"]("good", pem, tmp_path) as rig:
        for trigger in ("opened", "acknowledged", "resolved"):
            rig.channel.send(notice(trigger=trigger))
        said = documents(rig)
    assert [each["event_action"] for each in said] == ["trigger", "acknowledge", "resolve"]
    assert {each["dedup_key"] for each in said} == {str(INCIDENT)}
    assert said[0]["routing_key"] == SECRET
    assert said[0]["payload"]["severity"] == "error"


def test_a_test_of_pagerduty_leaves_nothing_open(pem, tmp_path):
    with RIGS["pagerduty"]("good", pem, tmp_path) as rig:
        rig.channel.send(notice(test=True))
        assert [each["event_action"] for each in documents(rig)] == ["trigger", "resolve"]


def test_slack_gets_blocks_within_its_limits_and_no_markup_of_strangers(pem, tmp_path):
    with RIGS["slack"]("good", pem, tmp_path) as rig:
        rig.channel.send(notice(title="<!channel> & " + "x" * 500, entities=("<!here>",)))
        (said,) = documents(rig)
    assert len(said["blocks"][0]["text"]["text"]) <= 150
    assert "<!" not in said["text"]
    assert "&lt;!here&gt;" in json.dumps(said["blocks"][1])
    assert len(said["blocks"][1]["fields"]) <= 10


def test_teams_gets_an_adaptive_card(pem, tmp_path):
    with RIGS["teams"]("good", pem, tmp_path) as rig:
        rig.channel.send(notice(grouped=4, withheld=2))
        (said,) = documents(rig)
    (attachment,) = said["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    facts = {fact["title"]: fact["value"] for fact in attachment["content"]["body"][1]["facts"]}
    assert facts["Since the last alert"].startswith("4 more")
    assert facts["Kept back"].startswith("2 alerts")


def test_a_mail_has_the_keys_message_id_and_no_header_of_strangers(pem, tmp_path):
    with RIGS["smtp"]("good", pem, tmp_path) as rig:
        rig.channel.send(notice(title="x\r\nBcc: everybody@example.org"))
        (text,) = rig.taken()
    mail = message_from_string(text, policy=mail_policy)
    assert mail["Message-ID"] == f"<{KEY}@example.org>"
    assert mail["References"] == f"<incident-{INCIDENT}@example.org>"
    assert mail["Bcc"] is None
    assert "myrmidon incidents ack cc92c64f" in mail.get_content()


@contextmanager
def picky_server(refused: set[str]):
    """A mail server that refuses some recipients; yields its port and what it took."""
    taken: list[list[str]] = []

    class Handler:
        async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
            if address in refused:
                return "550 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
            taken.append(envelope.rcpt_tos)
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, taken
    finally:
        controller.stop()


def mail_to(port: int, recipients: list[str]):
    return build("smtp", host="127.0.0.1", port=port, security="none", sender="m@example.org", recipients=recipients)


def test_a_mail_that_one_recipient_took_is_delivered_and_the_receipt_names_the_others():
    gone = [f"gone{n}@example.org" for n in range(7)]
    with picky_server(set(gone)) as (port, taken):
        receipt = mail_to(port, ["soc@example.org", *gone]).send(notice())
    assert taken == [["soc@example.org"]]
    assert receipt == f"<{KEY}@example.org>; refused for {', '.join(gone[:5])} and 2 more"


def test_a_mail_that_every_recipient_refused_is_a_failure():
    both = ["a@example.org", "b@example.org"]
    with picky_server(set(both)) as (port, taken), pytest.raises(NotifyError, match="refused every recipient"):
        mail_to(port, both).send(notice())
    assert taken == []


SYSLOG = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S{1,255}) (?P<app>\S{1,48}) (?P<pid>\S{1,128}) (?P<msgid>\S{1,32}) "
    r"\[alert@32473(?P<data>( \w+=\"(\\.|[^\"\\\]])*\")+)\] \ufeff(?P<text>.*)"
)
"""RFC 5424, section 6."""


@pytest.mark.parametrize(("level", "severity"), [("critical", 2), ("high", 3), ("medium", 4), ("low", 5)])
def test_a_syslog_message_is_one_of_rfc_5424(level, severity, pem, tmp_path):
    with RIGS["syslog-tcp"]("good", pem, tmp_path) as rig:
        rig.channel.send(notice(level=level, entities=('a"]\\b',), title="new\nline"))
        until(rig.taken)
        (said,) = rig.taken()
    found = SYSLOG.fullmatch(said)
    assert found is not None, said
    assert int(found["pri"]) == 16 * 8 + severity
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", found["time"])
    assert r'entities="a\"\]\\b"' in found["data"]


def test_syslog_over_udp_is_one_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        channel = build("syslog", host="127.0.0.1", port=server.getsockname()[1], transport="udp")
        channel.send(notice())
        assert SYSLOG.fullmatch(server.recv(65536).decode())
        channel.close()


def until(true, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
