"""Rules written for the tests."""

from __future__ import annotations

from textwrap import dedent, indent
from uuid import NAMESPACE_URL, uuid5

from engine.rules.ruleset import RuleSet


def rule(
    detection: str, *, title: str = "A rule", log: str = "category: dns", level: str = "high", name: str = ""
) -> str:
    """One rule; `detection` is the YAML below that key."""
    return "\n".join([
        f"title: {title}",
        f"id: {uuid5(NAMESPACE_URL, title)}",
        f"name: {name}" if name else "status: test",
        "author: Nobody",
        "license: MIT",
        "references: ['https://rules.example/1']",
        "tags: [attack.t1071.004, attack.command-and-control]",
        f"logsource: {{{log}}}",
        "detection:",
        indent(dedent(detection).strip(), "  "),
        f"level: {level}",
        "",
    ])  # fmt: skip


def correlation(body: str, *, title: str = "Together", level: str = "high", name: str = "") -> str:
    """One correlation; `body` is the YAML below that key."""
    return "\n".join([
        f"title: {title}",
        f"id: {uuid5(NAMESPACE_URL, title)}",
        f"name: {name}" if name else "status: test",
        "correlation:",
        indent(dedent(body).strip(), "  "),
        f"level: {level}",
        "",
    ])  # fmt: skip


def rules(*texts: str) -> RuleSet:
    """A rule set without errors."""
    found = RuleSet.of({"test.yml": "---\n".join(texts)})
    assert not found.errors, found.errors
    return found
