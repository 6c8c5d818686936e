"""What stands between the two stages of a hunt: rows that were begun, entries that will close, what came of them."""

from __future__ import annotations

from dataclasses import dataclass

from domain.journal import Draft
from domain.sighting import Sighting
from engine.frame import Frame
from engine.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What was settled when the rows of an entry had been handed to the senses.

    Attributes:
        folded: log position of the last verdict or setting that is folded.
        learned: whether there are verdicts that the senses learn from.
        rules: the rule set that is in force from here on, when it is another.
        told: what the rules that are gone had not told yet.
        version: of all rules from here on.
    """

    folded: int
    learned: bool
    rules: RuleSet | None
    told: list[Sighting]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Rows that the senses are at, and what becomes of the entry behind them."""

    part: Frame | None
    ended: bool
    closing: Closing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A draft and its place: `order` over all feeds of the run, `row` in its own feed."""

    order: int
    row: int
    draft: Draft
