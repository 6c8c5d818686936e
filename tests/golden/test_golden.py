"""The histories of every release are still read, and still give the same views."""

from __future__ import annotations

import json

import pytest

from domain.events import VERSIONS
from projections.catalog import digests, replay
from tests.golden.record import FOLDER, from_line, to_line

HISTORIES = sorted(FOLDER.glob("*.jsonl"))


def test_there_is_a_history_of_this_version():
    from importlib.metadata import version

    assert any(history.name.startswith(version("myrmidon")) for history in HISTORIES)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_a_golden_history_gives_its_views(history):
    facts = [from_line(line) for line in history.read_text("utf-8").splitlines()]
    promised = json.loads(history.with_suffix(".views.json").read_text("utf-8"))
    found = digests(replay([facts]))
    assert {name: found[name] for name in promised} == promised  # it promises nothing of views that came afterwards


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_every_fact_of_a_golden_history_is_written_again_as_it_was(history):
    for line in history.read_text("utf-8").splitlines():
        recorded, old = from_line(line), json.loads(line)
        if old["schema_version"] == VERSIONS[old["kind"]]:
            assert to_line(recorded) == line
        else:  # lifted to today's schema: it says the same from now on
            assert from_line(to_line(recorded)) == recorded
