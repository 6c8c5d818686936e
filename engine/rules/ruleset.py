"""A set of rules: what its texts hold, what is wrong with them, and a version that names exactly what it says.

Rules:
    1. The version is the hash of what the loaded rules say: neither file names nor comments nor layout enter it.
    2. Rules are ordered by key, so that nothing depends on the order of files.
    3. A key or a name that two rules share is an error of the second one, in the order of the file names.
    4. A correlation whose rules are not all there is an error. The rules that it counts are silent on their own,
       unless it says `generate: true`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from posixpath import commonpath

from engine.rules.document import Document, RuleError, documents
from engine.rules.sigma import Correlation, Ignored, Loaded, Rule, doubts, parse

LENGTH = 16
"""Hex digits of a version."""


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """Rules that are ready to be compiled, in the order of their keys; correlations after what they count."""

    texts: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    errors: tuple[RuleError, ...] = ()
    doubts: tuple[RuleError, ...] = ()
    """What loaded rules ask for that no record has by itself: they stand, but may never match."""

    def __len__(self) -> int:
        return len(self.every)

    @cached_property
    def every(self) -> tuple[Loaded, ...]:
        """All rules, correlations last."""
        return (*self.rules, *self.correlations)

    @cached_property
    def version(self) -> str:
        """What the rules say, in a few digits."""
        contents = sorted(rule.content for rule in self.every)
        return sha256("\n".join(contents).encode()).hexdigest()[:LENGTH]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Log types that the rules read."""
        return frozenset(rule.source.log for rule in self.rules)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Titles of all rules, in order."""
        return tuple(rule.hit.title for rule in self.every)

    def pack(self) -> bytes:
        """The texts that these rules were read from: the same texts give the same bytes, wherever their folder is."""
        texts = {self.name_of(name): text for name, text in self.texts.items()}
        return json.dumps(texts, sort_keys=True, ensure_ascii=False).encode()

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in words, by file and line; the folder that all of a user's files are in is left out."""
        return tuple(str(replace(error, file=self.name_of(error.file))) for error in self.errors)

    def name_of(self, file: str) -> str:
        """A file's name below the folder that holds all of the user's: where that is, is no part of what rules say."""
        return file.removeprefix(self._folder)

    @cached_property
    def _folder(self) -> str:
        files = [*self.texts, *(error.file for error in self.errors)]
        folders = {file.rpartition("/")[0] for file in files if file.startswith("/")}
        return f"{commonpath(folders)}/" if folders else ""

    @classmethod
    def unpack(cls, packed: bytes) -> RuleSet:
        """The rules in what `pack` gave."""
        return cls.of(json.loads(packed))

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> RuleSet:
        """The rules in some texts, by the name of the file that each is from."""
        found: list[tuple[Document, Loaded]] = []
        ignored: list[Ignored] = []
        errors: list[RuleError] = []
        for file in sorted(texts):
            parts, wrong = documents(file, texts[file])
            errors += wrong
            broken = {error.line for error in wrong}
            for document in parts:
                rule, wrong = parse(document)
                errors += wrong
                if isinstance(rule, Ignored):
                    ignored.append(rule)
                elif rule is not None and not broken & set(document.lines.values()):
                    found.append((document, rule))
        kept, doubled = _unique(found)
        linked, missing = _linked(kept)
        return cls(
            texts=dict(sorted(texts.items())),
            rules=tuple(rule for rule in linked if isinstance(rule, Rule)),
            correlations=tuple(rule for rule in linked if isinstance(rule, Correlation)),
            ignored=tuple(ignored),
            doubts=tuple(
                doubt for document, rule in kept if isinstance(rule, Rule) for doubt in doubts(document, rule)
            ),
            errors=tuple(sorted((*errors, *doubled, *missing), key=lambda error: (error.file, error.line))),
        )


def _unique(found: Iterable[tuple[Document, Loaded]]) -> tuple[list[tuple[Document, Loaded]], list[RuleError]]:
    """The rules whose key and name are their own."""
    taken: dict[str, str] = {}
    kept: list[tuple[Document, Loaded]] = []
    errors: list[RuleError] = []
    for document, rule in found:
        words = [(word, path) for word, path in ((rule.key, ("id",)), (rule.name, ("name",))) if word]
        clash = next(((word, path) for word, path in words if word in taken), None)
        if clash:
            word, path = clash
            errors.append(document.error(f"{path[0]} {word} is taken by {taken[word]}: give this rule its own", path))
            continue
        taken.update((word, f"{rule.file}:{rule.line}") for word, _ in words)
        kept.append((document, rule))
    return kept, errors


def _linked(found: list[tuple[Document, Loaded]]) -> tuple[list[Loaded], list[RuleError]]:
    """The rules by key, correlations after what they count and with the keys of it."""
    keys = {word: rule.key for _, rule in found for word in (rule.key, rule.name) if word}
    singles = sorted((rule for _, rule in found if isinstance(rule, Rule)), key=lambda rule: rule.key)
    waiting = sorted(((d, r) for d, r in found if isinstance(r, Correlation)), key=lambda pair: pair[1].key)
    ready: dict[str, Loaded] = {rule.key: rule for rule in singles}
    silent: set[str] = set()
    errors: list[RuleError] = []
    while waiting:
        later: list[tuple[Document, Correlation]] = []
        for document, rule in waiting:
            named = tuple(keys.get(word, word) for word in rule.rules)
            if all(key in ready for key in named):
                aliases = {
                    alias: {keys.get(word, word): name for word, name in mapping.items()}
                    for alias, mapping in rule.aliases.items()
                }
                ready[rule.key] = replace(rule, rules=named, aliases=aliases)
                silent.update(() if document.data["correlation"].get("generate") else named)
            else:
                later.append((document, rule))
        if len(later) == len(waiting):
            left = {rule.key for _, rule in later}
            errors += [_missing(document, rule, keys, ready, left) for document, rule in later]
            break
        waiting = later
    return [replace(rule, silent=True) if key in silent else rule for key, rule in ready.items()], errors


def _missing(
    document: Document, rule: Correlation, keys: Mapping[str, str], ready: Mapping[str, Loaded], waiting: set[str]
) -> RuleError:
    circle = [word for word in rule.rules if word in keys and keys[word] not in ready and keys[word] in waiting]
    if circle and all(keys.get(word, word) in ready or word in circle for word in rule.rules):
        return document.error(
            f"it counts {', '.join(circle)}, which waits for this rule in turn, or for one that is not there: "
            "correlations must not count one another in a circle",
            ("correlation", "rules"),
        )
    lacking = [word for word in rule.rules if keys.get(word, word) not in ready and word not in circle]
    return document.error(
        f"it counts {', '.join(lacking)}: no rule that is loaded has that name or id", ("correlation", "rules")
    )
