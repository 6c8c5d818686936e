"""The tables in docs/ that are drawn from the code: settings, facts, kinds of threat. `make docs` writes them.

A test holds the files equal to what stands here, so that the pages are never out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import getdoc
from pathlib import Path
from typing import Any, Final

from config.settings import Settings
from domain.events import FACTS, VERSIONS
from domain.values import KINDS, level_of


def settings_page() -> str:
    """Every setting with its default and what it means, section by section."""
    settings = Settings.model_construct()
    lines = ["# Settings", "", "In TOML (`--config FILE`, else `config.toml` in the home), or in the environment:"]
    lines += ["`MYRMIDON_RUN__BATCH_ROWS=500` is `[run] batch_rows = 500`. Durations in microseconds end in `us`.", ""]
    for section in Settings.model_fields:
        value = getattr(settings, section)
        lines += [f"## `{section}`", "", *_section(value), ""]
    return "\n".join(lines)


def _section(value: Any) -> Iterator[str]:
    if not is_dataclass(value) and not hasattr(type(value), "model_fields"):
        yield f"Default `{value!r}`."
        return
    yield (getdoc(type(value)) or "").split("\n")[0]
    yield ""
    yield "| setting | default | meaning |"
    yield "|---|---|---|"
    yield from _rows(value, "")


def _rows(value: Any, prefix: str) -> Iterator[str]:
    meanings = _meanings(type(value))
    names = [f.name for f in fields(value)] if is_dataclass(value) else list(type(value).model_fields)
    for name in names:
        part = getattr(value, name)
        if is_dataclass(part):
            yield from _rows(part, f"{prefix}{name}.")
        else:
            shown = ", ".join(map(str, part)) if isinstance(part, tuple | frozenset | list) else part
            yield f"| `{prefix}{name}` | {shown} | {meanings.get(name, '')} |"


def _meanings(owner: type) -> dict[str, str]:
    """What the docstring says under `Attributes:`, or the string below a pydantic field in the source."""
    text = getdoc(owner) or ""
    _, _, attributes = text.partition("Attributes:")
    found = re.findall(r"^\s{4}([\w, ]+): (.+(?:\n\s{8}.+)*)", attributes, flags=re.MULTILINE)
    meanings = {name.strip(): " ".join(meaning.split()) for names, meaning in found for name in names.split(",")}
    for name, info in getattr(owner, "model_fields", {}).items():
        meanings.setdefault(name, info.description or "")
    return meanings


def facts_page() -> str:
    """Every fact: kind, schema version, whether it enters the digest, its fields."""
    lines = ["# Facts", "", "| kind | version | digest | what | fields |", "|---|---|---|---|---|"]
    for kind, cls in FACTS.items():
        names = ", ".join(f"`{f.name}`" for f in fields(cls))
        what = (getdoc(cls) or "").split("\n")[0]
        lines.append(f"| `{kind}` | {VERSIONS[kind]} | {'yes' if cls.decided else 'no'} | {what} | {names} |")
    return "\n".join([*lines, ""])


def kinds_page() -> str:
    """Every kind of threat: risk at its threshold, level, techniques, whom it accuses."""
    lines = ["# Kinds of threat", "", "| kind | risk | level | ATT&CK | entity | says |", "|---|---|---|---|---|---|"]
    for kind, rule in KINDS.items():
        techniques = ", ".join(rule.techniques)
        lines.append(f"| `{kind}` | {rule.risk} | {level_of(rule.risk)} | {techniques} | {rule.entity} | {rule.says} |")
    return "\n".join([*lines, ""])


PAGES: Final = {"settings.md": settings_page, "facts.md": facts_page, "kinds.md": kinds_page}
"""Pages by file name in docs/."""


def write_pages(folder: Path) -> None:
    """Write every drawn page into `folder`."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    write_pages(Path("docs"))
