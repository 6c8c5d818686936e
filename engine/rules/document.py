"""The YAML of rules: documents, the line of every element, and errors that name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleError:
    """What is wrong with a rule, and where; line 0 is none."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Wrong(Exception):  # noqa: N818 - says what it is
    """An element of a rule is wrong; `path` leads to it."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(slots=True)
class Document:
    """One YAML document: its content and the lines of its keys."""

    file: str
    line: int
    data: dict[str, Any]
    lines: dict[tuple[str, ...], int]

    def at(self, path: tuple[str, ...]) -> int:
        """The line of an element, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)

    def error(self, message: str, path: tuple[str, ...] = ()) -> RuleError:
        """An error at an element."""
        return RuleError(file=self.file, line=self.at(path), message=" ".join(message.split()))


def documents(file: str, text: str) -> tuple[list[Document], list[RuleError]]:
    """The YAML documents of a text; what follows a syntax error is lost."""
    import yaml

    found: list[Document] = []
    errors: list[RuleError] = []
    try:
        loader = yaml.CSafeLoader(text)
        while loader.check_node():
            node: Any = loader.get_node()
            document = Document(file, node.start_mark.line + 1, {}, {})
            errors += [
                RuleError(file=file, line=line, message=f"key {key!r} is there twice")
                for key, line in _note_lines(node, (), document.lines, set())
            ]
            data = loader.construct_document(node)
            if isinstance(data, dict):
                document.data = data
                found.append(document)
            elif data is not None:
                errors.append(document.error("a rule must be a map of keys and values"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        errors.append(RuleError(file=file, line=mark.line + 1 if mark else 1, message=f"no YAML: {what}"))
    except (ValueError, RecursionError) as error:
        errors.append(RuleError(file=file, line=1, message=f"no YAML: {str(error) or type(error).__name__}"))
    return found, errors


def _note_lines(
    node: Any, path: tuple[str, ...], lines: dict[tuple[str, ...], int], seen: set[int]
) -> Iterator[tuple[str, int]]:
    """Note the line of every key below a node (list members by their number); yields keys that come twice.

    What an alias repeats is noted where it stands first: a document of aliases of aliases would have no end.
    """
    import yaml

    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            twice = inner in lines
            lines[inner] = key.start_mark.line + 1
            if twice:
                yield str(key.value), key.start_mark.line + 1
                yield from _note_lines(value, inner, {}, seen)  # what is below both is no key that comes twice
            else:
                yield from _note_lines(value, inner, lines, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            inner = (*path, str(number))
            lines.setdefault(inner, value.start_mark.line + 1)
            yield from _note_lines(value, inner, lines, seen)
