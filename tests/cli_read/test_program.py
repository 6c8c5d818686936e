"""The program as a whole: wrong usage, homes that are none, version and help."""

from __future__ import annotations

import sys

import pytest

from cli import main


@pytest.fixture
def program(tmp_path, monkeypatch, capsys):
    """Runs the console script; gives exit code, standard output and standard error."""
    for name in ("MYRMIDON_LOG_DSN", "MYRMIDON_LOG__DSN", "MYRMIDON_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["myrmidon", *words])
        with pytest.raises(SystemExit) as ended:
            main.run_program()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("threats", "list", "--level", "huge"), "`myrmidon threats list --help`"),
        (("threats", "list", "--limit", "0"), "--limit"),
        (("threats", "list", "--since", "teatime"), "teatime"),
        (("threats", "show"), "missing argument"),
        (("incidents", "note", "abc", " "), "a note needs words"),
        (("teatime",), "no such command 'teatime' (see `myrmidon --help`)"),
        (("--hom", "x", "status"), "no such option: --hom"),
        (("run", "--agents", "teatime"), "myrmidon: there is no agent"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(program, words, says):
    code, out, err = program(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("myrmidon: ")
    assert says in err


MISSING = "is recorded in .myrmidon yet: run `myrmidon demo`"


@pytest.mark.parametrize(
    "words",
    [
        "threats show a", "incidents show a", "incidents ack a", "incidents resolve a", "incidents note a b",
        "feedback a correct", "projections rebuild", "audit verify", "audit checkpoint mark", "audit replay",
        "audit as-of 1h", "audit explain a", "audit log",
    ],
)  # fmt: skip
def test_a_home_without_a_log_is_one_line_exit_1_and_stays_away(program, tmp_path, words):
    code, out, err = program(*words.split())
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert MISSING in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["threats list", "incidents list", "status"])
def test_a_list_of_a_home_without_a_log_says_what_to_do(program, tmp_path, words):
    code, out, _ = program(*words.split())
    assert code == 0
    assert MISSING in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["threats list", "status", "feedback a correct", "audit verify", "projections rebuild"]
)
def test_a_home_that_is_a_file_is_wrong_usage(program, tmp_path, words):
    (tmp_path / "file").touch()
    code, _, err = program("--home", "file", *words.split())
    assert (code, err.count("\n")) == (2, 1)
    assert "no folder" in err


def test_version_and_help_are_no_errors(program):
    code, out, _ = program("--version")
    assert (code, out.split()[0]) == (0, "myrmidon")
    assert out.split()[1][0].isdigit()
    code, out, _ = program("threats", "list", "--help")
    assert code == 0
    assert "This level or a graver one" in out


@pytest.mark.parametrize("words", [(), ("incidents",)])
def test_a_group_without_a_command_shows_its_help(program, words):
    code, _, err = program(*words)
    assert code == 2
    assert "Commands:" in err


def test_an_interrupted_command_ends_with_130(program, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.status.document_of", interrupt)
    assert program("status")[0] == 130


@pytest.mark.parametrize(
    ("toml", "variables", "says"),
    [
        ("[run]\nsilent_after = -1", {}, "setting run.silent_after is -1: must be more than 0"),
        ("[run]\nsilent = 1", {}, "config.toml: setting run.silent is 1: there is no such setting here"),
        ("[rnu]", {}, "config.toml: there is no setting [rnu]; known are actuators, alerts"),
        ("[run", {}, "config.toml: is not valid TOML"),
        (
            "[run]\nbatch_rows = 5",
            {"MYRMIDON_RUN__BATCH_ROWS": "many"},
            "MYRMIDON_RUN__BATCH_ROWS: setting run.batch_rows is 'many': must be a whole number",
        ),
        ("", {"MYRMIDON_RNU__BATCH_ROWS": "5"}, "MYRMIDON_RNU__BATCH_ROWS: there is no setting [rnu]; known are"),
        (
            "",
            {"MYRMIDON_DETECTOR__SPEED": "5"},
            "MYRMIDON_DETECTOR__SPEED: there is no setting detector.speed",
        ),
    ],
)
def test_status_refuses_a_wrong_setting_in_one_line(program, tmp_path, monkeypatch, toml, variables, says):
    (tmp_path / ".myrmidon").mkdir()
    (tmp_path / ".myrmidon" / "config.toml").write_text(toml)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, err = program("status")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


NO_DSN = (
    "mysql://u:secret@h/x",
    "sqlite:///x.db",
    "postgresql+psycopg://h/x",
    "relative.db",
    "memory:",
    "postgres://[",
)
READS = ("run --feed zeek:x", "threats list", "audit verify", "status", "projections rebuild")


@pytest.mark.parametrize(
    ("dsn", "words", "by"),
    [*((dsn, "audit verify", "file") for dsn in NO_DSN), *((NO_DSN[0], words, "environment") for words in READS)],
)
def test_what_is_no_postgres_dsn_is_a_wrong_setting_and_makes_no_file(program, tmp_path, monkeypatch, dsn, words, by):
    if by == "file":
        (tmp_path / "s.toml").write_text(f'[log]\ndsn = "{dsn}"')
        words = f"--config s.toml {words}"
    else:
        (tmp_path / "s.toml").touch()
        monkeypatch.setenv("MYRMIDON_LOG__DSN", dsn)
    code, out, err = program("--home", "home", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "setting log.dsn: must be a PostgreSQL DSN, postgresql://USER@HOST/NAME or `host=HOST dbname=NAME`" in err
    assert "secret" not in err
    assert {path.name for path in tmp_path.rglob("*")} <= {"s.toml", "home"}


def test_a_log_named_by_keywords_is_found(program, monkeypatch, postgres_dsn, fresh_schema):
    from psycopg.conninfo import conninfo_to_dict

    pairs = " ".join(f"{name}={value}" for name, value in conninfo_to_dict(postgres_dsn).items())
    monkeypatch.setenv("MYRMIDON_LOG_DSN", f"{pairs} schema={fresh_schema}")
    assert "is recorded in the PostgreSQL log yet" in program("status")[1]


@pytest.mark.parametrize("words", READS[:3])
def test_a_dsn_with_an_unknown_option_is_one_line(program, monkeypatch, words):
    monkeypatch.setenv("MYRMIDON_LOG_DSN", "postgresql://127.0.0.1:1/x?teatime=1")
    code, _, err = program("--home", "home", *words.split())
    assert (code, err.count("\n")) == (1, 1)
    assert 'parameter: "teatime"' in err
    assert "internal" not in err
