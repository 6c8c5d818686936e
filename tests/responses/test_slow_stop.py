"""`responses stop` beside a daemon waits as long as something is taken back."""

from __future__ import annotations

import time

import pytest

from cli import responses


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves on."""
    at = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: at.__setitem__(0, at[0] + seconds))
    return at


def test_it_waits_for_a_slow_consumer_that_works(clock, monkeypatch):
    monkeypatch.setattr(responses, "_modes", lambda _: {"in_force": max(0, 5 - int(clock[0] / 8))})
    assert responses._let_go(None) == {"in_force": 0}
    assert clock[0] > 3 * responses.PATIENCE


def test_it_gives_up_where_nothing_moves(clock, monkeypatch):
    monkeypatch.setattr(responses, "_modes", lambda _: {"in_force": 2})
    assert responses._let_go(None) == {"in_force": 2}
    assert clock[0] < 2 * responses.PATIENCE
