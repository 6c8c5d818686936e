"""What verdicts teach about the assessments: how right they were, what was wrong with them, and what to do about it.

Rules:
    1. The last verdict on each threat counts, by how sure the operator was. `partial` is half right.
    2. Accuracy is the weight of what was right, of all that was judged; of nothing judged there is none (None).
    3. A recommendation needs `LEAST` threats judged and a share of `MOSTLY` of them; it names a command to run.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from projections.view import Row

LEAST: Final = 3
"""Judged threats that a recommendation rests on at least."""

MOSTLY: Final = 0.75
"""Share of them that must agree."""

RIGHT: Final = {"correct": 1.0, "partial": 0.5, "incorrect": 0.0}


def insights(rows: Iterable[Row]) -> dict[str, Any]:
    """All insights over rows of the view of threats.

    Returns:
        `{"threats", "judged", "accuracy", "by_kind", "by_level", "by_rule", "error_causes", "recommendations"}`.
    """
    rows = list(rows)
    judged = [(row, row["verdicts"][-1]) for row in rows if row["verdicts"]]
    return {
        "threats": len(rows),
        **_counted(judged),
        "by_kind": _grouped(judged, lambda row: [row["kind"]]),
        "by_level": _grouped(judged, lambda row: [row["level"]]),
        "by_rule": _grouped(judged, lambda row: [hit["title"] for hit in row["rules"]]),
        "error_causes": _causes(judged),
        "recommendations": recommendations(judged),
    }


Judged = tuple[Row, dict[str, Any]]
"""A threat and the last verdict on it."""


def _counted(judged: list[Judged]) -> dict[str, Any]:
    said = Counter(verdict["verdict"] for _, verdict in judged)
    weight = sum(verdict["confidence"] for _, verdict in judged)
    right = sum(verdict["confidence"] * RIGHT[verdict["verdict"]] for _, verdict in judged)
    return {
        "judged": len(judged),
        **{name: said[name] for name in RIGHT},
        "accuracy": round(right / weight, 3) if weight else None,
    }


def _grouped(judged: list[Judged], names: Callable[[Row], list[str]]) -> list[dict[str, Any]]:
    """Counts by name, the most judged first."""
    groups: dict[str, list[Judged]] = {}
    for row, verdict in judged:
        for name in names(row):
            groups.setdefault(name, []).append((row, verdict))
    found = [{"name": name, **_counted(members)} for name, members in groups.items()]
    return sorted(found, key=lambda group: (-group["judged"], group["name"]))


def _causes(judged: list[Judged]) -> list[dict[str, Any]]:
    """What wrong threats really were, as operators wrote it, the most frequent first."""
    causes: Counter[tuple[str, str]] = Counter()
    for row, verdict in judged:
        if verdict["verdict"] != "correct":
            causes[" ".join(verdict["correction"].lower().split()) or "no cause given", row["kind"]] += 1
    ordered = sorted(causes.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"cause": cause, "kind": kind, "count": count} for (cause, kind), count in ordered]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Threats that have something in common which an exception can name.

    Attributes:
        options: the options of `myrmidon suppress add` that name it, of one threat: one tuple each.
        hosts: how many hosts it must concern.
        advice: what to do beside.
    """

    options: Callable[[Row], list[tuple[tuple[str, str], ...]]]
    hosts: int
    advice: str


PATTERNS: Final = (
    Pattern(
        lambda row: [(("entity", row["entity"]), ("kind", row["kind"]))], 1, "suppress them, or trust what they share"
    ),
    Pattern(lambda row: [(("rule", hit["title"]),) for hit in row["rules"]], 2, "mend the rule, or suppress it"),
    Pattern(
        lambda row: [(("peer", peer), ("kind", row["kind"])) for peer in row["peers"]],
        2,
        "it may be a service that you know: trust it",
    ),
)


def recommendations(judged: list[Judged]) -> list[dict[str, Any]]:
    """What the verdicts suggest, what most threats speak for first."""
    found = [advice for pattern in PATTERNS for advice in _advice(pattern, judged)]
    return sorted(found, key=lambda advice: (-advice["threats"], advice["says"]))


def _advice(pattern: Pattern, judged: list[Judged]) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[tuple[str, str], ...], list[Judged]] = {}
    for row, verdict in judged:
        for options in dict.fromkeys(pattern.options(row)):
            groups.setdefault(options, []).append((row, verdict))
    for options, members in groups.items():
        wrong = sum(verdict["verdict"] == "incorrect" for _, verdict in members)
        hosts = len({row["entity"] for row, _ in members})
        if len(members) >= LEAST and wrong >= MOSTLY * len(members) and hosts >= pattern.hosts:
            what = " of ".join(f"{name} {value}" for name, value in reversed(options))
            shared = sorted(set.intersection(*(set(row["peers"]) for row, _ in members)))[:3]
            all_with = f" (all with {', '.join(shared)})" if shared else ""
            given = " ".join(f"--{name} {shlex.quote(value)}" for name, value in options)
            counted = f"{wrong} of {len(members)} threats of {what}{all_with}"
            yield {
                "says": f"{counted} were judged incorrect: {pattern.advice}",
                "command": f"myrmidon suppress add {given} --for 7d --reason TEXT",
                "threats": len(members),
            }
