"""From Sigma text to rules: pySigma reads it, we keep what the matcher needs.

Rules:
    1. Nothing is fetched from anywhere: `sigma.data` is not imported. pySigma itself is imported on first use.
    2. A file may hold several documents. Every error names the file and the line of the element that is to blame.
    3. A rule with an error is left out; the others of the file stand. A rule whose log source no record here fits is
       no error: it is ignored, with the reason.
    4. A rule's key is its `id`; one without is known by the hash of its content.
    5. A rule without a level has the level low: what nobody has weighed opens no incident.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from typing import Any as Anything

from domain.sighting import RuleHit
from domain.values import RuleLevel
from engine.rules import conditions as ours
from engine.rules.fields import Source, source_of

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

CorrelationType = Literal["event_count", "value_count", "temporal", "temporal_ordered"]
CountOrder = Literal["gt", "gte", "eq"]


LONGEST_SPAN: Final = 86_400
"""Seconds of the longest timespan of a correlation: its events are kept in memory for so long."""

MOST_COUNTED: Final = 10_000
"""Greatest count that a correlation may ask for: so many events of a group are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleError:
    """What is wrong with a rule, and where."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A rule that is right but fits no record that is read here."""

    file: str
    line: int
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about single records. `silent` when it only feeds a correlation; `content` is the hash of its text."""

    key: str
    name: str
    hit: RuleHit
    source: Source
    condition: ours.Condition
    category: str
    file: str
    line: int
    content: str
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rule about several records.

    Attributes:
        rules: keys of the rules whose matches it counts, in the rule's order.
        group_by: field names; `aliases` says for a name and a rule which field of that rule's records is meant.
        span: seconds.
        order, count: how many are needed; of a temporal one, how many different rules.
        field: whose distinct values are counted (value_count).
    """

    key: str
    name: str
    hit: RuleHit
    kind: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: dict[str, dict[str, str]]
    span: int
    order: CountOrder
    count: int
    field: str
    file: str
    line: int
    content: str
    silent: bool = False


Loaded: TypeAlias = Rule | Correlation


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """An element of a rule is wrong; `path` leads to it."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(slots=True)
class Document:
    """One YAML document: its content and the lines of its keys."""

    file: str
    line: int
    data: dict[str, Anything]
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
            node = loader.get_node()
            document = Document(file, node.start_mark.line + 1, {}, {})
            errors += [
                RuleError(file=file, line=line, message=f"key {key!r} is there twice")
                for key, line in _note_lines(node, (), document.lines)
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
    node: Anything, path: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> Iterator[tuple[str, int]]:
    """Note the line of every key below a node (list members by their number); yields keys that come twice."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                yield str(key.value), key.start_mark.line + 1
            lines[inner] = key.start_mark.line + 1
            yield from _note_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            inner = (*path, str(number))
            lines.setdefault(inner, value.start_mark.line + 1)
            yield from _note_lines(value, inner, lines)


def parse(document: Document) -> tuple[Loaded | Ignored | None, list[RuleError]]:
    """The rule of a document, or why there is none."""
    if "filter" in document.data:
        return None, [document.error("filters are not supported: write the exception into the rule", ("filter",))]
    if "correlation" in document.data:
        return _checked(document, _correlation)
    return _checked(document, _rule)


def _checked(document: Document, build: Anything) -> tuple[Loaded | Ignored | None, list[RuleError]]:
    from sigma.exceptions import SigmaError

    try:
        built, errors = build(document)
    except _Wrong as wrong:
        return None, [document.error(str(wrong), wrong.path)]
    except SigmaError as error:
        return None, [document.error(_message(error), _place_of(error, document))]
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        return None, [document.error(f"cannot be read: {str(error) or type(error).__name__}")]
    return (None, errors) if errors else (built, [])


