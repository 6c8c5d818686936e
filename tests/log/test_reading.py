"""Stored rows come back as what was recorded, or with a word on what is wrong with them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from adapters.log.codec import UPCASTERS, CodecError
from adapters.log.memory import MemoryLog
from adapters.log.reading import SHOWN, Shown, recorded_all, shown
from domain.events import VERSIONS
from domain.facts.incident import NoteAdded
from domain.journal import Draft
from tests.log.story import note, ticking


def rows_of(*drafts: Draft) -> list[Shown]:
    with closing(MemoryLog(ticking())) as log:
        log.append(drafts)
        return list(map(shown, log.rows()))


def with_column(row: Shown, name: str, value: object) -> Any:
    place = SHOWN.split(", ").index(name)
    return (*row[:place], value, *row[place + 1 :])


def test_facts_with_and_without_causes_come_back_side_by_side() -> None:
    bare = [replace(note(n), causation=None, correlation=None) for n in range(2)]
    caused = replace(note(2), causation=bare[0].event_id, correlation=bare[1].event_id)
    found = recorded_all(rows_of(bare[0], caused, bare[1]))
    assert [(fact.causation, fact.correlation) for fact in found] == [
        (None, None),
        (bare[0].event_id, bare[1].event_id),
        (None, None),
    ]
    assert [fact.event_id for fact in found] == [bare[0].event_id, caused.event_id, bare[1].event_id]


def test_no_rows_are_no_facts() -> None:
    assert recorded_all([]) == []


@pytest.mark.parametrize("bad", [b"", b"short", bytes(17)])
def test_a_stored_id_of_another_length_is_an_error(bad: bytes) -> None:
    first, second = rows_of(note(1), note(2))
    with pytest.raises(CodecError, match="does not have 16 bytes"):
        recorded_all([first, with_column(second, "event_id", bad)])


def test_a_body_that_does_not_fit_among_others_is_named() -> None:
    first, second = rows_of(note(1), note(2))
    with pytest.raises(CodecError, match="'note-added' version 1 does not fit"):
        recorded_all([first, with_column(second, "body", b"{}")])


def test_an_unknown_kind_among_others_is_named() -> None:
    first, second = rows_of(note(1), note(2))
    with pytest.raises(CodecError, match="knows no 'no-such-kind'"):
        recorded_all([first, with_column(second, "kind", "no-such-kind")])


def test_old_and_new_bodies_of_a_kind_are_read_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    (old,) = rows_of(note(1))
    monkeypatch.setitem(VERSIONS, "note-added", 2)
    monkeypatch.setitem(UPCASTERS, ("note-added", 1), lambda body: {**body, "text": "lifted"})
    (new,) = rows_of(note(2))
    texts = [fact.fact.text for fact in recorded_all([old, new]) if isinstance(fact.fact, NoteAdded)]
    assert texts == ["lifted", note(2).fact.text]
