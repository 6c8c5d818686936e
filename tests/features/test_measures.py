"""Every measurement that a threat can show stands in the tables of docs/features.md, under a name of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.features.table import FEATURES
from engine.measures import MEASURES, measure_of, named, page
from engine.models.words import PROFILES, WORDS
from engine.rules.watch import COUNTED
from engine.verdict.severity import SEVERITIES
from tests.data import ROOT

SOURCES = [*sorted((ROOT / "engine" / "behaviours").glob("*.py")), ROOT / "engine" / "rules" / "watch.py"]
BARS = 4
"""A measurement in the code: words, value, unit, bound."""


def written(source: Path) -> Iterator[tuple[str, str | None]]:
    """Words and unit (None: not written there) of the measurements in a file of ours."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Tuple) and len(node.elts) == BARS:
            words, value, unit, _ = node.elts
            if isinstance(value, ast.Constant):
                continue
            if isinstance(words, ast.Constant) and isinstance(words.value, str) and len(words.value) > 1:
                yield words.value, unit.value if isinstance(unit, ast.Constant) else None


def test_the_page_of_features_is_the_tables():
    assert (ROOT / "docs" / "features.md").read_text("utf-8") == page()


def test_every_measurement_of_the_behaviours_is_in_the_table_with_its_unit():
    found = [pair for source in SOURCES for pair in written(source)]
    assert len(found) > 25
    units = {rule.words: rule.unit for rule in MEASURES}
    assert {words for words, _ in found} <= set(units)
    assert {words: unit for words, unit in found if unit is not None and unit != units[words]} == {}


@pytest.mark.parametrize(
    "words",
    [
        *(f"{counted} within 3600 s" for counted in COUNTED.values()),
        *(f"deviation ({severity.name})" for severity in SEVERITIES),
        *(f"host windows in its baseline of {profile}" for profile in PROFILES.values()),
    ],
)
def test_words_that_differ_from_threat_to_threat_have_one_name(words):
    assert measure_of(words) is not None


def test_no_two_measurements_have_one_name_or_the_same_words():
    names = [feature.name for feature in FEATURES] + [rule.name for rule in MEASURES]
    words = [*WORDS.values(), *(rule.words for rule in MEASURES)]
    assert len(names) == len(set(names))
    assert len(words) == len(set(words))


def test_words_of_an_older_release_have_no_name_and_are_shown():
    told = {"name": "phase of the moon", "value": 0.5, "unit": "", "baseline": None}
    assert named([told]) == [{**told, "measure": "", "family": ""}]


def test_names_can_be_looked_up_without_anything_heavy():
    code = "import sys, engine.measures; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