PLACES: Final[dict[str, tuple[str, ...]]] = {
    "SigmaConditionError": ("detection", "condition"),
    "SigmaDetectionError": ("detection",),
    "SigmaLogsourceError": ("logsource",),
    "SigmaLevelError": ("level",),
    "SigmaStatusError": ("status",),
    "SigmaTitleError": ("title",),
    "SigmaNameError": ("name",),
    "SigmaIdentifierError": ("id",),
    "SigmaTagError": ("tags",),
    "SigmaDateError": ("date",),
    "SigmaModifiedError": ("modified",),
    "SigmaAuthorError": ("author",),
    "SigmaDescriptionError": ("description",),
    "SigmaReferencesError": ("references",),
    "SigmaFalsePositivesError": ("falsepositives",),
    "SigmaFieldsError": ("fields",),
    "SigmaRelatedError": ("related",),
    "SigmaLicenseError": ("license",),
    "SigmaScopeError": ("scope",),
    "SigmaTimespanError": ("correlation", "timespan"),
    "SigmaCorrelationTypeError": ("correlation", "type"),
    "SigmaCorrelationConditionError": ("correlation", "condition"),
    "SigmaCorrelationRuleError": ("correlation",),
}
"""Which key of a rule an error of pySigma is about."""


def _place_of(error: Exception, document: Document) -> tuple[str, ...]:
    place = PLACES.get(type(error).__name__, ())
    if place == ("modified",) and "modified" not in document.data:
        return ("detection",)  # pySigma's windash modifier uses the class of that key
    return place


def _message(error: Exception) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return f"{text[:1].lower()}{text[1:]}" if text[:2].istitle() else text


def _rule(document: Document) -> tuple[Rule | Ignored, list[RuleError]]:
    from sigma.rule import SigmaRule

    data = document.data
    errors = [document.error(message, path) for message, path in _bad_items(data.get("detection"))]
    parsed = SigmaRule.from_dict(data, collect_errors=True)
    # what a single item is to blame for was said with its line already
    skip = {"SigmaModifierError", "SigmaTypeError", "SigmaValueError", "SigmaRegularExpressionError"} if errors else ()
    errors += [
        document.error(_message(error), _place_of(error, document))
        for error in parsed.errors
        if type(error).__name__ not in skip
    ]
    errors += [] if parsed.title else [document.error("a rule needs a title")]
    if errors:
        return _nothing(document), errors
    log = parsed.logsource
    source = source_of(log.category, log.product, log.service)
    if isinstance(source, str):
        # its condition is checked all the same
        for condition in parsed.detection.parsed_condition:
            _ = condition.parsed
        return _nothing(document, parsed.title, source), []
    content = _content(data)
    return Rule(
        key=str(parsed.id or content[:32]),
        name=parsed.name or "",
        hit=_hit(parsed, content),
        source=source,
        condition=ours.any_of(
            _condition(condition.parsed, source, ("detection", "condition"))
            for condition in parsed.detection.parsed_condition
        ),
        category=log.category or log.service or "",
        file=document.file,
        line=document.line,
        content=content,
    ), []


def _nothing(document: Document, title: str = "", reason: str = "") -> Ignored:
    return Ignored(file=document.file, line=document.at(("logsource",)), title=title, reason=reason)


def _bad_items(detection: Anything) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every item of a detection that pySigma refuses: the message and the path to it."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetectionItem

    for path, key, value in _items(detection, ("detection",)):
        try:
            SigmaDetectionItem.from_mapping(key, value)
        except SigmaError as error:
            yield f"{key or path[-1]}: {_message(error)}", path
        except (TypeError, ValueError, re.error) as error:
            yield f"{key or path[-1]}: {error}", path


def _items(node: Anything, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str | None, Anything]]:
    """The items of a detection: path, key (None for a keyword) and value."""
    if isinstance(node, dict):
        for key, value in node.items():
            inner = (*path, str(key))
            if len(path) > 1:
                yield inner, str(key), value
            elif key not in {"condition", "timeframe"}:
                yield from _items(value, inner)
    elif isinstance(node, list) and len(path) > 1:
        for number, value in enumerate(node):
            if isinstance(value, dict | list):
                yield from _items(value, (*path, str(number)))
            else:
                yield (*path, str(number)), None, value
    elif len(path) > 1:
        yield path, None, node


