"""`myrmidon alerts`: lists, one alert, tests of channels, dead letters; and the page that explains it."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.log import open_log
from cli import alerts
from cli.context import Context
from config.alerts import AlertSettings, AnyChannel, RouteSettings
from config.home import Home
from config.settings import ConfigError, Settings, load_settings
from domain.facts.alert import AlertRetried
from scheduler.crew import crew
from tests.alerts.receivers import free_port, http_receiver
from tests.data import ROOT
from tests.projections.story import NOON, story, uid

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
alerts.register(app)


@app.callback()
def main(
    ctx: typer.Context, home: Annotated[Path, typer.Option()], as_json: Annotated[bool, typer.Option("--json")] = False
) -> None:
    config = home / "c.toml"
    ctx.obj = Context(home=home, config=config if config.exists() else None, json=as_json)


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["--home", str(self.home), *words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run("--json", *words, code=code).stdout)

    def set(self, text: str) -> None:
        self.home.mkdir(exist_ok=True)
        (self.home / "c.toml").write_text(text)


@pytest.fixture
def empty(tmp_path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def shell(empty) -> Shell:
    empty.home.mkdir()
    log = open_log(str(empty.home / "log.db"), lambda: NOON)
    log.append(story())
    log.close()
    return empty


def states(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {each["id"]: each["state"] for each in listed}


def test_the_list_says_what_became_of_every_alert(shell):
    assert states(shell.json("alerts", "list")) == {
        str(uid("x")): "delivered",
        str(uid("y")): "routed",
        str(uid("z")): "suppressed",
        str(uid("w")): "suppressed",
    }
    one = shell.json("alerts", "list", "--status", "delivered")[0]
    assert (one["channel"], one["attempts"], one["error"], one["milliseconds"]) == ("soc", 2, "no answer", 12.5)
    assert one["escalated_to"] == [str(uid("y"))]
    assert one["incident"] == str(uid("A"))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--status", "escalated"), {"x"}),
        (("--channel", "boss"), {"y"}),
        (("--entity", "10.0.0.5"), {"x", "y", "z"}),
        (("--level", "critical"), set()),
        (("--since", "2h"), set()),
        (("--incident", str(uid("A"))[:6], "--status", "suppressed"), {"z", "w"}),
    ],
)
def test_the_list_takes_filters(shell, words, found):
    assert set(states(shell.json("alerts", "list", *words))) == {str(uid(name)) for name in found}


def test_one_alert_is_shown_with_its_history(shell):
    said = shell.run("alerts", "show", str(uid("x"))[:8]).stdout
    assert "alert-failed" in said
    assert "told next" in said


def test_nothing_is_listed_where_nothing_is_recorded(empty):
    assert empty.json("alerts", "list") == []
    assert "myrmidon demo" in " ".join(empty.run("alerts", "list").stdout.split())


def test_only_a_dead_letter_can_be_retried(shell):
    shell.run("alerts", "retry", str(uid("x")), code=1)
    log = open_log(str(shell.home / "log.db"), lambda: NOON)
    log.append(dead_again())
    log.close()
    assert states(shell.json("alerts", "list", "--status", "dead")) == {str(uid("y")): "dead"}
    shell.run("alerts", "retry", str(uid("y"))[:10])
    assert shell.json("alerts", "list", "--status", "dead") == []
    log = open_log(str(shell.home / "log.db"), lambda: NOON)
    assert isinstance(log.read_stream(f"alert/{uid('y')}")[-1].fact, AlertRetried)
    log.close()


def dead_again() -> list[Any]:
    from tests.projections.story import drafts, told

    return drafts(told("y", "dead"), start=NOON + 10**9)


def test_a_channel_is_tried_out_with_a_marked_alert(empty, monkeypatch):
    monkeypatch.setenv("HOOK", "s3cr3t")
    with http_receiver() as served:
        empty.set(f'[alerts.channels.soc]\nkind = "webhook"\nurl = "{served.url}"\nsecret_env = "HOOK"\n')
        answer = empty.json("alerts", "test", "soc")
        assert (answer["delivered"], answer["kind"]) == (True, "webhook")
        assert served.requests[0].json["unmapped"]["test"] is True
        assert served.requests[0].json["metadata"]["labels"] == ["test"]
        assert "delivered in" in empty.run("alerts", "test", "soc").stdout


def test_a_channel_that_does_not_work_says_why_and_answers_no(empty, monkeypatch):
    monkeypatch.setenv("HOOK", "s3cr3t")
    address = f"http://127.0.0.1:{free_port()}"
    empty.set(f'[alerts.channels.soc]\nkind = "webhook"\nurl = "{address}"\nsecret_env = "HOOK"\n')
    answer = empty.json("alerts", "test", "soc", code=1)
    assert "refused" in answer["error"]
    empty.run("alerts", "test", "nobody", code=2)


def hook(url: str, kind: str = "webhook") -> str:
    return f'[alerts.channels.a]\nkind = "{kind}"\nurl = "{url}"\nsecret_env = "HOOK"\n'


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://siem.example.org/x", "webhook"),
        ("http://10.1.2.3:8080", "webhook"),
        ("http://[fd00::1]/", "webhook"),
        ("http://relay:9000", "slack"),
        ("", "teams"),
    ],
)
def test_addresses_over_tls_or_nearby_are_taken(url, kind, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(hook(url, kind))
    assert load_settings(file).alerts.channels["a"].url == url


def test_what_is_hardly_meant_is_said_at_the_start_of_a_run(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    idle = {"kind": "syslog", "host": "127.0.0.1"}
    mute = {"kind": "slack", "secret_env": "NO_SUCH"}
    rows = [
        {"name": "nothing", "channels": []},
        {"name": "silence", "channels": [], "last": True, "entities": ["10.9.0.1"]},
        {"name": "all", "channels": ["mute"]},
    ]
    alerts = AlertSettings.model_validate({"channels": {"idle": idle, "mute": mute}, "routes": rows})
    said: list[str] = []
    log = open_log("memory:", lambda: NOON)
    with ExitStack() as stack:
        stack.callback(log.close)
        crew(log, Settings(alerts=alerts), Home(tmp_path, environ={}), stack, lambda: NOON, alerts=said.append)
    assert said == [
        "alerts: channel mute cannot work: the environment variable NO_SUCH is not set: put the channel's secret there",
        "alerts: route 'nothing' tells nobody: name channels, or set last to silence what it fits",
        "alerts: channel idle is named by no route: it is told nothing",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[alerts.channels.a]\nkind = "pigeon"', "its kind must be one of 'slack', 'pagerduty', "),
        ('[alerts.channels.a]\nkind = "webhook"\nurl = "http://x"', "secret_env or secret_file"),
        (hook("siem.example.org/x"), "setting alerts.channels.a.url: url is no web address"),
        (hook("ftp://siem.example.org/x"), "begin it with https://"),
        (hook(""), "begin it with https://"),
        (hook("http://siem.example.org/x"), "siem.example.org in plain text"),
        (hook("http://8.8.8.8/x", "slack"), "setting alerts.channels.a.url: url sends alerts to 8.8.8.8"),
        (hook("hooks", "teams"), "channels.a.url"),
        (hook("//events", "pagerduty"), "channels.a.url"),
        ('[alerts.channels.a]\nkind = "syslog"\nhost = "x"\nquiet_hours = ["8-9"]', "span of hours"),
        ('[[alerts.routes]]\nname = "r"\nchannels = ["nobody"]', "nobody"),
        ('[alerts]\nzone = "Mars"\n[alerts.channels.a]\nkind = "syslog"\nhost = "x"\nquiet_hours = ["sat"]', "Mars"),
        ('[alerts.channels.a]\nkind = "syslog"\nhost = "x"\nport = 70000', "port is 70000: must be 65535 or less"),
        ('[alerts.channels.a]\nkind = "syslog"\nhost = "x"\ncolour = "red"', "colour is 'red': there is no such"),
        ('[[alerts.routes]]\nname = "r"\nchannels = []\nentities = ["10.0.0.0/99"]', "10.0.0.0/99"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_with_the_place(text, words, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert words in str(caught.value)
    assert "alerts" in str(caught.value)


PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")


def test_the_example_of_the_page_works(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    file = tmp_path / "c.toml"
    file.write_text(example)
    made = load_settings(file).alerts
    assert [rule.name for rule in made.routing().rules][1] == "the laboratory scans itself"
    assert set(made.channels) == {"soc", "duty", "boss", "siem", "archive"}


def test_the_page_explains_every_setting_of_channels_and_rules():
    from typing import get_args

    models = [*get_args(get_args(AnyChannel)[0]), RouteSettings, AlertSettings]
    names = {name for model in models for name in model.model_fields} - {"routes", "kind"}
    assert sorted(name for name in names if f"`{name}`" not in PAGE and f"{name} =" not in PAGE) == []


def test_other_rules_have_another_recorded_version():
    one = {"channels": {"a": {"kind": "slack", "secret_env": "A"}}}
    version = AlertSettings.model_validate(one).version
    assert AlertSettings.model_validate(one | {"group_minutes": 1}).version != version
