"""`myrmidon models insights`: what the verdicts say about the assessments, and what to do about it."""

from __future__ import annotations

from typing import Any

import typer

from cli.output import emit, plural
from cli.reading import Since, Until, moment, nothing_yet, opened, there


def insights(ctx: typer.Context, *, since: Since = None, until: Until = None) -> None:
    """How right the threats were by kind, level and rule, what the wrong ones really were, and recommendations."""
    from projections import insights as view
    from projections.threats import listing

    query = listing(since=moment(since, "--since"), until=moment(until, "--until"))
    if not there(ctx):
        emit(ctx, view.insights([]), lambda _: nothing_yet(ctx))
        return
    with opened(ctx) as reading:
        found = view.insights(reading.views.rows("threats", query))
    emit(ctx, found, in_words)


def in_words(found: dict[str, Any]) -> str:
    """The insights for people."""
    recorded = plural(found["threats"], "threat")
    if not found["judged"]:
        return f"none of {recorded} was judged yet: `myrmidon feedback ID correct|incorrect|partial`"
    lines = [f"{found['judged']:,} of {recorded} judged: {_counts(found)}"]
    for name, title in (("by_kind", "By kind"), ("by_level", "By level"), ("by_rule", "By rule")):
        if found[name]:
            lines += ["", title, *(f"  {group['name']:<20}  {_counts(group)}" for group in found[name])]
    if found["error_causes"]:
        lines += ["", "What the wrong ones were"]
        lines += [f"  {each['count']:>4}  {each['kind']}: {each['cause']}" for each in found["error_causes"]]
    if found["recommendations"]:
        lines += ["", "Recommendations"]
        for each in found["recommendations"]:
            lines += [f"  - {each['says']}", f"      {each['command']}"]
    return "\n".join(lines)


def _counts(group: dict[str, Any]) -> str:
    said = f"{group['correct']} correct, {group['partial']} partial, {group['incorrect']} incorrect"
    return said if group["accuracy"] is None else f"{group['accuracy']:.0%} right ({said})"
