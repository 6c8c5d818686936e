"""What verdicts teach about the assessments: how right they were, what was wrong with them, and what to do about it.

Rules:
    1. The last verdict on each threat counts, by how sure the operator was. `partial` is half right.
    2. Accuracy is the weight of what was right, of all that was judged; of nothing judged there is none (None).
    3. A recommendation names an exception, as a command, that covers at least `LEAST` threats judged wrong, and none
       that was judged otherwise or not at all.
    4. Of exceptions that cover the same threats the narrowest is recommended; a wider one only if it covers more. The
       peers of an anomaly are all that the host talked to, servers of the house too: no exception is made of them.
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
        "recommendations": recommendations(rows),
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


Options = tuple[tuple[str, str], ...]
"""Options of `myrmidon suppress add`: name and value."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Threats that have something in common which an exception can name.

    Attributes:
        options: the options of `myrmidon suppress add` that name it, of one threat: one tuple each.
        hosts: how many hosts it must concern.
        advice: what to do beside.
    """

    options: Callable[[Row], list[Options]]
    hosts: int
    advice: str


PATTERNS: Final = (  # from the narrowest to the widest
    Pattern(
        lambda row: [(("entity", row["entity"]), ("kind", row["kind"]))], 1, "suppress them, or trust what they share"
    ),
    Pattern(lambda row: [(("rule", hit["title"]),) for hit in row["rules"]], 2, "mend the rule, or suppress it"),
    Pattern(
        lambda row: [(("peer", peer), ("kind", row["kind"])) for peer in row["peers"] if row["kind"] != "anomaly"],
        2,
        "it may be a service that you know: trust it",
    ),
)


def recommendations(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What the verdicts suggest, what most threats speak for first."""
    rows, found, covered = list(rows), [], list[frozenset[int]]()
    for pattern in PATTERNS:
        for options, members in _groups(pattern, rows):
            if not any(members <= others for others in covered):
                covered.append(members)
                found.append(_advice(pattern, options, [rows[number] for number in sorted(members)]))
    return sorted(found, key=lambda advice: (-advice["threats"], advice["says"]))


def _groups(pattern: Pattern, rows: list[Row]) -> Iterator[tuple[Options, frozenset[int]]]:
    """Exceptions of a pattern that cover wrong threats and no others: the options, and the numbers of the threats."""
    groups: dict[Options, set[int]] = {}
    for number, row in enumerate(rows):
        for options in pattern.options(row):
            groups.setdefault(options, set()).add(number)
    for options, numbers in groups.items():
        members = [rows[number] for number in numbers]
        wrong = all(row["verdicts"] and row["verdicts"][-1]["verdict"] == "incorrect" for row in members)
        if wrong and len(members) >= LEAST and len({row["entity"] for row in members}) >= pattern.hosts:
            yield options, frozenset(numbers)


def _advice(pattern: Pattern, options: Options, members: list[Row]) -> dict[str, Any]:
    what = " of ".join(f"{name} {value}" for name, value in reversed(options))
    shared = sorted(set.intersection(*(set(row["peers"]) for row in members)))[:3]
    all_with = f" (all with {', '.join(shared)})" if shared else ""
    given = " ".join(f"--{name} {shlex.quote(value)}" for name, value in options)
    return {
        "says": f"all {len(members)} threats of {what}{all_with} were judged incorrect: {pattern.advice}",
        "command": f"myrmidon suppress add {given} --for 7d --reason TEXT",
        "threats": len(members),
    }
