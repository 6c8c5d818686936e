"""The tables in docs/ that are drawn from the code: settings, facts, kinds of threat. `make docs` writes them.

A test holds the files equal to what stands here, so that the pages are never out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import getdoc
from pathlib import Path
from typing import Any, Final

from config.actuators import PARTS, TYPES
from config.settings import Settings
from domain.events import FACTS, VERSIONS
from domain.gate import ALWAYS_REACHABLE, CHECKS
from domain.values import KINDS, level_of

PLAYBOOKS: Final = Path(__file__).resolve().parent / "playbooks"
"""The shipped playbooks."""


def settings_page() -> str:
    """Every setting with its default and what it means, section by section."""
    settings = Settings.model_construct()
    lines = ["# Settings", "", "In TOML (`--config FILE`, else `config.toml` in the home), or in the environment:"]
    lines += ["`MYRMIDON_RUN__BATCH_ROWS=500` is `[run] batch_rows = 500`. Durations in microseconds end in `us`.", ""]
    for section in Settings.model_fields:
        value = getattr(settings, section)
        lines += [f"## `{section}`", "", *(_actuators() if section == "actuators" else _section(value)), ""]
    return "\n".join(lines)


def _actuators() -> Iterator[str]:
    """The options of our own actuators, type by type."""
    parts = ", ".join(f"`{part}`" for part in PARTS)
    yield "One table `[actuators.NAME]` for each actuator that playbooks name; `type` says what it is."
    yield f"The shipped playbooks name {parts}; what is not set is a `dry-run`. See [actuators.md](actuators.md)."
    for of, model in TYPES.items():
        yield from ("", f'### `type = "{of}"`', "", (getdoc(model) or "").split("\n")[0])
        options = {name: info for name, info in model.model_fields.items() if name != "type"}
        if options:
            yield from ("", "| option | default | meaning |", "|---|---|---|")
        for name, info in options.items():
            default = "must be set" if info.is_required() else _shown(info.default)
            yield f"| `{name}` | {default} | {info.description or ''} |"


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
            yield f"| `{prefix}{name}` | {_shown(part)} | {meanings.get(name, '')} |"


def _shown(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, tuple | frozenset | list) else value


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


def library_page() -> str:
    """Every shipped playbook: what it answers, what it does and for how long, what it costs, what it is tagged with."""
    lines = ["# The shipped playbooks", "", "How they are made: [playbooks.md](playbooks.md).", ""]
    lines += [
        "| playbook | against | does | undo | cost | ATT&CK | D3FEND | NIST CSF 2.0 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for file in sorted(PLAYBOOKS.glob("*.json")):
        lines.append("| " + " | ".join(_playbook(file.stem, json.loads(file.read_text("utf-8")))) + " |")
    return "\n".join([*lines, ""])


def _playbook(name: str, body: dict[str, Any]) -> Iterator[str]:
    own = next(iter(body["playbook_extensions"].values()))
    steps = [step for step in body["workflow"].values() if step["type"] == "action"]
    yield f"`{name}`: {body['description']}"
    yield "every kind" if set(own["kinds"]) == set(KINDS) else ", ".join(own["kinds"])
    yield "; ".join(step["commands"][0]["description"] for step in steps)
    yield ", ".join(
        dict.fromkeys(extension["undo"] for step in steps for extension in step["step_extensions"].values())
    )
    yield f"{body['impact'] / 10:g}"
    for framework in ("MITRE ATT&CK", "MITRE D3FEND", "NIST CSF 2.0"):
        tags = (tag["external_id"] for step in steps for tag in step["external_references"] if tag["name"] == framework)
        yield " ".join(dict.fromkeys(tags)) or "-"


def gate_page() -> str:
    """The action gate: its checks in order, and what is on every never-block list."""
    lines = ["# The action gate", "", "In this order, for every action ([responses.md](responses.md)):", ""]
    lines += ["| # | check | what it does |", "|---|---|---|"]
    lines += [f"| {number} | {check.name} | {check.says} |" for number, check in enumerate(CHECKS, 1)]
    lines.append(f"| {len(CHECKS) + 1} | {CHECKS[0].name}, again | the same list, just before the effect |")
    lines += ["", f"On every never-block list: {', '.join(f'`{each}`' for each in ALWAYS_REACHABLE)}.", ""]
    return "\n".join(lines)


PAGES: Final = {
    "settings.md": settings_page,
    "facts.md": facts_page,
    "kinds.md": kinds_page,
    "library.md": library_page,
    "gate.md": gate_page,
}
"""Pages by file name in docs/."""


def write_pages(folder: Path) -> None:
    """Write every drawn page into `folder`."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    write_pages(Path("docs"))