def _correlation(document: Document) -> tuple[Correlation, list[RuleError]]:
    from sigma.correlations import SigmaCorrelationRule

    parsed = SigmaCorrelationRule.from_dict(document.data)
    kind = parsed.type.name.lower()
    if kind not in {"event_count", "value_count", "temporal", "temporal_ordered"}:
        raise _Wrong(f"a correlation of type {kind} is not supported", ("correlation", "type"))
    order, count, field = _count_of(parsed)
    if parsed.timespan.seconds > LONGEST_SPAN:
        raise _Wrong(f"a timespan of more than {LONGEST_SPAN} s is not supported", ("correlation", "timespan"))
    content = _content(document.data)
    return Correlation(
        key=str(parsed.id or content[:32]),
        name=parsed.name or "",
        hit=_hit(parsed, content),
        kind=kind,  # type: ignore[arg-type]  # one of the four, as was just seen
        rules=tuple(reference.reference for reference in parsed.rules or ()),
        group_by=tuple(parsed.group_by or ()),
        aliases={
            alias.alias: {reference.reference: name for reference, name in alias.mapping.items()}
            for alias in parsed.aliases
        },
        span=parsed.timespan.seconds,
        order=order,
        count=count,
        field=field,
        file=document.file,
        line=document.line,
        content=content,
    ), []


def _count_of(parsed: SigmaCorrelationRule) -> tuple[CountOrder, int, str]:
    """How many are needed: order, count, and the field whose values are counted."""
    from sigma.correlations import SigmaCorrelationCondition

    where = ("correlation", "condition")
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise _Wrong("a condition with and, or, not over rules is not supported: count the rules instead", where)
    order = condition.op.name.lower()
    if order not in {"gt", "gte", "eq"}:
        raise _Wrong(f"{order} is not supported: while events still come, only gt, gte and eq can be told", where)
    if not isinstance(condition.count, int) or not 1 <= condition.count <= MOST_COUNTED:
        raise _Wrong(f"the count must be a whole number from 1 to {MOST_COUNTED}", where)
    field = condition.fieldref or ""
    if not isinstance(field, str):
        raise _Wrong("values of several fields at once are not supported", where)
    return order, condition.count, field  # type: ignore[return-value]  # one of the three, as was just seen


def _content(data: dict[str, Anything]) -> str:
    """SHA-256 (hex) of what a rule says, however it is laid out."""
    return sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


TECHNIQUE: Final = re.compile(r"t\d{4}(\.\d{3})?")


def _hit(parsed: SigmaRule | SigmaCorrelationRule, content: str) -> RuleHit:
    names = (tag.name.lower() for tag in parsed.tags if tag.namespace.lower() == "attack")
    level: RuleLevel = parsed.level.name.lower() if parsed.level else "low"  # type: ignore[assignment]  # Sigma's five
    return RuleHit(
        id=str(parsed.id or content[:32]),
        version=content[:12],
        title=parsed.title,
        level=level,
        author=parsed.author or "",
        techniques=tuple(name.upper() for name in names if TECHNIQUE.fullmatch(name)),
        licence=parsed.license or "",
        reference=str(parsed.references[0]) if parsed.references else "",
    )


def _condition(node: Anything, source: Source, where: tuple[str, ...]) -> ours.Condition:
    """A condition of pySigma as one of ours."""
    name = type(node).__name__
    match name:
        case "ConditionAND":
            return ours.all_of(_condition(part, source, where) for part in node.args)
        case "ConditionOR":
            return ours.any_of(_condition(part, source, where) for part in node.args)
        case "ConditionNOT":
            return ours.Not(_condition(node.args[0], source, where))
        case "ConditionFieldEqualsValueExpression":
            return _field_test(node.field, node.value, source)
        case "ConditionValueExpression":
            alternatives = _alternatives(node.value, keyword=True)
            return ours.any_of(ours.Test(field, alternatives) for field in source.keyword_fields())
        case _:
            raise _Wrong("the condition is empty", where)


