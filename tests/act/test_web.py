"""Actuators over HTTPS against servers that are down, slow, broken or somebody else: one clear error each."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.act import build_actuators
from adapters.act.openc2 import OpenC2
from adapters.act.options import SetupError
from adapters.act.ticket import Tickets
from agents.responder.ports import ActuatorError, NotSent
from config.actuators import OpenC2Settings, TicketSettings
from domain.values import HOUR
from tests.act.acting import NOW, Clock, action
from tests.act.servers import Consumer, Desk, certificate, running

UNTIL = NOW + HOUR


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def consumer(pem: Path) -> Iterator[Consumer]:
    with running(Consumer(pem, Clock())) as server:
        assert isinstance(server, Consumer)
        yield server


@pytest.fixture
def desk(pem: Path) -> Iterator[Desk]:
    with running(Desk(pem)) as server:
        assert isinstance(server, Desk)
        yield server


def firewall(server: Consumer, pem: Path, timeout: float = 5.0, token: str = "") -> OpenC2:
    return OpenC2("firewall", OpenC2Settings(url=server.url, ca_file=str(pem), timeout=timeout), token)


def tickets(server: Desk, pem: Path, folder: Path, **options: str) -> Tickets:
    given = TicketSettings(url=server.url, ca_file=str(pem), **options)  # type: ignore[arg-type]
    return Tickets("ticketing", given, folder / "tickets.json", clock=Clock())


def test_a_command_is_openc2_over_https(consumer, pem):
    does = action()
    firewall(consumer, pem, token="s3cret").execute(does, UNTIL)
    request, headers, body = consumer.asked[-1]
    assert request == "POST /.well-known/openc2"
    assert headers["Content-Type"] == "application/openc2-cmd+json;version=1.0"
    assert headers["Accept"] == "application/openc2-rsp+json;version=1.0"
    assert headers["X-Request-ID"] == str(does.action)
    assert headers["Authorization"] == "Bearer s3cret"
    assert body == {
        "action": "deny",
        "target": {"ipv4_net": "203.0.113.7"},
        "args": {"stop_time": UNTIL // 1000, "response_requested": "complete"},
        "command_id": str(does.action),
    }


def test_a_repetition_has_the_same_request_id_and_an_undo_another(consumer, pem):
    one, does = firewall(consumer, pem), action()
    one.execute(does, UNTIL)
    one.execute(does, UNTIL)
    one.undo(does)
    ids = [headers["X-Request-ID"] for _, headers, _ in consumer.asked]
    assert ids[0] == ids[1] != ids[2]


def test_a_consumer_that_does_not_take_the_pair_is_found_out_by_the_check(consumer, pem):
    consumer.takes["deny"] = ["domain_name"]
    with pytest.raises(ActuatorError, match="does not take deny ipv4_net"):
        firewall(consumer, pem).check(action())
    assert consumer.force == {}


def test_a_consumer_that_answers_no_queries_means_that_nobody_knows(consumer, pem):
    consumer.answers_queries = False
    with pytest.raises(ActuatorError, match="501"):
        firewall(consumer, pem).effect(action())


def test_two_actions_on_one_target_are_told_apart(consumer, pem):
    one, denies = firewall(consumer, pem), action()
    contains = action(verb="contain", undo="restore")
    one.execute(denies, UNTIL)
    one.execute(contains, UNTIL)
    one.undo(denies)
    assert not one.effect(denies).in_force
    assert one.effect(contains).in_force


MOODS = {
    "slow": "did not answer within 1 s: nobody knows",
    "dripping": "did not answer within 1 s: nobody knows",
    "trickling": "did not answer within 1 s: nobody knows",
    "broken": "answered 500 .*out of order",
    "nonsense": "answered nonsense: nobody knows",
    "rude": "what is no HTTP .*nobody knows",
    "huge": "more than 1 MiB: nobody knows",
}


@pytest.mark.parametrize("mood", ["broken", "nonsense", "rude", "huge"])
@pytest.mark.parametrize("verb", ["check", "execute", "effect", "undo"])
def test_a_consumer_in_a_bad_mood_is_one_clear_error(mood, verb, consumer, pem):
    consumer.mood = mood
    with pytest.raises(ActuatorError, match=MOODS[mood]) as raised:
        getattr(firewall(consumer, pem), verb)(action(), *([UNTIL] if verb == "execute" else []))
    assert "\n" not in str(raised.value)
    assert consumer.url in str(raised.value)
    assert not isinstance(raised.value, NotSent)  # it may have been done


@pytest.mark.parametrize("mood", ["slow", "dripping", "trickling"])
def test_a_consumer_that_takes_its_time_is_left_in_time(mood, consumer, pem):
    consumer.mood = mood
    began = time.monotonic()
    with pytest.raises(ActuatorError, match=MOODS[mood]):
        firewall(consumer, pem, timeout=1.0).execute(action(), UNTIL)
    assert time.monotonic() - began < 8.0  # a consumer that is never left would take ten seconds and more


@pytest.mark.parametrize("verb", ["probe", "execute"])
def test_a_consumer_that_refuses_has_done_nothing(verb, consumer, pem):
    consumer.mood = "strict"
    with pytest.raises(NotSent, match="answered 403"):
        getattr(firewall(consumer, pem), verb)(*([action(), UNTIL] if verb == "execute" else []))


def test_a_consumer_that_is_down_is_a_clear_error(pem):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(NotSent, match=r"cannot be reached .*nothing was done"):
            OpenC2("firewall", OpenC2Settings(url=url, ca_file=str(pem))).execute(action(), UNTIL)


def test_a_certificate_that_nobody_vouches_for_is_refused(consumer):
    with pytest.raises(NotSent, match=r"certificate is not trusted .*ca_file"):
        OpenC2("firewall", OpenC2Settings(url=consumer.url)).execute(action(), UNTIL)
    assert consumer.asked == []


def test_a_certificate_for_somebody_else_is_refused(tmp_path):
    other = certificate(tmp_path, "firewall.example.org")
    with running(Consumer(other, Clock())) as server:
        assert isinstance(server, Consumer)
        with pytest.raises(ActuatorError, match="certificate is not trusted"):
            firewall(server, other).execute(action(), UNTIL)
        assert server.asked == []


def test_plain_http_is_taken_for_this_machine_alone():
    with pytest.raises(SetupError, match="must be https"):
        OpenC2("firewall", OpenC2Settings(url="http://firewall.example.org/"))
    OpenC2("firewall", OpenC2Settings(url="http://127.0.0.1:8080/"))


@pytest.mark.parametrize("url", ["https://user:secret@host/", "https:///x", "https://host:notaport/", "https://a b/"])
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(SetupError, match="no URL"):
        OpenC2("firewall", OpenC2Settings(url=url))


def test_a_domain_name_is_denied_as_it_stands(consumer, pem):
    firewall(consumer, pem).execute(action("bad.example.org", target_type="domain_name"), UNTIL)
    assert consumer.force == {("deny", "bad.example.org"): UNTIL // 1000}
    with pytest.raises(ActuatorError, match="no domain name"):
        firewall(consumer, pem).execute(action('x"}, {"a b', target_type="domain_name"), UNTIL)


def test_a_secret_comes_from_the_environment_or_a_file(consumer, pem, tmp_path, monkeypatch):
    monkeypatch.setenv("FIREWALL_TOKEN", "from-env")
    (tmp_path / "token").write_text("from-file\n")
    common = {"type": "openc2-http", "url": consumer.url, "ca_file": str(pem)}
    given = {"a": {**common, "token_env": "FIREWALL_TOKEN"}, "b": {**common, "token_file": str(tmp_path / "token")}}
    built = build_actuators(given, tmp_path)
    for name in ("a", "b"):
        built[name].execute(action(), UNTIL)
    assert [headers["Authorization"] for _, headers, _ in consumer.asked] == ["Bearer from-env", "Bearer from-file"]


@pytest.mark.parametrize("secret", [{"token_env": "NOT_SET_ANYWHERE"}, {"token_file": "/nowhere/token"}])
def test_a_secret_that_is_missing_is_told_at_the_start(secret, tmp_path):
    with pytest.raises(SetupError, match=r"actuators\.firewall\.token"):
        build_actuators({"firewall": {"type": "openc2-http", "url": "https://host/", **secret}}, tmp_path)


def ticket_action(number: int = 0):
    return action("10.1.2.3", verb="create", target_type="x-myrmidon:ticket", undo="delete", number=number)


def test_a_ticket_carries_the_idempotence_key_and_is_closed_by_its_name(desk, pem, tmp_path):
    one, does = tickets(desk, pem, tmp_path), ticket_action()
    assert "OPS-1" in one.execute(does, UNTIL)
    one.undo(does)
    keys = [headers["Idempotency-Key"] for _, headers, _ in desk.asked]
    assert keys == [str(does.action), f"{does.action}-close"]
    assert desk.asked[-1][2]["ticket"] == "OPS-1"
    assert desk.tickets == {"OPS-1": "closed"}


def test_a_ticket_whose_answer_was_lost_is_not_opened_twice(desk, pem, tmp_path):
    tickets(desk, pem, tmp_path / "lost").execute(ticket_action(), UNTIL)  # its record is gone
    tickets(desk, pem, tmp_path).execute(ticket_action(), UNTIL)
    assert desk.tickets == {"OPS-1": "open"}


def test_close_and_status_addresses_are_filled_in(desk, pem, tmp_path):
    base = desk.url
    one = tickets(desk, pem, tmp_path, close_url=base + "/{ticket}/close?by={action}", status_url=base + "/{ticket}")
    does = ticket_action()
    one.execute(does, UNTIL)
    one.effect(does)
    one.undo(does)
    assert [request for request, _, _ in desk.asked] == [
        "POST /.well-known/openc2",
        "GET /.well-known/openc2/OPS-1",
        f"POST /.well-known/openc2/OPS-1/close?by={does.action}",
    ]


def test_without_a_status_address_the_evidence_says_that_nobody_looked(desk, pem, tmp_path):
    one = tickets(desk, pem, tmp_path)
    one.execute(ticket_action(), UNTIL)
    desk.tickets["OPS-1"] = "closed"
    assert "not looked up" in one.effect(ticket_action()).evidence


def test_a_ticket_that_a_person_closed_is_not_in_force(desk, pem, tmp_path):
    one = tickets(desk, pem, tmp_path, status_url=desk.url + "/{ticket}")
    one.execute(ticket_action(), UNTIL)
    desk.tickets["OPS-1"] = "Closed"
    assert not one.effect(ticket_action()).in_force
    one.undo(ticket_action())


@pytest.mark.parametrize("mood", ["broken", "rude"])
def test_a_ticket_system_in_a_bad_mood_leaves_the_ticket_on_record(mood, desk, pem, tmp_path):
    one = tickets(desk, pem, tmp_path)
    one.execute(ticket_action(), UNTIL)
    desk.mood = mood
    with pytest.raises(ActuatorError):
        one.undo(ticket_action())
    assert one.effect(ticket_action()).in_force
    desk.mood = "well"
    one.undo(ticket_action())
    assert json.loads((tmp_path / "tickets.json").read_text()) == {}
