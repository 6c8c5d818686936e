"""The rules on disk: those that come with the house, and a folder of the user's own.

Rules:
    1. Every `*.yml` and `*.yaml` in a folder and below it is read, in the order of the names. Hidden files are not.
    2. A file that cannot be read is an error of the rule set at its first line; the others are loaded.
    3. A change is a change of content: a file that is touched or moved gives no new rule set.
    4. A folder that vanishes later changes no rule: those that were loaded stay, with that fault, until it is back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.feeds.errors import UsageError
from domain.facts.operation import RULES_GONE

if TYPE_CHECKING:
    from engine.rules.ruleset import RuleSet

SHIPPED: Final = Path(__file__).resolve().parent.parent / "config" / "rules"
"""The rules that come with the house."""

SUFFIXES: Final = frozenset({".yml", ".yaml"})

LARGEST: Final = 4 << 20
"""Bytes of the largest file that is read as rules."""


class Rulebook:
    """Folders or files of rules, read again whenever asked."""

    def __init__(self, dir: str | Path = "", *, shipped: bool = True) -> None:  # noqa: A002 - the setting's name
        self._roots = [SHIPPED] if shipped else []
        if dir:
            self._roots.append(Path(dir).expanduser())
        self._stamp: object = None
        self._read: Mapping[str, str] = {}
        self._loaded: RuleSet | None = None
        self.gone = False
        """Whether a folder was away when it was last looked for."""

    def load(self) -> RuleSet:
        """The rules as they stand on disk now.

        Raises:
            UsageError: a folder that was named is not there.
        """
        from engine.rules.ruleset import RuleSet

        self._stamp = self._stamps()
        texts, faults = read_rules(self._roots)
        self._read, self.gone = texts, False
        self._loaded = with_faults(RuleSet.of(texts), faults)
        return self._loaded

    def changed(self) -> RuleSet | None:
        """The rules anew when they have changed since they were last read, else None.

        A folder that is gone gives the same rules once more, with that fault; when it is back it is read anew.
        """
        before, was_gone = self._read, self.gone
        try:
            if self._stamps() == self._stamp and not was_gone:
                return None
            ruleset = self.load()
        except UsageError:
            return None if was_gone or self._loaded is None else self._without_folder(self._loaded)
        return None if self._read == before and not was_gone else ruleset

    def _without_folder(self, loaded: RuleSet) -> RuleSet:
        from engine.rules.document import RuleError

        self.gone = True
        return replace(loaded, errors=(RuleError(file="[rules] dir", line=0, message=RULES_GONE), *loaded.errors))

    def _stamps(self) -> list[tuple[str, int, int]]:
        """Names, sizes and times: as long as they are the same nothing is read."""
        stamps = []
        for path, _ in rule_files(self._roots):
            try:
                state = path.stat()
            except OSError:
                continue
            stamps.append((str(path), state.st_size, state.st_mtime_ns))
        return stamps


def rule_files(roots: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The rule files of some folders (or files), and the name that each goes by.

    Raises:
        UsageError: a root is not there.
    """
    for root in roots:
        if root.is_file():
            yield root, str(root)
        elif root.is_dir():
            for path in sorted(root.rglob("*")):
                inner = path.relative_to(root)
                hidden = any(part.startswith(".") for part in inner.parts)
                if path.suffix in SUFFIXES and not hidden and path.is_file():
                    yield path, f"shipped/{inner.as_posix()}" if root == SHIPPED else str(path)
        else:
            raise UsageError(f"{root}: no such file or folder of rules; set [rules] dir to one that is there")


def read_rules(roots: Sequence[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of rule files by name, and why some could not be read.

    Raises:
        UsageError: a root is not there.
    """
    texts: dict[str, str] = {}
    faults: dict[str, str] = {}
    for path, name in rule_files(roots):
        try:
            if path.stat().st_size > LARGEST:
                faults[name] = f"is larger than {LARGEST >> 20} MiB: no rule is"
            else:
                texts[name] = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            faults[name] = f"cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            faults[name] = "is not UTF-8: write it anew as UTF-8"
    return texts, faults


def with_faults(ruleset: RuleSet, faults: Mapping[str, str]) -> RuleSet:
    """The rule set with the files that could not be read among its errors."""
    from engine.rules.document import RuleError

    wrong = tuple(RuleError(file=name, line=1, message=message) for name, message in sorted(faults.items()))
    return replace(ruleset, errors=(*wrong, *ruleset.errors))