def _field_test(name: str, value: Anything, source: Source) -> ours.Condition:
    kind = type(value).__name__
    if kind == "SigmaFieldReference":
        places: dict[tuple[bool, bool], ours.Place] = {
            (False, False): "exact", (True, False): "start", (False, True): "end", (True, True): "inside",
        }  # fmt: skip
        return ours.SameAs(source.field(name), source.field(value.field), places[value.starts_with, value.ends_with])
    if kind in {"SigmaNull", "SigmaExists"}:
        present = kind == "SigmaExists" and bool(value)
        return ours.Test(source.null_field(name), (ours.Present() if present else ours.Absent(),))
    return ours.Test(source.field(name), _alternatives(value))


def _alternatives(value: Anything, *, keyword: bool = False) -> tuple[ours.Alternative, ...]:
    """What a value of a rule asks of a field."""
    kind = type(value).__name__
    if kind == "SigmaExpansion":
        return tuple(inner for part in value.values for inner in _alternatives(part, keyword=keyword))
    if kind in {"SigmaString", "SigmaCasedString"}:
        return (_text(tuple(value.s), cased=kind == "SigmaCasedString", keyword=keyword),)
    reader = _READERS.get(kind)
    if reader is None:
        raise _Wrong(f"values of the kind {kind.removeprefix('Sigma')} are not supported", ("detection",))
    return (reader(value),)


def _regex(value: Anything) -> ours.Pattern:
    flags = 0
    for flag in value.flags:
        flags |= value.sigma_to_python_flags[flag]
    try:
        re.compile(str(value.regexp), flags)
    except re.error as error:
        raise _Wrong(f"regular expression {value.regexp!s}: {error}", ("detection",)) from None
    return ours.Pattern(str(value.regexp), int(flags))


_READERS: Final[dict[str, Anything]] = {
    "SigmaNumber": lambda value: ours.Literal(str(value.number), "exact"),
    "SigmaBool": lambda value: ours.Literal(str(value.boolean).lower(), "exact"),
    "SigmaRegularExpression": _regex,
    "SigmaCIDRExpression": lambda value: ours.Network(str(value.network)),
    "SigmaCompareExpression": lambda value: ours.Compare(value.op.name.lower(), float(value.number.number)),
    "SigmaTimestampPart": lambda value: ours.TimePart(value.timestamp_part.name.lower(), int(value.number)),
}
"""Values of pySigma by class, but for texts."""


@cache
def _any_text() -> tuple[Anything, Anything]:
    from sigma.types import SpecialChars

    return SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


def _text(parts: tuple[Anything, ...], *, cased: bool, keyword: bool) -> ours.Alternative:
    """A text with wildcards: a plain literal where it is one, else a regular expression."""
    many, _ = _any_text()
    if keyword and parts:
        parts = (many, *parts, many)
    while len(parts) > 1 and parts[0] is parts[1] is many:
        parts = parts[1:]
    while len(parts) > 1 and parts[-1] is parts[-2] is many:
        parts = parts[:-1]
    if not parts:
        return ours.Absent()
    if parts == (many,):
        return ours.Present()
    begins, ends = parts[0] is many, parts[-1] is many
    inner = parts[begins : len(parts) - ends]
    if len(inner) == 1 and isinstance(inner[0], str):
        place: ours.Place = "inside" if begins and ends else "end" if begins else "start" if ends else "exact"
        return ours.Literal(inner[0] if cased else inner[0].lower(), place, cased)
    return _wildcards(parts, cased=cased)


def _wildcards(parts: tuple[Anything, ...], *, cased: bool) -> ours.Pattern:
    many, one = _any_text()
    regex, literals = "", [""]
    for part in parts:
        if part is many or part is one:
            regex += ".*" if part is many else "."
        elif isinstance(part, str):
            regex += re.escape(part)
            literals.append(part.lower())
        else:
            raise _Wrong(f"placeholder %{part.name}% has no value here", ("detection",))
    flags = re.DOTALL if cased else re.DOTALL | re.IGNORECASE
    return ours.Pattern(regex, int(flags), whole=True, needs=max(literals, key=len))
