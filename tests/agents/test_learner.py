"""The learner records what it is told, field by field."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from agents.learner.decide import RECORDED_AS, Command, LevelTracked, decide
from domain.facts.model import ThresholdMoved


@pytest.mark.parametrize("command", get_args(Command))
def test_a_command_has_the_fields_of_its_fact(command):
    assert [field.name for field in fields(command)] == [field.name for field in fields(RECORDED_AS[command])]


def test_a_command_becomes_its_fact():
    moved = LevelTracked(model="m", level=0.02, target=0.01, verdicts=3)
    assert decide(moved) == [ThresholdMoved(model="m", level=0.02, target=0.01, verdicts=3)]
