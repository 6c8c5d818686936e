"""audit export: whoever has the lines can compute the chain anew, by the program of docs/export.md."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from cli.facts import lines

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


def check(path):
    """The program that the page shows: hashlib and nothing of ours."""
    room = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], room)
    return room["check"](path.read_text().splitlines())


def test_the_chain_is_computed_anew_from_the_export_alone(shell, tmp_path):
    file = tmp_path / "log.jsonl"
    assert shell.json("audit", "export", str(file))["events"] == len(file.read_text().splitlines())
    assert check(file) == shell.json("audit", "verify")["head"]


@pytest.mark.parametrize(
    ("field", "value"), [("actor", "nobody"), ("schema_version", 9), ("clock", "x"), ("version", 9)]
)
def test_a_change_in_the_export_is_seen(shell, tmp_path, field, value):
    file = tmp_path / "log.jsonl"
    shell.run("audit", "export", str(file))
    facts = [json.loads(line) for line in file.read_text().splitlines()]
    facts[3][field] = value
    file.write_text("\n".join(map(json.dumps, facts)))
    with pytest.raises(AssertionError, match="4"):
        check(file)


def test_an_export_to_standard_output_is_what_the_log_says(shell):
    facts = [json.loads(line) for line in shell.run("audit", "export", "-").stdout.splitlines()]
    listed = shell.json("audit", "log", "--limit", "1000")
    assert [{name: fact[name] for name in listed[0]} for fact in facts] == listed
    assert {"schema_version", "clock", "hash"} <= set(listed[0])


def test_an_export_holds_a_page_in_memory(monkeypatch):
    asked = []

    class Endless:
        def fingerprint(self):
            return type("Mark", (), {"position": 10**9})

        def stored(self, after, limit, upto):
            asked.append((after, limit, upto))
            return []

    monkeypatch.setattr("cli.facts.PAGE", 7)
    assert list(lines(Endless())) == []
    assert asked == [(0, 7, 10**9)]


def test_a_place_that_cannot_be_written_is_one_line(shell, tmp_path):
    said = shell.run("audit", "export", str(tmp_path / "no" / "where"), code=1).stderr
    assert "cannot be written (No such file or directory)" in said


def test_an_export_replaces_nothing_but_a_file(shell, tmp_path):
    pipe, kept, link = tmp_path / "pipe", tmp_path / "kept", tmp_path / "link"
    os.mkfifo(pipe)
    kept.write_text("mine")
    link.symlink_to(kept)
    for place in (pipe, link, tmp_path):
        assert "is no regular file" in shell.run("audit", "export", str(place), code=1).stderr
    assert (pipe.is_fifo(), link.is_symlink(), kept.read_text()) == (True, True, "mine")
